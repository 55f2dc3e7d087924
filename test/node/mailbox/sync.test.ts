import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { primitives } from "#primitives"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { envelopeId } from "../../../src/crypto/envelope.ts"
import type { SyncProgress } from "../../../src/node/api/types.ts"
import { Cursors, CURSORS_MAX } from "../../../src/node/mailbox/cursors.ts"
import { fetchGenesis, keepGenesis, storedGenesis } from "../../../src/node/mesh/genesis.ts"
import { openMemoryStore, type Store } from "../../../src/node/store/store.ts"
import {
  encodeEnvelopes,
  encodeGenesisReply,
  encodePage,
  encodeRefusal,
  PAGE_IDS_MAX,
  type SyncRequest,
} from "../../../src/node/mailbox/sync-messages.ts"
import { paidEnvelope, paidEnvelopes, testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"
import { type Answer, fakeSyncPeer } from "../../helpers/fake-sync-peer.ts"
import { testPeer, type TestPeer } from "../../helpers/peers.ts"
import { until } from "../../helpers/wait.ts"

const mesh = testMesh()

const postAll = (peer: TestPeer, envelopes: readonly Bytes[]) =>
  Promise.all(envelopes.map((envelope) => peer.post(envelope)))
const has = (peer: TestPeer, envelopes: readonly Bytes[]) =>
  envelopes.every((envelope) => peer.mailbox.knows(envelopeId(envelope)))

/** An honest peer's answers: one store that holds these. */
function holding(envelopes: readonly Bytes[], storeId = primitives.randomBytes(16)): Answer {
  const byId = new Map(envelopes.map((envelope) => [toHex(envelopeId(envelope)), envelope]))
  return (request) => {
    if (request.kind === "fetch")
      return encodeEnvelopes(request.ids.map((id) => byId.get(toHex(id))))
    assert(request.kind === "ids")
    const known = toHex(request.cursor.storeId) === toHex(storeId)
    const rest = envelopes.slice(known ? request.cursor.after : 0)
    const last = envelopes.length
    return encodePage({ storeId, last, next: last, ids: rest.map(envelopeId) })
  }
}

/** A store that outlives the peer that uses it. */
async function lasting(t: { after: (end: () => Promise<void>) => void }): Promise<Store> {
  const store = await openMemoryStore()
  t.after(() => store.close())
  return store
}

describe("a peer that was away", () => {
  test("gets what it missed, hears how far it is, and the others learn what it took", async (t) => {
    const served: string[] = []
    const home = await testPeer(t, mesh, {
      onServed: (ids) => served.push(...ids.map(toHex)),
    })
    const envelopes = paidEnvelopes(mesh, 300)
    await postAll(home, envelopes)
    const progress: SyncProgress[] = []
    const back = await testPeer(t, mesh, {
      bootstrap: home.addresses(),
      onProgress: (p) => progress.push(p),
    })
    await until("it has everything", () => has(back, envelopes))
    await until("it is done", () => back.sync().state === "idle")
    assert.deepEqual(progress.at(-1), { state: "idle", done: 0, total: 0 })
    const running = progress.filter(({ state }) => state === "syncing")
    assert.deepEqual(running.at(-1), { state: "syncing", done: 300, total: 300 })
    assert(
      running.every(({ done, total }) => done <= total),
      "never more done than there is",
    )
    const ids = envelopes.map((envelope) => toHex(envelopeId(envelope)))
    assert.deepEqual([...served].sort(), [...ids].sort(), "each was served once")
  })

  test("reads on where it was, also after a restart", async (t) => {
    const envelopes = paidEnvelopes(mesh, 3)
    const storeId = primitives.randomBytes(16)
    const source = await fakeSyncPeer(t, mesh, holding(envelopes, storeId))
    const store = await lasting(t)
    const first = await testPeer(t, mesh, { store, bootstrap: source.addresses() })
    await until("it has everything", () => has(first, envelopes))
    await until("it is done", () => first.sync().state === "idle")
    await first.stop()
    const asked = source.requests.length
    await testPeer(t, mesh, { store, bootstrap: source.addresses() })
    await until("it asked again", () => source.requests.length > asked)
    const again = source.requests[asked]
    assert(again?.kind === "ids")
    assert.deepEqual(again.cursor, { storeId, after: 3 })
  })

  test("reads another store of the same peer from its beginning", async (t) => {
    const [before, later] = [paidEnvelopes(mesh, 2), paidEnvelopes(mesh, 2)]
    let answer = holding(before)
    const source = await fakeSyncPeer(t, mesh, (request, signal) => answer(request, signal))
    const peer = await testPeer(t, mesh, { bootstrap: source.addresses() })
    await until("the first store is read", () => has(peer, before))
    answer = holding(later)
    peer.catchUp()
    await until("the second store is read", () => has(peer, later))
  })

  test("more than a page: asks page after page", async (t) => {
    const home = await testPeer(t, mesh)
    const envelopes = paidEnvelopes(mesh, PAGE_IDS_MAX + 100)
    await Promise.all(envelopes.map((envelope) => home.mailbox.admit(envelope, { from: "local" })))
    const back = await testPeer(t, mesh, { bootstrap: home.addresses() })
    await until("it has everything", () => back.mailbox.count === envelopes.length)
  })

  test("one that keeps less asks for the newest only, and never brings back what it dropped", async (t) => {
    const home = await testPeer(t, mesh)
    const envelopes = paidEnvelopes(mesh, 200)
    for (const envelope of envelopes) await home.mailbox.admit(envelope, { from: "local" })
    const small = await testPeer(t, mesh, { bootstrap: home.addresses(), envelopesMax: 50 })
    await until("it has the newest", () => has(small, envelopes.slice(150)))
    assert(!has(small, envelopes.slice(0, 100)), "the oldest were not even asked for")
    const seq = small.mailbox.lastSeq
    small.catchUp()
    await until("it looked again", () => small.sync().state === "idle")
    assert.equal(small.mailbox.lastSeq, seq)
  })
})

describe("what came by sync", () => {
  test("is told on, to peers that neither gossip nor their own looking around would have reached", async (t) => {
    const envelopes = paidEnvelopes(mesh, 50)
    // it has no address, so nobody can be introduced to it
    const far = await fakeSyncPeer(t, mesh, holding(envelopes), { listen: [] })
    const middle = await testPeer(t, mesh)
    const near = await testPeer(t, mesh, { bootstrap: middle.addresses() })
    await until("near has read the middle", () => near.peers().length === 1)
    await until("and is done", () => near.sync().state === "idle")
    await far.transport.dial(middle.addresses(), AbortSignal.timeout(10_000))
    await until("near has what only far had", () => has(near, envelopes))
  })
})

describe("hostile peers", () => {
  const storeId = primitives.randomBytes(16)
  const randomIds = (count: number) =>
    Array.from({ length: count }, () => primitives.randomBytes(32))
  const page = (ids: readonly Bytes[], after = 0) =>
    encodePage({ storeId, last: after + ids.length, next: after + ids.length, ids })
  const honestPage = (envelopes: readonly Bytes[]): Answer => {
    const ids = envelopes.map(envelopeId)
    return (request) => (request.kind === "ids" ? page(ids) : encodeEnvelopes([...envelopes]))
  }
  const unpaid = unpaidEnvelope()
  const good = paidEnvelope(mesh)
  const hangs = (_: SyncRequest, signal: AbortSignal) =>
    new Promise<Bytes>((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(new Error("over")), { once: true }),
    )

  /** What it answers, and whether it is caught lying (hung up and left alone) or merely useless. */
  const liars: Record<string, { answer: Answer; caught: boolean }> = {
    "hangs up on every question": {
      answer: () => {
        throw new Error("no")
      },
      caught: false,
    },
    "never answers": { answer: hangs, caught: false },
    "answers junk": { answer: () => primitives.randomBytes(100), caught: true },
    "answers nothing at all": { answer: () => new Uint8Array(0), caught: true },
    "answers with more than agreed": { answer: () => new Uint8Array(2 ** 20), caught: false },
    "is of another mesh": { answer: () => encodeRefusal("OTHER_MESH"), caught: true },
    "sends an envelope nobody paid for": { answer: honestPage([unpaid]), caught: true },
    "sends another envelope under an id": {
      answer: (request) =>
        request.kind === "ids" ? page([envelopeId(unpaid)]) : encodeEnvelopes([good]),
      caught: true,
    },
    "sends fewer than asked": {
      answer: (request) => (request.kind === "ids" ? page(randomIds(5)) : encodeEnvelopes([])),
      caught: true,
    },
    "offers without end and delivers nothing": {
      answer: (request) =>
        request.kind === "ids"
          ? encodePage({
              storeId,
              last: 2 ** 50,
              next: request.cursor.after + PAGE_IDS_MAX,
              ids: randomIds(PAGE_IDS_MAX),
            })
          : encodeEnvelopes((request.kind === "fetch" ? request.ids : []).map(() => undefined)),
      caught: true,
    },
    "counts more ids than numbers": {
      answer: () => encodePage({ storeId, last: 9, next: 1, ids: randomIds(3) }),
      caught: true,
    },
    "is ahead of itself": {
      answer: () => encodePage({ storeId, last: 1, next: 9, ids: [] }),
      caught: true,
    },
  }

  for (const [what, { answer, caught }] of Object.entries(liars))
    test(`one that ${what} costs time only`, async (t) => {
      const liar = await fakeSyncPeer(t, mesh, answer, { all: what === "is of another mesh" })
      const honest = await testPeer(t, mesh)
      const envelopes = paidEnvelopes(mesh, 20)
      await postAll(honest, envelopes)
      const victim = await testPeer(t, mesh, {
        bootstrap: [...liar.addresses(), ...honest.addresses()],
      })
      await until("what the honest one has arrived", () => has(victim, envelopes))
      await until("the liar was asked", () => liar.requests.length > 0)
      await until("nothing is under way", () => victim.sync().state === "idle")
      assert.equal(victim.mailbox.count, envelopes.length, "nothing of the liar's was kept")
      if (caught)
        await until("the liar was hung up", () =>
          victim.peers().every(({ peerId }) => peerId !== liar.id),
        )
    })

  test("one that is caught lying is left alone, even when it calls", async (t) => {
    const victim = await testPeer(t, mesh)
    const liar = await fakeSyncPeer(t, mesh, () => primitives.randomBytes(9))
    const call = () => liar.transport.dial(victim.addresses(), AbortSignal.timeout(10_000))
    await call()
    await until("it was hung up", () => liar.transport.links().length === 0)
    const asked = liar.requests.length
    await call()
    await until("it was hung up again", () => liar.transport.links().length === 0)
    assert.equal(liar.requests.length, asked, "without a question")
  })
})

describe("the genesis", () => {
  test("is fetched by its hash, from the first peer that has it", async (t) => {
    const peer = await testPeer(t, mesh)
    const other = await testPeer(t, testMesh("another"))
    const liar = await fakeSyncPeer(t, mesh, () => encodeGenesisReply(testMesh().genesis))
    const nobody = "/ip4/127.0.0.1/tcp/9"
    const addresses = [nobody, ...other.addresses(), ...liar.addresses(), ...peer.addresses()]
    assert.deepEqual(await fetchGenesis({ meshId: mesh.meshId, addresses }), mesh.genesis)
  })

  test("NO_GENESIS when nobody has one that hashes to it", async (t) => {
    const liar = await fakeSyncPeer(t, mesh, () => encodeGenesisReply(testMesh().genesis))
    const addresses = liar.addresses()
    await assert.rejects(fetchGenesis({ meshId: mesh.meshId, addresses }), { code: "NO_GENESIS" })
    await assert.rejects(fetchGenesis({ meshId: mesh.meshId, addresses: ["no address"] }), {
      code: "NO_GENESIS",
    })
  })

  test("makes a store one mesh's for good", async (t) => {
    const store = await lasting(t)
    assert.equal(await storedGenesis(store), undefined)
    await keepGenesis(store, mesh.genesis)
    await keepGenesis(store, mesh.genesis)
    assert.deepEqual(await storedGenesis(store), mesh.genesis)
    await assert.rejects(keepGenesis(store, testMesh().genesis), { code: "OTHER_MESH" })
    await assert.rejects(keepGenesis(await lasting(t), utf8Junk), { code: "BAD_VERSION" })
  })
  const utf8Junk = new Uint8Array([9, 9, 9])
})

describe("cursors", () => {
  test("are kept for the peers read last", async (t) => {
    const store = await lasting(t)
    const cursors = await Cursors.open(store)
    const storeId = primitives.randomBytes(16)
    for (let i = 0; i < CURSORS_MAX; i++) await cursors.set(`peer ${i}`, { storeId, after: i + 1 })
    // used again, so no longer the oldest
    await cursors.set("peer 0", { storeId, after: 1 })
    await cursors.set("one more", { storeId, after: 7 })
    const again = await Cursors.open(store)
    assert.equal(again.get("one more").after, 7)
    assert.equal(again.get("peer 0").after, 1)
    assert.equal(again.get("peer 1").after, 0, "the one not read for longest is forgotten")
  })

  test("a damaged one reads as none", async (t) => {
    const store = await lasting(t)
    await (await Cursors.open(store)).set("p", { storeId: primitives.randomBytes(16), after: 5 })
    for await (const [key] of store.range("mesh"))
      await store.batch([{ table: "mesh", key, value: new Uint8Array(3) }])
    assert.equal((await Cursors.open(store)).get("p").after, 0)
  })
})
