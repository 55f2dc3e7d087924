import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import fc from "fast-check"
import { blake3 } from "../../src/crypto/blake3.ts"
import { blindedKey } from "../../src/crypto/blinding.ts"
import { concat, toHex, utf8 } from "../../src/crypto/bytes.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import {
  blindedKeyIn,
  blobIdIn,
  checkRecord,
  directoryKey,
  EPOCH_MS,
  epochAt,
  makeRecord,
  openRecord,
  RECORD_BYTES,
  type RecordContent,
  selectRecord,
} from "../../src/crypto/directory-record.ts"
import { CryptoError } from "../../src/crypto/errors.ts"

const seed = new Uint8Array(32).fill(11)
const address = concat(ed25519.getPublicKey(seed), new Uint8Array(32).fill(12))
const strangerSeed = new Uint8Array(32).fill(13)
const stranger = concat(ed25519.getPublicKey(strangerSeed), new Uint8Array(32).fill(14))
const day = 20_777
const said: Omit<RecordContent, "sequence"> = {
  cardHash: new Uint8Array(32).fill(15),
  blobId: new Uint8Array(32).fill(16),
  digest: new Uint8Array(32).fill(17),
}

const make = (sequence = 3, epoch = day, content = said) =>
  makeRecord({ address, seed, epoch, sequence, ...content })
const key = blindedKey(address, day)
const codeOf = (checked: { verdict: string; code?: string }) =>
  `${checked.verdict} ${checked.code ?? ""}`.trim()

function flipped(bytes: Bytes, at: number, bit: number): Bytes {
  const out = bytes.slice()
  out[at] = (out[at] ?? 0) ^ (1 << bit)
  return out
}

