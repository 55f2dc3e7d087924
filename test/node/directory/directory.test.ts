import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { blindedKey } from "../../../src/crypto/blinding.ts"
import { type Bytes, concat, utf8 } from "../../../src/crypto/bytes.ts"
import { CARD_BLOB_BYTES } from "../../../src/crypto/card-blob.ts"
import {
  directoryKey,
  EPOCH_MS,
  epochAt,
  RECORD_BYTES,
} from "../../../src/crypto/directory-record.ts"
import { encodeCardBlob, encodeHas } from "../../../src/node/directory/card-blob-messages.ts"
import { DirectoryError } from "../../../src/node/directory/directory.ts"
import {
  type BlobAnswer,
  cardOf,
  connect,
  type HostilePeer,
  type Peer,
  type Person,
  person,
  leaked,
  put,
  startHostilePeer,
  startMesh,
  startPeer,
  stored,
} from "../../helpers/directory-mesh.ts"
import { cardRecord, putCard } from "../../helpers/directory-records.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"

/** Midday, so that hours may pass without a night. */
const NOON = Date.UTC(2026, 10, 20, 12)
const MINUTE_MS = 60_000

const publicationOf = (who: Person, sequence: number) => ({
  address: who.address,
  seed: who.seed,
  card: cardOf(who, sequence),
  sequence,
})

const recordOf = (who: Person, epoch: number, sequence: number): Bytes =>
  cardRecord(who, { epoch, sequence }).bytes

const keyOf = (who: Person, epoch: number) => directoryKey(blindedKey(who.raw, epoch))

/** How many records this peer has brought to others since. */
function countingPuts({ libp2p }: Peer): () => number {
  let count = 0
  const { network } = libp2p.services.dht as unknown as {
    network: { sendRequest: (to: unknown, message: { type: string }, options: unknown) => unknown }
  }
  const send = network.sendRequest.bind(network)
  network.sendRequest = (to, message, options) => {
    if (message.type === "PUT_VALUE") count++
    return send(to, message, options)
  }
  return () => count
}

/** No run of eight bytes is in both, at any pair of places. */
function assertNothingInCommon(one: Buffer, two: Buffer): void {
  const runs = new Set<string>()
  for (let at = 0; at + 8 <= one.length; at++) runs.add(one.toString("latin1", at, at + 8))
  for (let at = 0; at + 8 <= two.length; at++)
    assert(!runs.has(two.toString("latin1", at, at + 8)), `a run in common at ${at}`)
}

