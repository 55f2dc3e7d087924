/**
 * Two people chat as members: what they say is let in by membership proofs at every peer on the way, and real validators give it an order.
 * Periods are as short as a genesis allows, so that joining counts after seconds.
 */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import type { EnvelopeItem } from "../../src/consensus/types.ts"
import { decodeGenesis, meshIdOf } from "../../src/crypto/genesis.ts"
import { MEMBERSHIP_KIND } from "../../src/crypto/membership/admission.ts"
import { LedgerChain } from "../../src/node/ledger/chain.ts"
import { ledgerRules } from "../../src/node/ledger/rules.ts"
import { storedGenesis } from "../../src/node/mesh/genesis.ts"
import { Shelf } from "../../src/node/mailbox/shelf.ts"
import { openStore } from "../../src/node/store/store.ts"
import {
  type Cluster,
  type ClusterNode,
  nodeOf,
  startCluster,
} from "../../scripts/testnet/cluster.ts"
import { befriend, history, until } from "./mesh.ts"

/** Work of so many bits is dearer than waiting for a proof, and still done in well under a second. */
const POW_BITS = 19
const PERIOD_SECONDS = 5
/** Said once both are members, half of them by each. */
const TEXTS = 2

describe("e2e: a chat by membership proof", () => {
  const directory = mkdtempSync(join(tmpdir(), "sotto-proofs-"))
  let cluster: Cluster
  const node = (at: number): ClusterNode => nodeOf(cluster, at)

  before(async () => {
    cluster = await startCluster({
      nodes: 4,
      validators: 2,
      directory,
      identities: [null, null, "alice", "bob"],
      founding: { powBits: POW_BITS, periodSeconds: PERIOD_SECONDS },
    })
    await cluster.meshed()
  })
  after(async () => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Sends one text and waits for its receipt. */
  async function say(from: ClusterNode, to: string, text: string): Promise<void> {
    const api = await from.api()
    const { message } = await api.call("messages.send", { to, text })
    const look = async () => (await history(api, to)).find(({ id }) => id === message.id)
    await until(api, look, (seen) => seen?.state === "delivered", { timeoutMs: 30_000 })
  }

  async function becomeMember(at: number, ticket: string): Promise<void> {
    const { own } = await (await node(at).api()).call("members.join", { ticket })
    assert.notEqual(own.state, "none")
  }

  const stateOf = async (at: number) =>
    (await (await node(at).api()).call("members.list", {})).own.state

  /** Everything that was said is in order everywhere; how far that goes. */
  async function settledHeight(): Promise<number> {
    const heights = []
    for (const each of cluster.nodes) {
      const api = await each.api()
      const look = async () => (await api.call("status", {})).ledger
      const settled = await until(api, look, (ledger) => ledger?.waiting === 0)
      heights.push(settled?.height ?? 0)
    }
    return Math.max(...heights)
  }

  it("counts two periods after joining, and then lets everything in by proof, in the order of the validators", async (t) => {
    const { tickets } = await (await node(0).api()).call("mesh.invite", { count: 2 })
    await Promise.all([
      befriend(node(2), node(3)),
      ...tickets.map(({ ticket }, i) => becomeMember(2 + i, ticket)),
    ])
    // periods move on beside traffic only
    let said = 0
    while ((await stateOf(2)) !== "member" || (await stateOf(3)) !== "member") {
      await say(node(2), "bob", `by work ${said}`)
      assert.ok(++said < 200, "they never became members")
    }
    const from = await settledHeight()
    for (let i = 0; i < TEXTS / 2; i++) {
      await say(node(2), "bob", `by proof ${i}`)
      await say(node(3), "alice", `and back ${i}`)
    }
    const to = await settledHeight()
    await cluster.stop()
    for (const each of cluster.nodes) {
      const { proven, worked, periods } = await orderedAt(each, from, to)
      t.diagnostic(`node ${each.at + 1}: ${proven} by proof, ${worked} by work, period ${periods}`)
      // each text, and its receipt
      assert.ok(proven >= 2 * TEXTS, `${proven} by proof`)
      assert.equal(worked, 0)
    }
  })

  /** What a peer's chain holds above `from`, read from its disk: the envelopes let in by proof and by work. */
  async function orderedAt({ dataDir }: ClusterNode, from: number, to: number) {
    const store = await openStore(join(dataDir, "store"))
    try {
      const genesis = await storedGenesis(store)
      assert.ok(genesis)
      const mesh = { genesis: decodeGenesis(genesis.slice()), meshId: meshIdOf(genesis) }
      assert.equal(mesh.genesis.periodSeconds, PERIOD_SECONDS)
      const chain = await LedgerChain.open(store)
      assert.ok(chain.height >= to, "it has the whole order")
      const items: EnvelopeItem[] = []
      for await (const { batch } of chain.records(from))
        items.push(...batch.items.filter((item) => item.type === "envelope"))
      const byProof = items.filter(({ root }) => root !== undefined)
      // the newest is there as it was posted; earlier ones may have lost their proof with their period
      const shelf = await Shelf.open(store, {}, () => undefined)
      const [newest] = await shelf.getMany(byProof.slice(-1).map(({ id }) => id))
      assert.equal(newest?.[0], MEMBERSHIP_KIND)
      const { ledger } = await chain.replay(ledgerRules(mesh))
      return {
        proven: byProof.length,
        worked: items.length - byProof.length,
        periods: ledger.now.period,
      }
    } finally {
      await store.close()
    }
  }
})
