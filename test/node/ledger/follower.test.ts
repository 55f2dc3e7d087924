/** Following the ledger among peers that lie: nothing is believed without its certificate, a liar loses its standing, and no more. */
import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { encodeBlockRecord } from "../../../src/consensus/codec.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import type { BlockRecord, Certificate } from "../../../src/consensus/types.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { LedgerChain } from "../../../src/node/ledger/chain.ts"
import {
  AHEAD_BLOCKS_MIN,
  type FollowerParts,
  LedgerFollower,
} from "../../../src/node/ledger/follower.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { StreamError } from "../../../src/node/transport/streams.ts"
import { SyncError } from "../../../src/node/mailbox/sync-round.ts"
import { type Bench, bench, certify, hash, sign, work } from "../../consensus/parts.ts"
import { until } from "../../helpers/wait.ts"

const parts = bench(4, "fast", 8)
const { rules } = parts

function chainOf(length: number, name = "envelope", at: Bench = parts): BlockRecord[] {
  const ledger = new Ledger(at.rules)
  return Array.from({ length }, (_, n) => certify(at, ledger, [work(`${name} ${n}`)]))
}

/** A follower with an empty chain; `answers` says what each peer has above a height. */
async function follower(
  t: TestContext,
  answers: Record<string, (after: number) => readonly Bytes[] | Promise<readonly Bytes[]>>,
  more: Partial<FollowerParts> = {},
) {
  const store = await openMemoryStore()
  const chain = await LedgerChain.open(store)
  const { ledger } = await chain.replay(rules)
  const asked: string[] = []
  const liars: string[] = []
  const faults: unknown[] = []
  const taken: number[] = []
  /** Heights at which it was said that there is nothing later. */
  const newest: number[] = []
  const one = new LedgerFollower({
    ledger,
    chain,
    scheme: parts.ring.scheme,
    checks: { prove: () => Promise.resolve() },
    peers: () => Object.keys(answers),
    ask: async (peer, after) => {
      asked.push(peer)
      assert(asked.length < 200, "asked without an end")
      return (await answers[peer]?.(after)) ?? []
    },
    lied: (peer) => liars.push(peer),
    waits: () => false,
    onBlock: ({ height }) => taken.push(height),
    onNewest: () => newest.push(chain.height),
    note: () => undefined,
    onFault: (error) => faults.push(error),
    ...more,
  })
  t.after(() => one.stop())
  const idle = async (peer: string, times = 1) => {
    const before = asked.length
    one.catchUp(peer)
    await until("the peer to be asked", () => asked.length >= before + times)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return { one, store, chain, asked, liars, faults, taken, newest, idle }
}

const blocksOf = (records: readonly BlockRecord[]) => (after: number) =>
  records.filter(({ height }) => height > after).map(encodeBlockRecord)

/** A block with another certificate. */
const withCertificate = (block: BlockRecord, change: Partial<Certificate>): BlockRecord => ({
  ...block,
  certificate: { ...block.certificate, ...change },
})

/** Every kind of block that is none, each in the place of the first. */
function forgeries(): Record<string, BlockRecord> {
  const [first] = chainOf(1)
  const block = first!
  const { signatures } = block.certificate
  const [a, b, c] = signatures
  const set = new Ledger(rules).set
  const stranger = parts.ring.holder(11)
  const vote = {
    type: "commit",
    term: 0,
    view: 0,
    height: 1,
    digest: block.certificate.digest,
  } as const
  const other = chainOf(1, "elsewhere", {
    ...parts,
    rules: { ...rules, meshId: hash("another mesh") },
  })[0]!
  return {
    "no signature at all": withCertificate(block, { signatures: [] }),
    "two of four": withCertificate(block, { signatures: [a!, b!] }),
    "one bad of three": withCertificate(block, {
      signatures: [a!, b!, { ...c!, signature: hash("no signature") }],
    }),
    "one bad besides a quorum": withCertificate(block, {
      signatures: [...signatures.slice(0, 3), { ...signatures[3]!, signature: hash("none") }],
    }),
    "a signer that is none": withCertificate(block, {
      signatures: [a!, b!, { signer: 7, signature: stranger.sign(hash("x")) }],
    }),
    "another's signature in a validator's place": withCertificate(block, {
      signatures: [a!, b!, { signer: c!.signer, signature: a!.signature }],
    }),
    "another term": withCertificate(block, { term: 1 }),
    "another view than was signed": withCertificate(block, { view: 1 }),
    "a checkpoint for a commit": withCertificate(block, { type: "checkpoint" }),
    "a certificate of another block": withCertificate(block, {
      signatures: [0, 1, 2].map((signer) => ({
        signer,
        signature: sign(parts, set, { ...vote, digest: hash("another"), signer }).signature,
      })),
    }),
    "another state": { ...block, stateRoot: hash("another state") },
    "another parent": { ...block, parent: hash("another parent") },
    "a block of another mesh": other,
  }
}

describe("a follower among liars", () => {
  for (const [what, forged] of Object.entries(forgeries())) {
    it(`believes no answer with ${what}, and no gossip`, async (t) => {
      const at = await follower(t, { liar: () => [encodeBlockRecord(forged)] })
      await at.idle("liar")
      await until("its standing to be lost", () => at.liars.length === 1)
      const verdict = await at.one.judge(forged, "liar")
      assert.equal(verdict.verdict, "reject")
      assert.deepEqual([at.chain.height, at.taken, at.faults], [0, [], []])
      assert.equal(at.asked.length, 1, "and is not asked on")
    })
  }

  it("believes nothing that does not decode: garbage, a signer twice, signers out of order", async (t) => {
    const [first] = chainOf(1)
    const { signatures } = first!.certificate
    const [a, b, c] = signatures
    const undecodable = (order: readonly (typeof a)[]) => {
      // written by hand, as the encoder of an honest peer may refuse to
      try {
        return encodeBlockRecord(
          withCertificate(first!, { signatures: order.map((each) => each!) }),
        )
      } catch {
        return new Uint8Array(9)
      }
    }
    const lies = [
      new Uint8Array(0),
      new Uint8Array(3000).fill(255),
      encodeBlockRecord(first!).slice(0, -1),
      new Uint8Array([...encodeBlockRecord(first!), 0]),
      undecodable([a, a, b]),
      undecodable([b, a, c]),
    ]
    for (const lie of lies) {
      const at = await follower(t, { liar: () => [lie] })
      await at.idle("liar")
      await until("its standing to be lost", () => at.liars.length === 1)
      assert.deepEqual([at.chain.height, at.faults], [0, []])
    }
  })

  it("keeps what was good before the lie, and goes on with another peer", async (t) => {
    const chain = chainOf(12)
    const spoilt = chain.map((block) =>
      block.height === 5 ? withCertificate(block, { signatures: [] }) : block,
    )
    const at = await follower(t, { liar: blocksOf(spoilt), honest: blocksOf(chain) })
    await at.idle("liar")
    await until("the lie to be met", () => at.liars.length === 1)
    assert.equal(at.chain.height, 4)
    await at.idle("honest")
    await until("the rest", () => at.chain.height === 12)
    assert.deepEqual(at.liars, ["liar"])
    assert.deepEqual(
      at.taken,
      chain.map(({ height }) => height),
    )
  })

  it("reads a long chain an answer ahead of what it takes, and takes each block once", async (t) => {
    const chain = chainOf(5 * AHEAD_BLOCKS_MIN + 3)
    const page = (after: number) => blocksOf(chain)(after).slice(0, 2 * AHEAD_BLOCKS_MIN)
    const asked: { readonly after: number; readonly height: number }[] = []
    const at = await follower(t, {
      honest: (after) => {
        asked.push({ after, height: at.chain.height })
        return page(after)
      },
    })
    await at.idle("honest")
    await until("all of it", () => at.newest.length === 1)
    assert.deepEqual(
      at.taken,
      chain.map(({ height }) => height),
    )
    assert(asked.some(({ after, height }) => after > height))
    assert.deepEqual([at.newest, at.liars, at.faults], [[chain.length], [], []])
    assert.deepEqual(
      asked.map(({ after }) => after),
      [0, 32, 64, 83],
    )
  })

  it("keeps what was good before a lie that it read ahead, or before the peer left", async (t) => {
    const chain = chainOf(3 * AHEAD_BLOCKS_MIN)
    const good = AHEAD_BLOCKS_MIN
    const first = blocksOf(chain)(0).slice(0, good)
    const lies = [
      () => [new Uint8Array(9)],
      () => [encodeBlockRecord(withCertificate(chain[good]!, { signatures: [] }))],
    ]
    for (const lie of lies) {
      const at = await follower(t, { liar: (after) => (after === 0 ? first : lie()) })
      await at.idle("liar")
      await until("the lie to be met", () => at.liars.length === 1)
      assert.deepEqual([at.chain.height, at.faults], [good, []])
    }
    const gone = () => Promise.reject(new StreamError("GONE", "gone"))
    const at = await follower(t, {
      leaving: (after) => (after === 0 ? first : gone()),
      honest: blocksOf(chain),
    })
    await at.idle("leaving", 2)
    await until("what it brought", () => at.chain.height === good)
    await at.idle("honest")
    await until("the rest", () => at.chain.height === chain.length)
    assert.deepEqual([at.liars, at.faults], [[], []])
  })

  it("asks again from where it stands when an answer leads elsewhere", async (t) => {
    const chain = chainOf(2 * AHEAD_BLOCKS_MIN)
    const asked: number[] = []
    const far = { ...chain[0]!, height: 2 ** 40 }
    const at = await follower(t, {
      odd: (after) => {
        asked.push(after)
        const page = blocksOf(chain)(after).slice(0, AHEAD_BLOCKS_MIN)
        return after === 0 ? [...page, encodeBlockRecord(far)] : page
      },
    })
    await at.idle("odd")
    await until("all of it", () => at.newest.length === 1)
    assert.equal(at.chain.height, chain.length)
    assert.deepEqual(asked.slice(0, 3), [0, 2 ** 40, AHEAD_BLOCKS_MIN])
  })

  it("asks nobody for ever who has nothing, or only what is known already", async (t) => {
    const chain = chainOf(3)
    const at = await follower(t, {
      empty: () => [],
      stale: () => chain.map(encodeBlockRecord),
      ahead: () => chainOf(9).slice(6).map(encodeBlockRecord),
    })
    for (let n = 0; n < 5; n++) await at.idle("empty")
    assert.equal(at.asked.length, 5, "once each time")
    await at.idle("stale", 2)
    assert.equal(at.chain.height, 3)
    await at.idle("stale")
    await at.idle("ahead")
    assert.equal(at.asked.length, 9)
    assert.deepEqual([at.chain.height, at.liars], [3, []])
  })

  it("says once when somebody had nothing later, and that it is so until a later block is shown", async (t) => {
    const chain = chainOf(3)
    const at = await follower(t, {
      full: blocksOf(chain),
      boaster: () => chain.map(encodeBlockRecord),
    })
    assert.equal(at.one.isNewest, false, "nobody was asked")
    await at.idle("full", 2)
    assert.deepEqual([at.chain.height, at.newest, at.one.isNewest], [3, [3], true])
    await at.idle("full")
    assert.deepEqual(at.newest, [3])
    const waiting = at.one.judge(chainOf(5)[4]!, "boaster")
    assert.equal(at.one.isNewest, false)
    await waiting
    await until("the height to be forgotten", () => at.one.isNewest)
  })

  it("believes no height that nobody shows: who spoke of it is asked, and then it is forgotten", async (t) => {
    const at = await follower(t, { boaster: () => [] })
    const ofALaterTerm = chainOf(12)[11]!
    const verdict = await at.one.judge(ofALaterTerm, "boaster")
    assert.deepEqual(verdict, { verdict: "ignore", code: "OTHER_TERM" })
    await until("the boaster to be asked", () => at.asked.length === 1)
    await until("the height to be forgotten", () => at.one.announced === 0)
    assert.equal(at.chain.height, 0)
  })

  it("bears peers that go, refuse, or are of another mesh", async (t) => {
    const at = await follower(t, {
      gone: () => Promise.reject(new StreamError("GONE", "gone")),
      other: () => Promise.reject(new SyncError("OTHER_MESH", "another mesh")),
      liar: () => Promise.reject(new SyncError("SYNC_LIED", "a reply that is none")),
    })
    for (const peer of ["gone", "other", "liar"]) await at.idle(peer)
    assert.deepEqual([at.liars, at.faults], [["liar"], []])
  })

  it("stops at two orders, blames nobody who shows them, and says so", async (t) => {
    const others = chainOf(6, "others")
    const at = await follower(t, { first: blocksOf(chainOf(3)), second: blocksOf(others) })
    await at.idle("first", 2)
    assert.equal(at.one.problem, null)
    // what stands on its third block is certified, and is not on ours
    const verdict = await at.one.judge(others[3]!, "second")
    assert.deepEqual(verdict, { verdict: "ignore", code: "TWO_CERTIFICATES" })
    await at.idle("second")
    assert.deepEqual(at.one.problem, { code: "FORKED", detail: "at height 3" })
    assert.equal(at.one.role, "halted")
    assert.deepEqual([at.chain.height, at.liars], [3, []])
  })

  it("whose disk fails leaves no hole in its chain, says so, and goes on when there is room", async (t) => {
    const chain = chainOf(6)
    const at = await follower(t, { honest: blocksOf(chain) })
    const batch = at.store.batch.bind(at.store)
    await at.one.judge(chain[0]!, "honest")
    at.store.batch = () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }))
    assert.deepEqual(await at.one.judge(chain[1]!, "honest"), {
      verdict: "ignore",
      code: "NOT_STORED",
    })
    assert.deepEqual(at.one.problem, { code: "STOPPED", detail: "DISK_FULL" })
    assert.equal((await at.one.judge(chain[2]!, "honest")).verdict, "ignore")
    assert.deepEqual([at.chain.height, at.taken, at.liars], [1, [1], []])
    assert.equal(at.faults.length, 2)
    at.store.batch = batch
    assert.equal((await at.one.judge(chain[2]!, "honest")).verdict, "accept")
    assert.equal(at.one.problem, null)
    assert.deepEqual(at.taken, [1, 2, 3])
    const again = await LedgerChain.open(at.store)
    assert.equal((await again.replay(rules)).ledger.height, 3)
  })
})
