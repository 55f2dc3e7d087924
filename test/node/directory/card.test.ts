/**
 * A card's record is small and is shown by Kademlia; the card itself comes from the peers that keep the record. What those peers can do:
 * have nothing, hand out something else, say nothing at all. It costs time and never gives a wrong card.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { primitives } from "#primitives"
import { type Bytes, concat, equal, utf8 } from "../../../src/crypto/bytes.ts"
import { CARD_BLOB_BYTES } from "../../../src/crypto/card-blob.ts"
import { epochAt } from "../../../src/crypto/directory-record.ts"
import { ASK_ALLOWANCE } from "../../../src/node/directory/card-blob-keeper.ts"
import {
  CARD_BLOB_PROTOCOL,
  CARD_BLOB_REPLY_BYTES_MAX,
  decodeCardBlob,
  decodeHas,
  decodeKept,
  encodeCardBlob,
  encodeCardBlobRefusal,
  encodeCardBlobRequest,
  encodeHas,
  encodeKept,
} from "../../../src/node/directory/card-blob-messages.ts"
import type { FindOptions } from "../../../src/node/directory/directory.ts"
import { PUT_ALLOWANCE } from "../../../src/node/directory/shelf.ts"
import { StreamError } from "../../../src/node/transport/streams.ts"
import {
  type BlobAnswer,
  cardOf,
  connect,
  type HostilePeer,
  meshId,
  type Peer,
  person,
  put,
  startHostilePeer,
  startMesh,
  startPeer,
  stored,
  streamsOf,
} from "../../helpers/directory-mesh.ts"
import { type CardRecord, cardRecord } from "../../helpers/directory-records.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"

const NOON = Date.UTC(2026, 10, 20, 12)
const epoch = epochAt(NOON)
const [ada, eve] = [person(31), person(32)]
const today = cardRecord(ada, { epoch, sequence: 2, composite: utf8("a key package") })
const yesterday = cardRecord(ada, { epoch: epoch - 1, sequence: 2, composite: null })
const foreign = cardRecord(eve, { epoch, sequence: 2 })
const found = { card: "Ada's second", sequence: 2, composite: utf8("a key package") }

/** Shows these records, whatever it keeps of their blobs. */
const showing =
  (...records: readonly CardRecord[]) =>
  (key: Bytes) =>
    records.find((record) => Buffer.from(record.key).equals(key))?.bytes

const silent: BlobAnswer = () => new Promise<Bytes>(() => undefined)
const gives =
  (blob: Bytes | undefined): BlobAnswer =>
  () =>
    encodeCardBlob(blob)

/** What a lookup of Ada's card gives, with the card by name. */
async function look({ directory }: Peer, options?: FindOptions) {
  const answer = await directory.lookup(ada.address, options)
  if (answer === "NOT_FOUND") return answer
  return { ...answer, card: equal(answer.card, cardOf(ada, 2)) ? "Ada's second" : "another" }
}

interface Keeper {
  readonly shows: readonly CardRecord[]
  readonly blobs?: BlobAnswer
}

/** A reader who knows nothing yet, connected to keepers of all kinds; those know nobody but the reader. */
async function reading(keepers: readonly Keeper[], honest = 0) {
  const clock = new ManualClock(NOON)
  const [reader, peers, liars] = await Promise.all([
    startPeer(clock),
    startMesh(honest, clock),
    Promise.all(keepers.map(({ shows, blobs }) => startHostilePeer(showing(...shows), blobs))),
  ])
  const all: HostilePeer[] = [...liars, ...peers.map(({ libp2p }) => libp2p)]
  await Promise.all(all.map((keeper) => connect(reader.libp2p, keeper)))
  return {
    clock,
    reader,
    peers,
    async [Symbol.asyncDispose]() {
      await Promise.all([reader, ...peers].map((peer) => peer.stop()))
      await Promise.all(liars.map(async (liar) => liar.stop()))
      assert.equal(clock.waiting, 0)
    },
  }
}

