/** What putting a record again costs: the nearest peers are asked for every hour, record and blob go to those that lack them. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { generateKeyPair } from "@libp2p/crypto/keys"
import type { PeerId } from "@libp2p/interface"
import type { KadDHT } from "@libp2p/kad-dht"
import { peerIdFromPrivateKey } from "@libp2p/peer-id"
import { Libp2pRecord } from "@libp2p/record"
import { CARD_BLOB_BYTES } from "../../../src/crypto/card-blob.ts"
import { RECORD_BYTES } from "../../../src/crypto/directory-record.ts"
import {
  encodeCardBlobRequest,
  encodeHas,
  encodeKept,
  type BlobName,
} from "../../../src/node/directory/card-blob-messages.ts"
import type { CardBlobPeers } from "../../../src/node/directory/card-blob-peers.ts"
import { type DayRecord, Keepers, PUT_AGAIN_MS } from "../../../src/node/directory/put.ts"

const HOUR_MS = 3_600_000
const peers = await Promise.all(
  Array.from({ length: 21 }, async () => peerIdFromPrivateKey(await generateKeyPair("Ed25519"))),
)
const bytesOf = (length: number, value: number) => new Uint8Array(length).fill(value)
const record = (epoch: number, bytes = RECORD_BYTES): DayRecord => ({
  epoch,
  key: bytesOf(70, epoch),
  blinded: bytesOf(32, epoch),
  bytes: bytesOf(bytes, epoch),
  ...(bytes === RECORD_BYTES && {
    blob: { id: bytesOf(32, epoch), bytes: bytesOf(CARD_BLOB_BYTES, epoch) },
  }),
})
const meshId = bytesOf(32, 9)

/** Kademlia as far as a put goes: who is near, and who takes what. */
class FakeMesh {
  near: PeerId[] = peers.slice(0, 20)
  refusing: PeerId | undefined
  bytes = 0
  puts: PeerId[] = []
  /** Who has which blob, by peer and id; and whom blobs were brought. */
  readonly having = new Set<string>()
  brought: string[] = []
  refusingBlobs: PeerId | undefined

  readonly dht = {
    getClosestPeers: async function* (this: FakeMesh) {
      for (const id of this.near) yield await Promise.resolve({ name: "FINAL_PEER", peer: { id } })
    }.bind(this),
    network: {
      sendRequest: async function* (this: FakeMesh, to: PeerId, sent: { record: Uint8Array }) {
        this.puts.push(to)
        const { value, timeReceived } = Libp2pRecord.deserialize(sent.record)
        assert.equal(timeReceived.getTime(), 0, "when it was put is not said")
        // there, and the echo
        this.bytes += 2 * sent.record.length
        if (to === this.refusing) throw new Error("reset")
        yield await Promise.resolve({ name: "PEER_RESPONSE", record: { value } })
      }.bind(this),
    },
  } as unknown as KadDHT

  readonly blobs: Pick<CardBlobPeers, "have" | "put"> = {
    have: (peer: string, name: BlobName) => {
      const has = this.having.has(`${peer} ${name.id.join()}`)
      this.#pay(encodeCardBlobRequest({ kind: "have", meshId, ...name }), encodeHas(has))
      return Promise.resolve(has)
    },
    put: (peer: string, name: BlobName, blob: Uint8Array) => {
      this.brought.push(peer)
      this.#pay(encodeCardBlobRequest({ kind: "put", meshId, ...name, blob }), encodeKept())
      if (peer === this.refusingBlobs?.toString()) return Promise.resolve(false)
      this.having.add(`${peer} ${name.id.join()}`)
      return Promise.resolve(true)
    },
  }

  #pay(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.bytes += frame.length
  }
}

async function round(keepers: Keepers, of: DayRecord, nowMs: number): Promise<number> {
  let count = 0
  const kept = () => count++
  const { signal } = new AbortController()
  await keepers.put(of, { nowMs, signal, found: () => undefined, kept })
  return count
}

