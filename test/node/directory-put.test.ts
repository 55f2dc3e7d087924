/** What putting a record again costs: the nearest peers are asked for every hour, the record goes to those that lack it. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { generateKeyPair } from "@libp2p/crypto/keys"
import type { PeerId } from "@libp2p/interface"
import type { KadDHT } from "@libp2p/kad-dht"
import { peerIdFromPrivateKey } from "@libp2p/peer-id"
import { Libp2pRecord } from "@libp2p/record"
import { RECORD_BYTES } from "../../src/crypto/directory-record.ts"
import { type DayRecord, Keepers, PUT_AGAIN_MS } from "../../src/node/directory-put.ts"

const HOUR_MS = 3_600_000
const peers = await Promise.all(
  Array.from({ length: 21 }, async () => peerIdFromPrivateKey(await generateKeyPair("Ed25519"))),
)
const record = (epoch: number): DayRecord => ({
  epoch,
  key: new Uint8Array(44).fill(epoch),
  bytes: new Uint8Array(RECORD_BYTES).fill(epoch),
})

/** Kademlia as far as a put goes: who is near, and who takes what. */
class FakeMesh {
  near: PeerId[] = peers.slice(0, 20)
  refusing: PeerId | undefined
  bytes = 0
  puts: PeerId[] = []

  readonly dht = {
    getClosestPeers: async function* (this: FakeMesh) {
      for (const id of this.near) yield await Promise.resolve({ name: "FINAL_PEER", peer: { id } })
    }.bind(this),
    network: {
      sendRequest: async function* (this: FakeMesh, to: PeerId, sent: { record: Uint8Array }) {
        this.puts.push(to)
        const { value, timeReceived } = Libp2pRecord.deserialize(sent.record)
        assert.equal(timeReceived.getTime(), 0, "when it was put is not said")
        this.bytes += 2 * value.length
        if (to === this.refusing) throw new Error("reset")
        yield await Promise.resolve({ name: "PEER_RESPONSE", record: { value } })
      }.bind(this),
    },
  } as unknown as KadDHT
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
    const keepers = new Keepers(mesh.dht)
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

  it("costs a person with twenty keepers, three records and one keeper replaced an hour less than 0.7 MB an hour", async () => {
    let bytes = 0
    for (const today of [record(1), record(2), record(3)]) {
      const mesh = new FakeMesh()
      const keepers = new Keepers(mesh.dht)
      const everybody = [...peers]
      for (let hour = 0; hour < 24; hour++) {
        mesh.near = everybody.slice(0, 20)
        await round(keepers, today, hour * HOUR_MS)
        everybody.push(everybody.shift() ?? assert.fail())
      }
      bytes += mesh.bytes
    }
    const perHour = bytes / 24
    // Every hour to all of them would be 4.9 MB, because each echoes what it takes.
    assert(perHour < 700_000, `${Math.round(perHour)} bytes an hour`)
  })
})