describe("a card whose keepers lie about its blob", () => {
  const cut = today.blob.bytes.slice(0, -1)
  const lies: Readonly<Record<string, BlobAnswer>> = {
    "says that it has it, and has nothing": ({ kind }) =>
      kind === "have" ? encodeHas(true) : encodeCardBlob(undefined),
    "hands out another person's": gives(foreign.blob.bytes),
    "hands out yesterday's": gives(yesterday.blob.bytes),
    "hands out junk": gives(new Uint8Array(CARD_BLOB_BYTES).fill(7)),
    "cuts it short": () => concat(new Uint8Array([0, 1]), cut),
    "adds a byte": () => concat(encodeCardBlob(today.blob.bytes), utf8("x")),
    refuses: () => encodeCardBlobRefusal("UNNAMED"),
    "breaks off": () => {
      throw new StreamError("GONE", "had enough")
    },
  }

  it("is found where one keeper is honest among all of them", async () => {
    const keepers = Object.values(lies).map((blobs) => ({ shows: [today], blobs }))
    await using mesh = await reading([...keepers, { shows: [today] }], 1)
    await mesh.peers[0]!.libp2p.services.directoryShelf.keepOwn(today, true)
    assert.deepEqual(await look(mesh.reader), found)
  })

  it("is not found, and nothing else in its place, where none is", async () => {
    const keepers = Object.values(lies).map((blobs) => ({ shows: [today], blobs }))
    await using mesh = await reading(keepers)
    assert.equal(await look(mesh.reader), "NOT_FOUND")
  })

  it("is found by a second keeper while the first says nothing at all, and by a third while two do", async () => {
    const mute = { shows: [today], blobs: silent }
    await using one = await reading([mute, { shows: [today], blobs: gives(today.blob.bytes) }])
    assert.deepEqual(await look(one.reader), found)
    await using two = await reading([
      mute,
      mute,
      { shows: [today], blobs: gives(today.blob.bytes) },
    ])
    const looking = look(two.reader)
    // Time passes for who waits: those two count as slow, and the next is asked.
    const passing = setInterval(() => two.clock.advance(100), 10)
    try {
      assert.deepEqual(await looking, found)
    } finally {
      clearInterval(passing)
    }
  })

  it("is given up when the caller does, while keepers say nothing", async () => {
    const caller = new AbortController()
    const reason = new Error("closed the window")
    const asked = Promise.withResolvers<undefined>()
    await using mesh = await reading([
      {
        shows: [today],
        blobs: (request) => {
          asked.resolve(undefined)
          return silent(request)
        },
      },
    ])
    const looking = look(mesh.reader, { signal: caller.signal })
    await asked.promise
    caller.abort(reason)
    await assert.rejects(looking, reason)
  })

  it("is fetched from a near peer that showed no record, when those that did have nothing", async () => {
    await using mesh = await reading([
      { shows: [today], blobs: gives(undefined) },
      { shows: [today] },
      { shows: [], blobs: gives(today.blob.bytes) },
    ])
    assert.deepEqual(await look(mesh.reader), found)
  })

  it("is taken from yesterday's blob when today's is nowhere", async () => {
    await using mesh = await reading([
      { shows: [today] },
      { shows: [yesterday], blobs: gives(yesterday.blob.bytes) },
    ])
    assert.deepEqual(await look(mesh.reader), { ...found, composite: null })
  })

  it("is not believed when its owner says one thing in the record and another in the blob", async () => {
    const other = cardRecord(ada, { epoch, sequence: 3, cardHash: primitives.sha3_256(utf8("x")) })
    const older = cardRecord(ada, { epoch, sequence: 4, card: cardOf(ada, 2) })
    for (const lie of [other, older]) {
      await using mesh = await reading([{ shows: [lie], blobs: gives(lie.blob.bytes) }])
      assert.equal(await look(mesh.reader), "NOT_FOUND")
    }
  })
})

