import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { RECORD_KINDS, blindedKey } from "../../src/crypto/blinding.ts"
import { concat, toHex } from "../../src/crypto/bytes.ts"
import {
  blobIdIn,
  checkRecord,
  OFFER_RECORD_BYTES,
  openRecord,
} from "../../src/crypto/directory-record.ts"
import { CryptoError } from "../../src/crypto/errors.ts"
import {
  makeOfferRecord,
  openOfferRecord,
  PAYLOAD_MAX_BYTES,
} from "../../src/crypto/offer-record.ts"
import {
  decodeOffer,
  decodeOneTime,
  encodeOffer,
  encodeOneTime,
  OFFER_SIZE,
  offerSequence,
} from "../../src/crypto/one-time.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { strictDecoder } from "../helpers/decoders.ts"

const seed = primitives.ed25519.generate()
const address = concat(
  primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(seed)),
  primitives.randomBytes(32),
)
const packages = Array.from({ length: OFFER_SIZE }, () => primitives.randomBytes(3477))
const offer = encodeOffer({ sequence: 7, packages })

describe("an offer of one-time key packages", () => {
  it("is strictly decoded", () => {
    assert.deepEqual(decodeOffer(offer), { sequence: 7, packages })
    strictDecoder(
      encodeOffer({ sequence: 7, packages: [new Uint8Array(9)] }),
      decodeOffer,
      encodeOffer,
    )
    assert.equal(offerSequence(offer), 7)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (junk) => {
        const sequence = offerSequence(junk)
        assert(sequence === undefined || sequence < 2 ** 32)
      }),
    )
  })

  it("is kept beside its private parts, strictly", () => {
    for (const destroyAtMs of [null, 1_800_000_000_000]) {
      const [reference, pair] = [
        primitives.randomBytes(32),
        { public: packages[0] ?? assert.fail() },
      ]
      const each = { ...pair, private: primitives.randomBytes(97), reference, destroyAtMs }
      assert.deepEqual(decodeOneTime(encodeOneTime(each)), each)
      strictDecoder(encodeOneTime(each), decodeOneTime, encodeOneTime)
    }
  })

  it("fits a record under a key that shows no kinship with others', and opens as nothing else", () => {
    const day = 20_000
    const keys = RECORD_KINDS.flatMap((kind) =>
      [day, day + 1].map((epoch) => toHex(blindedKey(address, epoch, kind))),
    )
    assert.equal(new Set(keys).size, 2 * RECORD_KINDS.length)
    const kinds = ["offer", "composite-offer"] as const
    const records = kinds.map((kind) =>
      makeOfferRecord({ address, seed, epoch: day, sequence: 7, offer, kind }),
    )
    const [one, two] = records
    assert(one && two)
    for (const [i, kind] of kinds.entries()) {
      const record = records[i] ?? assert.fail()
      assert.equal(record.length, OFFER_RECORD_BYTES)
      assert.equal(checkRecord(blindedKey(address, day, kind), record, day).verdict, "accept")
      assert.equal(blobIdIn(record), undefined)
      const opened = openOfferRecord(address, day, record, kind)
      assert.deepEqual(opened, { verdict: "accept", sequence: 7, payload: offer })
      assert.equal(openRecord(address, day, record).verdict, "ignore")
      const other = kinds[1 - i] ?? assert.fail()
      assert.equal(openOfferRecord(address, day, record, other).verdict, "reject")
    }
    const pieces = (bytes: Uint8Array) =>
      new Set(
        Array.from({ length: bytes.length >> 3 }, (_, i) => toHex(bytes.slice(8 * i, 8 * i + 8))),
      )
    const shared = [...pieces(one.subarray(40))].filter((each) =>
      pieces(two.subarray(40)).has(each),
    )
    assert.deepEqual(shared, [], "behind version, key and day, no eight bytes in common")
  })

  it("fills a record to its last byte, and no further", () => {
    const make = (length: number) => {
      const full = new Uint8Array(length).fill(1)
      return makeOfferRecord({ address, seed, epoch: 9, sequence: 7, offer: full, kind: "offer" })
    }
    const opened = openOfferRecord(address, 9, make(PAYLOAD_MAX_BYTES), "offer")
    assert(opened.verdict === "accept")
    assert.equal(opened.payload.length, PAYLOAD_MAX_BYTES)
    assert.throws(
      () => make(PAYLOAD_MAX_BYTES + 1),
      (error) => error instanceof CryptoError && error.code === "TOO_LARGE",
    )
  })
})