describe("directory: eight peers on loopback", () => {
  const clock = new ManualClock(NOON)
  let peers: Peer[] = []
  let hostile: HostilePeer
  const ada = person(1)

  before(async () => {
    peers = await startMesh(8, clock)
    // Says that it keeps whatever it is asked for.
    hostile = await startHostilePeer(
      () => undefined,
      () => encodeHas(true),
    )
    for (const { libp2p } of peers) await connect(hostile, libp2p)
  })
  after(async () => {
    await Promise.all([...peers.map((peer) => peer.stop()), hostile.stop()])
    assert.equal(clock.waiting, 0, "stopping takes every timer back")
  })

  const today = () => epochAt(clock.nowMs())
  const keepers = async (blinded: Bytes) => {
    const found = await Promise.all(
      peers.map(({ libp2p }) => libp2p.services.directoryShelf.find(blinded)),
    )
    return found.filter((record) => record !== undefined)
  }

  it("finds from everywhere what was published, and says how many keep it", async () => {
    const published = await peers[0]!.directory.publish(publicationOf(ada, 1))
    assert.deepEqual(published, { sequence: 1, epoch: today(), acknowledged: 8 })
    assert.equal(
      (await keepers(blindedKey(ada.raw, today()))).length,
      8,
      "the owner's like any other",
    )
    const found = await Promise.all(peers.map((peer) => peer.directory.lookup(ada.address)))
    for (const card of found)
      assert.deepEqual(card, { card: cardOf(ada, 1), sequence: 1, composite: null })
  })

  it("says NOT_FOUND of an address that nobody publishes", async () => {
    assert.equal(await peers[3]!.directory.lookup(person(99).address), "NOT_FOUND")
  })

  it("gives up when the caller does, with the caller's reason", async () => {
    const reason = new Error("closed the window")
    const lookup = peers[3]!.directory.lookup(ada.address, {
      signal: AbortSignal.abort(reason),
      fresh: true,
    })
    await assert.rejects(lookup, reason)
  })

  it("puts again by itself, each hour and each new day, and then is found under the new day's key", async () => {
    const owner = peers[0]!
    const yesterday = today()
    const puts = countingPuts(owner)
    // With chance at one half: 57 minutes from round to round, and ten minutes after midnight.
    while (today() === yesterday) {
      const midnightMs = EPOCH_MS - (clock.nowMs() % EPOCH_MS)
      const round = owner.nextPublished()
      clock.advance(midnightMs < 57 * MINUTE_MS ? midnightMs + 10 * MINUTE_MS : 57 * MINUTE_MS)
      assert.deepEqual(await round, { sequence: 1, epoch: today(), acknowledged: 8 })
    }
    assert.equal(owner.published.length, 1 + 12 + 1, "once at first, twelve hours, one midnight")
    assert.equal(puts(), 8, "the new day's record to each of them, and nobody was given one twice")
    assert.equal((await keepers(blindedKey(ada.raw, today()))).length, 8)
    const found = await peers[5]!.directory.lookup(ada.address, { fresh: true })
    assert(found !== "NOT_FOUND" && found.sequence === 1)
  })

  it("gives those who store nothing to read, and nothing that ties two days together", () => {
    // From the test before, both days' records lie with the same peers.
    const secrets = [ada.raw, ada.raw.slice(0, 32), ada.raw.slice(32), ada.seed]
    const texts = [ada.address, ada.address.slice(0, 16), "Grace Hopper", "rear admiral"]
    for (const keeper of peers) {
      const [records, blobs] = [stored(keeper), stored(keeper, "blob")]
      assert.equal(records.length, 2, "one record a day")
      assert(records.every(({ length }) => length === RECORD_BYTES))
      assert.equal(blobs.length, 2, "and its blob")
      assert(blobs.every(({ length }) => length === CARD_BLOB_BYTES))
      for (const bytes of [...records, ...blobs, Buffer.from([...keeper.kept.keys()].join())])
        for (const secret of [...secrets, ...texts.map(utf8)])
          assert.equal(bytes.indexOf(secret), -1)
      const [yesterdays, todays] = [0, 1].map((day) =>
        Buffer.concat([records[day]!.subarray(1), blobs[day]!]),
      )
      assertNothingInCommon(yesterdays!, todays!)
    }
  })

  it("has the storing peer itself refuse what is forged, wrongly blinded, of another day, or of another size", async () => {
    const eve = person(2)
    const good = recordOf(eve, today(), 1)
    const tampered = good.slice()
    tampered[100]! ^= 1
    const stranger = recordOf(person(3), today(), 1)
    const underWrongKey = concat(good.slice(0, 1), blindedKey(eve.raw, today() + 1), good.slice(33))
    const refused: Record<string, [Bytes, Bytes]> = {
      "a changed byte": [keyOf(eve, today()), tampered],
      "another person's record": [keyOf(eve, today()), stranger],
      "a key that did not sign": [keyOf(eve, today() + 1), underWrongKey],
      "the day before yesterday": [keyOf(eve, today() - 2), recordOf(eve, today() - 2, 1)],
      "the day after tomorrow": [keyOf(eve, today() + 2), recordOf(eve, today() + 2, 1)],
      "a byte too many": [keyOf(eve, today()), concat(good, new Uint8Array(1))],
      "a megabyte": [keyOf(eve, today()), new Uint8Array(1 << 20)],
      nothing: [keyOf(eve, today()), new Uint8Array(0)],
      "another spelling of the key": [utf8(`/card/${"A".repeat(64)}`), good],
    }
    for (const [what, [key, value]] of Object.entries(refused))
      assert.equal(await put(hostile, key, value), 0, what)
    for (const peer of peers) assert.equal(stored(peer).length, 2)
    assert.equal(await put(hostile, keyOf(eve, today()), good), 8, "and takes the true one")
  })

  it("keeps nothing but cards: not by way of JavaScript's own names, not public keys, not providers", async () => {
    const [teller, bare] = await Promise.all([startHostilePeer(), startHostilePeer()])
    await connect(teller, bare)
    const unseen = await put(teller, utf8("/constructor/x"), new Uint8Array(1000))
    assert.equal(unseen, 1, "kad-dht as it comes takes it: Object is a function, so it validates")
    await Promise.all([teller.stop(), bare.stop()])
    const before = peers.map((peer) => stored(peer))
    for (const room of ["constructor", "toString", "__proto__", "hasOwnProperty", "pk", "ipns"])
      assert.equal(await put(hostile, utf8(`/${room}/x`), new Uint8Array(1000)), 0, room)
    const cid = hostile.peerId.toCID()
    const signal = AbortSignal.timeout(20_000)
    let sent = 0
    for await (const event of hostile.services.dht.provide(cid, { signal }))
      if (event.name === "PEER_RESPONSE") sent++
    assert(sent > 0)
    assert.deepEqual(
      peers.map((peer) => stored(peer)),
      before,
    )
    for (const peer of peers) assert(!(await leaked(peer)))
  })

  it("lets nobody roll a card back after it was published anew", async () => {
    const old = recordOf(ada, today(), 1)
    const published = await peers[0]!.directory.publish(publicationOf(ada, 2))
    assert.equal(published.acknowledged, 8)
    assert.equal(await put(hostile, keyOf(ada, today()), old), 0, "no peer takes the old one")
    for (const peer of peers) {
      const found = await peer.directory.lookup(ada.address, { fresh: true })
      assert(found !== "NOT_FOUND" && found.sequence === 2)
    }
    const older = peers[0]!.directory.publish(publicationOf(ada, 1))
    await assert.rejects(
      older,
      (error) => error instanceof DirectoryError && error.code === "OLDER_CARD",
    )
  })

  it("takes the highest sequence number of yesterday, today and tomorrow", async () => {
    const mary = person(4)
    for (const [shift, sequence] of [
      [-1, 7],
      [0, 5],
      [1, 6],
    ] as const) {
      const epoch = today() + shift
      assert.equal(await putCard(hostile, cardRecord(mary, { epoch, sequence })), 8)
    }
    const found = await peers[2]!.directory.lookup(mary.address)
    assert(found !== "NOT_FOUND" && found.sequence === 7)
    const newer = await peers[2]!.directory.lookup(mary.address, { atLeast: 8 })
    assert.equal(newer, "NOT_FOUND", "the caller knows of a newer one")
  })

  it("does not believe a record whose card says otherwise", async () => {
    const joan = person(5)
    const lies = [cardOf(joan, 3), cardOf(person(6), 9), utf8("no card at all")]
    for (const [sequence, card] of lies.entries()) {
      const record = cardRecord(joan, { epoch: today(), sequence, card })
      assert.equal(await putCard(hostile, record), 8)
      assert.equal(await peers[1]!.directory.lookup(joan.address), "NOT_FOUND")
    }
  })

  it("answers from memory for a few minutes, and then asks again", async () => {
    const [grace, reader] = [person(7), peers[6]!]
    const publish = async (sequence: number) =>
      assert.equal(await putCard(hostile, cardRecord(grace, { epoch: today(), sequence })), 8)
    const seen = async (fresh: boolean) => {
      const found = await reader.directory.lookup(grace.address, { fresh })
      return found === "NOT_FOUND" ? found : found.sequence
    }
    await publish(1)
    assert.equal(await seen(false), 1)
    await publish(2)
    assert.equal(await seen(false), 1, "from memory")
    assert.equal(await seen(true), 2, "asked for")
    await publish(3)
    clock.advance(6 * MINUTE_MS)
    assert.equal(await seen(false), 3, "memory has aged")
  })
})