describe("directory record: checked by who cannot read it, read by who knows the address", () => {
  it("opens to what was published, is of one size, and names its blob to who cannot open it", () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(
        fc.record({ cardHash: hash, blobId: hash, digest: hash }),
        fc.nat(2 ** 32 - 1),
        fc.nat(2 ** 32 - 1),
        (content, sequence, epoch) => {
          const record = make(sequence, epoch, content)
          assert.equal(record.length, RECORD_BYTES)
          assert.equal(checkRecord(blindedKey(address, epoch), record, epoch).verdict, "accept")
          assert.deepEqual(blobIdIn(record), content.blobId)
          const opened = openRecord(address, epoch, record)
          assert.deepEqual(opened, { verdict: "accept", sequence, ...content })
        },
      ),
      { numRuns: 20 },
    )
  })

  it("is 238 bytes, and makes room for nothing of another length", () => {
    assert.equal(RECORD_BYTES, 238)
    for (const name of ["cardHash", "blobId", "digest"] as const)
      assert.throws(
        () => make(1, day, { ...said, [name]: new Uint8Array(33) }),
        (error) => error instanceof CryptoError && error.code === "BAD_LENGTH",
      )
    assert.throws(
      () => make(2 ** 32),
      (error) => error instanceof CryptoError && error.code === "TOO_LARGE",
    )
  })

  it("is accepted on its own day and one to either side, by the storing peer's clock", () => {
    const record = make()
    for (const now of [day - 1, day, day + 1])
      assert.equal(checkRecord(key, record, now).verdict, "accept")
    for (const now of [day - 2, day + 2, 0])
      assert.equal(codeOf(checkRecord(key, record, now)), "ignore RECORD_EPOCH")
  })

  it("orders one day's records by sequence number, and chooses the same one in any order of arrival", () => {
    const records = [make(1), make(2 ** 32 - 1), make(2), make(2 ** 32 - 1)]
    const orders = records.map((record) => {
      const checked = checkRecord(key, record, day)
      assert(checked.verdict === "accept")
      return checked.order
    })
    assert.equal(orders[2]! - orders[0]!, 1)
    assert.equal(orders[1], orders[3])
    const best = records[selectRecord(records)]!
    assert([records[1], records[3]].includes(best), "the highest sequence number")
    const reversed = records.toReversed()
    assert.equal(reversed[selectRecord(reversed)], best)
    const junk = [new Uint8Array(5), records[0]!, new Uint8Array(RECORD_BYTES - 1)]
    assert.equal(selectRecord(junk), 1)
  })

  it("is refused under another key, by another signer, in another size", () => {
    const record = make()
    assert.equal(codeOf(checkRecord(blindedKey(stranger, day), record, day)), "reject RECORD_KEY")
    const foreign = makeRecord({
      address: stranger,
      seed: strangerSeed,
      epoch: day,
      sequence: 9,
      ...said,
    })
    assert.equal(codeOf(checkRecord(key, foreign, day)), "reject RECORD_KEY")
    const claimed = concat(foreign.slice(0, 1), key, foreign.slice(33))
    assert.equal(codeOf(checkRecord(key, claimed, day)), "reject RECORD_SIGNATURE")
    assert.equal(codeOf(checkRecord(key, concat(record, utf8("x")), day)), "reject RECORD_SIZE")
    assert.equal(codeOf(checkRecord(key, record.slice(0, -1), day)), "reject RECORD_SIZE")
    assert.equal(codeOf(checkRecord(key, new Uint8Array(0), day)), "reject RECORD_SIZE")
  })

  it("is refused in a version that is not spoken, whatever its size, and in one whose size it does not have", () => {
    for (const version of [0, 1, 3, 255])
      for (const length of [1, RECORD_BYTES, 41_106]) {
        const record = new Uint8Array(length).fill(version, 0, 1)
        assert.equal(codeOf(checkRecord(key, record, day)), "ignore RECORD_VERSION")
        assert.equal(codeOf(openRecord(address, day, record)), "ignore RECORD_VERSION")
        assert.equal(blobIdIn(record), undefined)
      }
    const longer = concat(make(), new Uint8Array(41_106 - RECORD_BYTES))
    assert.equal(codeOf(checkRecord(key, longer, day)), "reject RECORD_SIZE")
  })

  it("is refused by the reader when it was sealed for another day or another address", () => {
    const tomorrow = make(1, day + 1)
    assert.equal(codeOf(openRecord(address, day, tomorrow)), "reject RECORD_KEY")
    assert.equal(codeOf(openRecord(stranger, day, make())), "reject RECORD_KEY")
  })

  it("survives any change of one bit, any cut and anything appended: refused, never a crash", () => {
    const record = make()
    fc.assert(
      fc.property(fc.nat(RECORD_BYTES - 1), fc.nat(7), (at, bit) => {
        const bad = flipped(record, at, bit)
        assert.notEqual(checkRecord(key, bad, day).verdict, "accept")
        assert.notEqual(openRecord(address, day, bad).verdict, "accept")
      }),
      { numRuns: 60 },
    )
    for (let at = 0; at < 89; at++)
      assert.notEqual(checkRecord(key, flipped(record, at, at % 8), day).verdict, "accept")
    fc.assert(
      fc.property(fc.nat(RECORD_BYTES - 1), (length) => {
        assert.notEqual(checkRecord(key, record.slice(0, length), day).verdict, "accept")
        assert.notEqual(openRecord(address, day, record.slice(0, length)).verdict, "accept")
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 99 }), (tail) => {
        assert.notEqual(openRecord(address, day, concat(record, tail)).verdict, "accept")
      }),
    )
  })

  it("makes nothing of random bytes, of any length or of the right one", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.boolean(), (random, whole) => {
        const bytes = new Uint8Array(whole ? RECORD_BYTES : random.length)
        bytes.set(random)
        assert.notEqual(checkRecord(key, bytes, day).verdict, "accept")
        assert.notEqual(openRecord(address, day, bytes).verdict, "accept")
        const posed = whole ? concat(utf8("\u0002"), key, bytes.slice(33)) : bytes
        assert.notEqual(checkRecord(key, posed, day).verdict, "accept")
        assert([0, 1].includes(selectRecord([bytes, random])))
      }),
    )
  })

  it("shows no address, key or content but the id of the blob, and nothing that two days have in common", () => {
    const records = [day, day + 1].map((epoch) =>
      // A blob of another day has another id (card-blob.ts).
      Buffer.from(make(3, epoch, { ...said, blobId: blake3(utf8(`${epoch}`)) })),
    )
    const { cardHash, digest } = said
    const secrets = [address, address.slice(0, 32), address.slice(32), cardHash, digest]
    for (const record of records)
      for (const secret of secrets) assert.equal(record.indexOf(secret), -1, toHex(secret))
    // Beyond the version byte there is no run of 8 bytes in both, at any pair of places.
    const runs = new Set<string>()
    const [one, two] = records as [Buffer, Buffer]
    for (let at = 1; at + 8 <= one.length; at++) runs.add(one.toString("latin1", at, at + 8))
    for (let at = 1; at + 8 <= two.length; at++)
      assert(!runs.has(two.toString("latin1", at, at + 8)), `a run in common at ${at}`)
  })

  it("hides the sequence number: its step within a day shows, its value across days does not", () => {
    const orders = Array.from({ length: 8 }, (_, i) => {
      const checked = checkRecord(blindedKey(address, day + i), make(3, day + i), day + i)
      assert(checked.verdict === "accept")
      return checked.order
    })
    assert.equal(new Set(orders).size, 8)
    assert(orders.every((order) => order > 2 ** 32))
  })
})

describe("directory keys: one key has one spelling", () => {
  it("reads back the blinded key it wrote", () => {
    assert.deepEqual(blindedKeyIn(directoryKey(key)), key)
  })

  it("knows no other spelling: upper case, shorter, longer, other rooms, not even text", () => {
    const hex = toHex(key)
    const wrong = [
      `/card/${hex.toUpperCase()}`,
      `/card/${hex.slice(2)}`,
      `/card/${hex}00`,
      `/card/${hex}/`,
      `/card/${hex}\n`,
      `/pk/${hex}`,
      `card/${hex}`,
      "",
    ]
    for (const text of wrong) assert.equal(blindedKeyIn(utf8(text)), undefined, text)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (random) => {
        assert.equal(blindedKeyIn(random), undefined)
      }),
    )
  })

  it("counts days of UTC", () => {
    assert.equal(epochAt(0), 0)
    assert.equal(epochAt(EPOCH_MS - 1), 0)
    assert.equal(epochAt(Date.UTC(2026, 10, 20)), 20_777)
  })
})
