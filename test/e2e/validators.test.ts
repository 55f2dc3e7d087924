/** The set of validators changes while people talk: it grows from one to four, and one is replaced. Real processes, the command line as operators use it. */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import {
  type Cluster,
  type ClusterNode,
  nodeOf,
  startCluster,
} from "../../scripts/testnet/cluster.ts"
import type { ProposalView, ValidatorView } from "../../src/node/api/types.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { befriend, history, until } from "./mesh.ts"

const ALICE = 1
const BOB = 4

describe("e2e: the validators change while people talk", () => {
  const directory = mkdtempSync(join(tmpdir(), "sotto-validators-"))
  let cluster: Cluster

  const node = (at: number): ClusterNode => nodeOf(cluster, at)
  const run = async (at: number, ...args: string[]) => {
    const done = await sotto([...node(at).arguments, ...args], { script: REAL })
    return { ...done, json: () => JSON.parse(done.out) as unknown }
  }
  const works = async (at: number, ...args: string[]) => {
    const done = await run(at, ...args, "--json")
    assert.equal(done.exit, 0, done.err)
    return done.json()
  }
  const keyOf = async (at: number) =>
    ((await works(at, "validators", "key")) as { key: string }).key
  const setAt = async (at: number): Promise<readonly ValidatorView[]> =>
    (await (await node(at).api()).call("validators.list", {})).validators

  before(async () => {
    cluster = await startCluster({
      nodes: 5,
      validators: 1,
      directory,
      identities: [null, "alice", null, null, "bob"],
    })
    await cluster.meshed()
    await befriend(node(ALICE), node(BOB))
  })
  after(async () => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The set that every node has followed to. */
  async function agreedSet(
    size: number,
    but: (set: readonly ValidatorView[]) => boolean = () => true,
  ) {
    for (const { at } of cluster.nodes) {
      if (!node(at).running) continue
      await until(
        await node(at).api(),
        () => setAt(at),
        (set) =>
          set.length === size && set.every(({ standing }) => standing === "in force") && but(set),
        { timeoutMs: 90_000 },
      )
    }
  }

  /** Alice's texts reach bob, are proven to, and have their place in the order. */
  async function talk(what: string): Promise<void> {
    const api = await node(ALICE).api()
    const texts = [1, 2, 3].map((n) => `${what} ${n}`)
    for (const text of texts) await api.call("messages.send", { to: "bob", text })
    await until(
      api,
      async () => (await history(api, "bob")).filter(({ text }) => texts.includes(text)),
      (seen) => seen.length === 3 && seen.every(({ state }) => state === "delivered"),
      { timeoutMs: 60_000 },
    )
    for (const at of [ALICE, BOB])
      await until(
        await node(at).api(),
        async () => (await node(at).status()).ledger,
        (ledger) => ledger?.waiting === 0,
        { timeoutMs: 60_000 },
      )
  }

  it("one becomes four: the only operator's word is enough, and an idle mesh gets there", async () => {
    const keys = await Promise.all([1, 2, 3].map(keyOf))
    const file = join(directory, "third.key")
    writeFileSync(file, `${keys[2]}\n`)
    const { proposal } = (await works(0, "validators", "add", keys[0]!, keys[1]!, file)) as {
      proposal: ProposalView
    }
    assert.equal(proposal.add.length, 3)
    assert.deepEqual([proposal.approvals.length, proposal.needed], [1, 1])
    await agreedSet(4)
    for (const at of [0, 1, 2, 3])
      await until(
        await node(at).api(),
        async () => (await node(at).status()).ledger,
        (ledger) => ledger?.role === "validating" && ledger.linked === 3,
        { timeoutMs: 60_000 },
      )
    assert.equal((await node(BOB).status()).ledger?.role, "following")
    await talk("with four")
  })

  it("tells who is no operator, and what is no key or no proposal", async () => {
    const key = await keyOf(BOB)
    const refused = async (exit: number, code: string, ...args: [number, ...string[]]) => {
      const done = await run(...args, "--json")
      assert.equal(done.exit, exit, `${done.out}${done.err}`)
      assert.match(done.err, new RegExp(code))
    }
    await refused(7, "NOT_OPERATOR", BOB, "validators", "add", key)
    await refused(2, "BAD_PARAMS", 0, "validators", "add", "sotto-validator1nonsense")
    await refused(2, "NO_FILE", 0, "validators", "add", join(directory, "nowhere"))
    await refused(4, "UNKNOWN_VALIDATOR", 0, "validators", "remove", "0123456789abcdef")
    await refused(4, "UNKNOWN_PROPOSAL", 0, "validators", "approve", "00000000")
    await refused(9, "CHANGE_REFUSED", 0, "validators", "add", await keyOf(2))
    const second = (await setAt(2)).find(({ own }) => own)!.key.slice(0, 12)
    const itself = ["validators", "add", await keyOf(2), "--replace", second] as const
    await refused(2, "cannot join and leave by one change", 0, ...itself)
  })

  it("one takes another's place once a quorum has approved it, and not before", async () => {
    const leaving = (await setAt(3)).find(({ own }) => own)!.key
    const joining = await keyOf(BOB)
    const args = ["validators", "add", joining, "--replace", leaving.slice(0, 12)]
    const { proposal } = (await works(0, ...args)) as { proposal: ProposalView }
    assert.deepEqual([proposal.approvals.length, proposal.needed], [1, 3])
    const open = async (at: number) =>
      (await (await node(at).api()).call("proposals.list", {})).proposals
    for (const at of [1, 2])
      await until(
        await node(at).api(),
        () => open(at),
        ([first]) => first?.id === proposal.id && first.add[0]?.proved === true,
        { timeoutMs: 60_000 },
      )
    const listed = await run(1, "validators", "proposals")
    assert.match(listed.out, /approvals: 1 of 3/)
    // A change that does not go together with it: whichever is complete first comes, and the other one lapses.
    const without = (await setAt(2)).find(({ own }) => own)!.key.slice(0, 12)
    const rival = await run(2, "validators", "remove", without)
    assert.equal(rival.exit, 0, rival.err)
    assert.match(rival.out, /afterwards: 3 validators, none of which may be faulty/)
    assert.match(rival.out, new RegExp(`beside ${proposal.id.slice(0, 12)}: one of them comes`))
    await works(1, "validators", "approve", proposal.id.slice(0, 12))
    await talk("while operators think")
    assert.ok(
      (await setAt(0)).every(({ standing }) => standing === "in force"),
      "two are too few",
    )
    await works(2, "validators", "approve", proposal.id.slice(0, 12))
    await agreedSet(4, (set) => !set.some(({ key }) => key === leaving))
    await until(
      await node(BOB).api(),
      async () => (await node(BOB).status()).ledger,
      (ledger) => ledger?.role === "validating" && ledger.linked !== null && ledger.linked >= 2,
      { timeoutMs: 60_000 },
    )
    await talk("with another")
    await until(
      await node(3).api(),
      async () => (await node(3).status()).ledger,
      (ledger) => ledger?.role === "following",
      { timeoutMs: 60_000 },
    )
    assert.deepEqual(await open(0), [])
  })

  it("the new set bears the loss of one, and comes back from a restart as it is", async () => {
    await node(0).kill9()
    await talk("without the founder")
    await node(0).start()
    await node(3).stop()
    await node(3).start()
    await agreedSet(4)
    for (const at of [0, BOB])
      await until(
        await node(at).api(),
        async () => (await node(at).status()).ledger,
        (ledger) => ledger?.role === "validating",
        { timeoutMs: 60_000 },
      )
    assert.equal((await node(3).status()).ledger?.role, "following")
    const verified = await run(BOB, "ledger", "verify", "--json")
    assert.equal(verified.exit, 0, verified.err)
  })
})