describe("putting a record again", () => {
  it("brings it to newcomers among the nearest, to who refused, and to all twice a day", async () => {
    const mesh = new FakeMesh()
    const keepers = new Keepers(mesh.dht, mesh.blobs)
    const today = record(1)
    mesh.refusing = peers[3]
    assert.equal(await round(keepers, today, 0), 19)
    assert.equal(mesh.puts.length, 20)

    mesh.puts = []
    mesh.refusing = undefined
    assert.equal(await round(keepers, today, HOUR_MS), 20)
    assert.deepEqual(mesh.puts, [peers[3]], "it is asked again")

    mesh.puts = []
    mesh.near = [...peers.slice(1, 20), peers[20] ?? assert.fail()]
    assert.equal(await round(keepers, today, 2 * HOUR_MS), 20)
    assert.deepEqual(mesh.puts, [peers[20]], "one is new")

    mesh.puts = []
    assert.equal(await round(keepers, today, 3 * HOUR_MS), 20)
    assert.deepEqual(mesh.puts, [])
    assert.equal(await round(keepers, today, PUT_AGAIN_MS), 20)
    assert.equal(mesh.puts.length, 18, "all who took it half a day ago")

    mesh.puts = []
    assert.equal(await round(keepers, record(2), PUT_AGAIN_MS + 1), 20)
    assert.equal(mesh.puts.length, 20, "another day, another record")
  })

  it("counts a peer as a keeper when it has record and blob, and brings a blob only to who lacks it", async () => {
    const mesh = new FakeMesh()
    const keepers = new Keepers(mesh.dht, mesh.blobs)
    const today = record(1)
    const [first, second] = [peers[0] ?? assert.fail(), peers[1] ?? assert.fail()]
    mesh.having.add(`${first.toString()} ${bytesOf(32, 1).join()}`)
    mesh.refusingBlobs = second
    assert.equal(await round(keepers, today, 0), 19, "one has the record and not the blob")
    assert.equal(mesh.brought.length, 19, "one had the blob, from before a restart")
    assert(!mesh.brought.includes(first.toString()))

    mesh.brought = []
    mesh.refusingBlobs = undefined
    assert.equal(await round(keepers, today, HOUR_MS), 20)
    assert.deepEqual(mesh.brought, [second.toString()])

    mesh.brought = []
    assert.equal(await round(keepers, today, 2 * PUT_AGAIN_MS), 20)
    assert.deepEqual(mesh.brought, [], "half a day later all are asked, and have it")
  })

  /** Bytes an hour of one record over a day, its nearest peers asked each hour, so many of them replaced each time. */
  async function perHour(length: number, replaced: number): Promise<number> {
    const mesh = new FakeMesh()
    const keepers = new Keepers(mesh.dht, mesh.blobs)
    const [today, everybody] = [record(1, length), [...peers]]
    for (let hour = 0; hour < 24; hour++) {
      mesh.near = everybody.slice(0, 20)
      await round(keepers, today, hour * HOUR_MS)
      for (let n = 0; n < replaced; n++) {
        const gone = everybody.shift() ?? assert.fail()
        everybody.push(gone)
        // whoever comes in their place has nothing
        for (const name of [...mesh.having])
          if (name.startsWith(gone.toString())) mesh.having.delete(name)
      }
    }
    return mesh.bytes / 24
  }

  it("costs a card with twenty keepers a third of what it cost inside a record, and less than half while they change", async () => {
    const [quiet, restless] = [await perHour(RECORD_BYTES, 0), await perHour(RECORD_BYTES, 1)]
    assert(quiet < 46_000, `${Math.round(quiet)} bytes an hour`)
    assert(restless < 98_000, `${Math.round(restless)} bytes, one keeper replaced each hour`)
    // what a record of version 1 had
    const inside = 41_106
    assert((await perHour(inside, 0)) > 2.99 * quiet)
    assert((await perHour(inside, 1)) > 2.1 * restless)
  })
})