describe("directory: peers that lie", () => {
  const clock = new ManualClock(NOON)
  const [ada, eve] = [person(11), person(12)]
  const epoch = epochAt(NOON)
  const stale = recordOf(ada, epoch, 1)
  const foreign = recordOf(eve, epoch, 1)

  async function among(
    answers: readonly ((key: Bytes) => Bytes | undefined)[],
    honest: number,
    blobAnswer?: BlobAnswer,
  ) {
    const peers = await startMesh(honest, clock)
    const liars = await Promise.all(answers.map((answer) => startHostilePeer(answer, blobAnswer)))
    const join = async (peer: HostilePeer) => {
      for (const other of [...peers.map(({ libp2p }) => libp2p), ...liars])
        if (other !== peer) await connect(peer, other)
    }
    for (const liar of liars) await join(liar)
    return {
      peers,
      /** A reader who comes later, and so has nothing on its own shelf. */
      async reader() {
        const late = await startPeer(clock)
        await join(late.libp2p)
        peers.push(late)
        return late
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(peers.map((peer) => peer.stop()))
        for (const liar of liars) await liar.stop()
      },
    }
  }

  it("cost time but never give a wrong card: junk, foreign and stale answers beside an honest one", async () => {
    const isToday = (key: Bytes) => Buffer.from(key).equals(keyOf(ada, epoch))
    await using mesh = await among(
      [
        () => new Uint8Array(RECORD_BYTES).fill(7),
        () => new Uint8Array(3 << 20),
        () => foreign,
        (key) => (isToday(key) ? stale : undefined),
        (key) => (isToday(key) ? stale : undefined),
      ],
      2,
    )
    await mesh.peers[0]!.directory.publish(publicationOf(ada, 2))
    const { directory } = await mesh.reader()
    const found = await directory.lookup(ada.address)
    assert.deepEqual(found, { card: cardOf(ada, 2), sequence: 2, composite: null })
  })

  it("cannot take a reader back to a card older than it has seen, not even all together", async () => {
    const newer = cardRecord(ada, { epoch, sequence: 2 })
    let answer = newer.bytes
    const say = (key: Bytes) => (Buffer.from(key).equals(keyOf(ada, epoch)) ? answer : undefined)
    await using mesh = await among([say, say, say], 0, () => encodeCardBlob(newer.blob.bytes))
    const { directory: reader } = await mesh.reader()
    const first = await reader.lookup(ada.address)
    assert(first !== "NOT_FOUND" && first.sequence === 2)
    answer = stale
    clock.advance(60 * MINUTE_MS)
    const second = await reader.lookup(ada.address, { fresh: true })
    assert.deepEqual(second, first, "what it has seen stands")
    assert.equal(await reader.lookup(ada.address, { fresh: true, atLeast: 3 }), "NOT_FOUND")
  })

  it("find nothing that opens for an address when they only have junk", async () => {
    await using mesh = await among([() => foreign, () => utf8("junk")], 0)
    const { directory } = await mesh.reader()
    assert.equal(await directory.lookup(ada.address), "NOT_FOUND")
  })
})