describe("many cards at one keeper", () => {
  it("are all found at once, though it takes only so many streams from a peer", async () => {
    await using mesh = await reading([], 1)
    const people = Array.from({ length: 30 }, (_, i) => person(400 + i))
    const shelf = mesh.peers[0]!.libp2p.services.directoryShelf
    for (const who of people) await shelf.keepOwn(cardRecord(who, { epoch, sequence: 1 }), true)
    const all = await Promise.all(
      people.map(({ address }) => mesh.reader.directory.lookup(address)),
    )
    assert.deepEqual(
      all.map((each, i) => each !== "NOT_FOUND" && equal(each.card, cardOf(people[i]!, 1))),
      people.map(() => true),
    )
  })
})

describe("a card that is remembered", () => {
  /** A keeper that counts what it is asked for. */
  const counting = () => {
    const asked: string[] = []
    const blobs: BlobAnswer = ({ kind }) => {
      asked.push(kind)
      return encodeCardBlob(today.blob.bytes)
    }
    return { asked, keeper: { shows: [today], blobs } }
  }

  it("is fetched once, with the key package beside it, and not again as long as the record names it", async () => {
    const { asked, keeper } = counting()
    await using mesh = await reading([keeper])
    assert.deepEqual(await look(mesh.reader), found)
    assert.deepEqual(asked, ["get"])
    for (const options of [{ fresh: true }, { fresh: true, withPackage: true }])
      assert.deepEqual(await look(mesh.reader, options), found)
    assert.deepEqual(asked, ["get"], "the mesh was asked, and nothing was fetched")
  })

  it("is not fetched at all when the caller has it, unless the key package is wanted too", async () => {
    const { asked, keeper } = counting()
    await using mesh = await reading([keeper])
    const recall = (hash: Bytes) => {
      assert.deepEqual(hash, primitives.sha3_256(cardOf(ada, 2)))
      return Promise.resolve(cardOf(ada, 2))
    }
    const { card, sequence } = found
    assert.deepEqual(await look(mesh.reader, { recall }), { card, sequence })
    assert.deepEqual(asked, [])
    assert.deepEqual(await look(mesh.reader, { recall, withPackage: true }), found)
    assert.deepEqual(asked, ["get"])
  })

  it("is fetched when what the caller has is something else", async () => {
    const { asked, keeper } = counting()
    await using mesh = await reading([keeper])
    const recall = () => Promise.resolve(cardOf(eve, 2))
    assert.deepEqual(await look(mesh.reader, { recall }), found)
    assert.deepEqual(asked, ["get"])
  })
})

