import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import {
  type Cluster,
  type ClusterNode,
  nodeOf,
  startCluster,
} from "../../scripts/testnet/cluster.ts"
import type { LedgerStatus } from "../../src/node/api/types.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { befriend, history, until } from "./mesh.ts"

const VALIDATORS = 4

async function ledgerOf(node: ClusterNode): Promise<LedgerStatus> {
  const { ledger } = await node.status()
  return ledger ?? assert.fail("this mesh has a ledger")
}

/** Waits until the ledger of this node is as it should be. */
async function reaches(
  node: ClusterNode,
  holds: (ledger: LedgerStatus) => boolean,
  timeoutMs = 60_000,
): Promise<LedgerStatus> {
  const api = await node.api()
  return await until(api, () => ledgerOf(node), holds, { timeoutMs })
}

describe("e2e: four validators and two people who follow them", () => {
  const directory = mkdtempSync(join(tmpdir(), "sotto-ledger-"))
  let cluster: Cluster
  let alice: ClusterNode
  let bob: ClusterNode

  before(async () => {
    cluster = await startCluster({
      nodes: VALIDATORS + 2,
      validators: VALIDATORS,
      directory,
      identities: [null, null, null, null, "alice", "bob"],
    })
    await cluster.meshed()
    alice = nodeOf(cluster, VALIDATORS)
    bob = nodeOf(cluster, VALIDATORS + 1)
    await befriend(alice, bob)
  })
  after(async () => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Sends from alice to bob; resolves with the ids. */
  async function send(what: string, count: number): Promise<string[]> {
    const api = await alice.api()
    const ids: string[] = []
    for (let n = 1; n <= count; n++) {
      const { message } = await api.call("messages.send", { to: "bob", text: `${what} ${n}` })
      ids.push(message.id)
    }
    return ids
  }

  /** Bob has them all, and alice has the proof. */
  async function arrived(ids: readonly string[]): Promise<void> {
    const api = await alice.api()
    await until(
      api,
      async () => (await history(api, "bob")).filter(({ id }) => ids.includes(id)),
      (seen) => seen.length === ids.length && seen.every(({ state }) => state === "delivered"),
      { timeoutMs: 60_000 },
    )
  }

  /** Nothing waits for its place at any of these, and their chains have grown beyond a height. */
  async function inOrder(nodes: readonly ClusterNode[], above = 0): Promise<number> {
    const states = await Promise.all(
      nodes.map((node) => reaches(node, ({ waiting, height }) => waiting === 0 && height > above)),
    )
    return Math.min(...states.map(({ height }) => height))
  }

  it("links the validators, and gives everything its place", async () => {
    for (const node of cluster.nodes.slice(0, VALIDATORS))
      await reaches(node, ({ role, linked }) => role === "validating" && linked === 3)
    await arrived(await send("in order", 5))
    const height = await inOrder(cluster.nodes)
    const run = (...args: string[]) => sotto([...bob.arguments, ...args], { script: REAL })
    const verified = await run("ledger", "verify", "--json")
    assert.equal(verified.exit, 0, verified.err)
    const { height: checked } = JSON.parse(verified.out) as { height: number }
    assert(checked >= height)
    const { last } = JSON.parse((await run("ledger", "--json")).out) as {
      last: { signers: string[] }
    }
    assert.equal(new Set(last.signers).size, 3)
    const { out } = await run("validators", "--json")
    assert.equal((JSON.parse(out) as { validators: unknown[] }).validators.length, VALIDATORS)
  })

  it("shows to somebody in no mesh where it put a message, by the signatures of a quorum", async () => {
    const [id = ""] = await send("to be shown", 1)
    await arrived([id])
    const api = await bob.api()
    const placed = async () => (await history(api, "alice")).find((message) => message.id === id)
    await until(api, placed, (seen) => seen !== undefined && seen.place !== null)
    const file = join(directory, "shown.sotto")
    const made = await sotto(["export", id, file, "--data", bob.dataDir], { script: REAL })
    assert.equal(made.exit, 0, made.err)
    const nowhere = ["--data", join(directory, "nobody")]
    const { exit, out, err } = await sotto(["export", "verify", file, "--json", ...nowhere], { script: REAL }) // prettier-ignore
    assert.equal(exit, 0, err)
    const { text, order } = JSON.parse(out) as { text: string; order: Record<string, number> }
    assert.match(text, /to be shown/)
    assert.deepEqual([order["validators"], order["quorum"]], [VALIDATORS, 3])
    assert(order["signatures"]! >= 3)
  })

  it("goes on while each validator in turn is killed, and takes it back", async () => {
    for (const victim of cluster.nodes.slice(0, VALIDATORS)) {
      // in the middle of traffic it goes, and in the middle of traffic it comes back
      const around = send(`around the end of ${victim.at}`, 6)
      await victim.kill9()
      await arrived(await around)
      await inOrder([alice, bob])
      const meanwhile = send(`while ${victim.at} comes back`, 6)
      await victim.start()
      await arrived(await meanwhile)
      await reaches(victim, ({ role }) => role === "validating")
    }
    await inOrder(cluster.nodes)
  })

  it("goes on under another primary while the primary stands still, and agrees with it when it moves again", async () => {
    const api = await alice.api()
    const seats = await Promise.all(
      cluster.nodes.slice(0, VALIDATORS).map(async (node) => {
        const { validators } = await (await node.api()).call("validators.list", {})
        return validators.findIndex(({ own }) => own)
      }),
    )
    const primarySeat = async () => {
      const { last } = await api.call("ledger.show", {})
      assert(last !== null)
      return (last.term + last.view) % VALIDATORS
    }
    const height = await inOrder(cluster.nodes)
    const seat = await primarySeat()
    const primary = nodeOf(cluster, seats.indexOf(seat))
    const { pid } = primary
    assert(pid !== undefined)
    process.kill(pid, "SIGSTOP")
    try {
      await arrived(await send("while one stands still", 3))
      await inOrder([alice, bob], height)
      assert.notEqual(await primarySeat(), seat)
    } finally {
      process.kill(pid, "SIGCONT")
    }
    await arrived(await send("when it moves again", 2))
    const reached = await inOrder([alice, bob], height)
    await reaches(primary, ({ role, height: own }) => role === "validating" && own >= reached)
    const run = await sotto([...primary.arguments, "ledger", "verify", "--json"], { script: REAL })
    assert.equal(run.exit, 0, run.err)
    await inOrder(cluster.nodes)
  })

  it("says so when too few are left, chats on, and resumes when one is back", async () => {
    const [, , third, fourth] = cluster.nodes
    assert(third !== undefined && fourth !== undefined)
    const height = await inOrder(cluster.nodes)
    await third.kill9()
    await fourth.kill9()
    await arrived(await send("without order", 2))
    const stalled = await reaches(alice, (ledger) => ledger.stalled)
    assert(stalled.waiting > 0)
    await third.start()
    const resumed = await inOrder([alice, bob, third], height)
    await fourth.start()
    await inOrder([fourth], resumed - 1)
  })

  it("lets a validator whose ledger and store were deleted catch up without a vote", async () => {
    // not the first: the ticket leads to it
    const victim = nodeOf(cluster, 1)
    await victim.stop()
    for (const name of ["ledger", "store"])
      rmSync(join(victim.dataDir, name), { recursive: true, force: true })
    await victim.start()
    await (await victim.api()).call("mesh.join", { ticket: cluster.ticket })
    await arrived(await send("while one forgets", 3))
    const height = await inOrder([alice, bob])
    const caughtUp = await reaches(victim, (ledger) => ledger.height >= height)
    assert.equal(caughtUp.role, "observing")
  })
})