describe("directory: alone, and then not", () => {
  it("publishes to nobody without an error, pauses longer and longer, and again when a peer comes", async () => {
    const clock = new ManualClock(NOON)
    const [alone, other] = await Promise.all([startPeer(clock), startPeer(clock)])
    const ada = person(21)
    const first = await alone.directory.publish(publicationOf(ada, 1))
    assert.equal(first.acknowledged, 0)
    assert.equal(await alone.directory.lookup(person(22).address), "NOT_FOUND")
    for (const pauseMs of [1_050, 2_100, 4_200]) {
      const rounds = alone.published.length
      const round = alone.nextPublished()
      clock.advance(pauseMs - 1)
      assert.equal(alone.published.length, rounds, "not before its time")
      clock.advance(1)
      assert.equal((await round).acknowledged, 0)
    }
    await connect(alone.libp2p, other.libp2p)
    const round = alone.nextPublished()
    clock.advance(1_000)
    assert.equal((await round).acknowledged, 1)
    const found = await other.directory.lookup(ada.address)
    assert(found !== "NOT_FOUND" && found.sequence === 1)
    await Promise.all([alone.stop(), other.stop()])
    assert.equal(clock.waiting, 0)
    const stopped = (error: unknown) => error instanceof DirectoryError && error.code === "STOPPED"
    await assert.rejects(alone.directory.lookup(ada.address), stopped)
    await assert.rejects(alone.directory.publish(publicationOf(ada, 2)), stopped)
  })

  it("refuses at once what can never be published: a card too large, a seed of somebody else", async () => {
    const peer = await startPeer(new ManualClock(NOON))
    const ada = person(23)
    const huge = { ...publicationOf(ada, 1), card: new Uint8Array(50_000) }
    await assert.rejects(peer.directory.publish(huge), { code: "TOO_LARGE" })
    const foreign = { ...publicationOf(ada, 1), seed: person(24).seed }
    await assert.rejects(peer.directory.publish(foreign), { code: "BAD_KEY" })
    assert.equal((await peer.directory.publish(publicationOf(ada, 1))).acknowledged, 0)
    await peer.stop()
  })
})