describe("a peer that keeps cards for others", () => {
  /** One honest peer, and what another can say to it. */
  async function keeping() {
    const clock = new ManualClock(NOON)
    const [keeper, other] = await Promise.all([startPeer(clock), startHostilePeer()])
    await connect(other, keeper.libp2p)
    const streams = streamsOf(other)
    const ask = (request: Parameters<typeof encodeCardBlobRequest>[0]) =>
      streams.request(
        keeper.libp2p.peerId.toString(),
        CARD_BLOB_PROTOCOL,
        encodeCardBlobRequest(request),
        { replyBytesMax: CARD_BLOB_REPLY_BYTES_MAX },
      )
    const stop = async () => {
      await streams.stop()
      await Promise.all([keeper.stop(), other.stop()])
    }
    return { clock, keeper, other, ask, [Symbol.asyncDispose]: stop }
  }
  const name = { meshId, blinded: today.blinded, id: today.blob.id }
  const putRequest = { ...name, kind: "put", blob: today.blob.bytes } as const
  const blobsOf = (peer: Peer) => stored(peer, "blob")

  it("takes a blob only after the record that names it, whole and true, and then hands it to who names both", async () => {
    await using mesh = await keeping()
    const { keeper, other, ask } = mesh
    assert.equal(decodeKept(await ask(putRequest)), "UNNAMED", "no record is here")
    assert.equal(await put(other, today.key, today.bytes), 1)
    assert.equal(decodeHas(await ask({ ...name, kind: "have" })), false)
    assert.deepEqual(decodeCardBlob(await ask({ ...name, kind: "get" })), { blob: undefined })
    const bad = { ...putRequest, blob: today.blob.bytes.map((byte, i) => (i === 9 ? ~byte : byte)) }
    for (const wrong of [
      bad,
      { ...putRequest, id: foreign.blob.id, blob: foreign.blob.bytes },
      { ...putRequest, blinded: foreign.blinded },
    ])
      assert.equal(decodeKept(await ask(wrong)), "UNNAMED")
    assert.equal(decodeKept(await ask({ ...putRequest, meshId: new Uint8Array(32) })), "OTHER_MESH")
    await assert.rejects(ask({ ...putRequest, blob: today.blob.bytes.slice(1) }), { code: "GONE" })
    await assert.rejects(ask({ ...putRequest, blob: concat(today.blob.bytes, utf8("x")) }))
    assert.equal(blobsOf(keeper).length, 0)

    assert.equal(decodeKept(await ask(putRequest)), null)
    assert.equal(blobsOf(keeper).length, 1)
    assert.equal(decodeHas(await ask({ ...name, kind: "have" })), true)
    const given = decodeCardBlob(await ask({ ...name, kind: "get" }))
    assert.deepEqual(given, { blob: today.blob.bytes })
    const elsewhere = await ask({ ...name, kind: "get", blinded: foreign.blinded })
    assert.deepEqual(decodeCardBlob(elsewhere), { blob: undefined })
  })

  it("takes and answers only so often from one peer, good or bad", async () => {
    await using mesh = await keeping()
    const { clock, other, ask } = mesh
    await put(other, today.key, today.bytes)
    const bad = { ...putRequest, blinded: foreign.blinded }
    for (let i = 0; i < PUT_ALLOWANCE.burst; i++)
      assert.equal(decodeKept(await ask(bad)), "UNNAMED")
    assert.equal(decodeKept(await ask(putRequest)), "TOO_OFTEN")
    clock.advance(PUT_ALLOWANCE.refillMs)
    assert.equal(decodeKept(await ask(putRequest)), null)
    for (let i = 0; i < ASK_ALLOWANCE.burst; i++)
      assert.equal(decodeHas(await ask({ ...name, kind: "have" })), true)
    assert.equal(decodeCardBlob(await ask({ ...name, kind: "get" })), "TOO_OFTEN")
    clock.advance(ASK_ALLOWANCE.refillMs)
    assert.notEqual(decodeCardBlob(await ask({ ...name, kind: "get" })), "TOO_OFTEN")
  })

  it("counts for the owner only with record and blob, and by its own word", async () => {
    const clock = new ManualClock(NOON)
    const owner = await startPeer(clock)
    const answers: readonly (BlobAnswer | undefined)[] = [
      undefined,
      ({ kind }) => (kind === "have" ? encodeHas(false) : encodeCardBlobRefusal("TOO_OFTEN")),
      ({ kind }) => (kind === "have" ? encodeHas(false) : encodeKept()),
      () => encodeHas(true),
    ]
    const keepers: HostilePeer[] = []
    for (const answer of answers) keepers.push(await startHostilePeer(() => undefined, answer))
    for (const keeper of keepers) await connect(owner.libp2p, keeper)
    const { address, seed } = ada
    const { acknowledged } = await owner.directory.publish({
      ...{ address, seed },
      card: cardOf(ada, 2),
      sequence: 2,
    })
    assert.equal(acknowledged, 2, "all four echo the record; two say that they keep the blob")
    await owner.stop()
    for (const keeper of keepers) await keeper.stop()
  })
})
