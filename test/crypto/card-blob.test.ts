import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { blake3 } from "../../src/crypto/blake3.ts"
import { type Bytes, concat, utf8 } from "../../src/crypto/bytes.ts"
import { CARD_BYTES_MAX } from "../../src/crypto/card.ts"
import {
  CARD_BLOB_BYTES,
  isCardBlob,
  openCardBlob,
  sealCardBlob,
} from "../../src/crypto/card-blob.ts"
import { derive, labelledHash } from "../../src/crypto/kdf.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { codeOf } from "../helpers/decoders.ts"

const address = primitives.randomBytes(64)
const place = { address, epoch: 20_777 }
const content = { card: utf8("Ada Lovelace, analyst"), composite: utf8("a key package") }
const blob = sealCardBlob(place, content)

/** What an owner could seal that is no content: everything but what is inside is right. */
function sealedAs(inside: Bytes) {
  const digest = labelledHash("card blob", inside)
  const info = concat(new Uint8Array([0, 0, 0x51, 0x29]), digest)
  const key = derive("card blob key", address, info, 32)
  return { digest, bytes: primitives.aesGcmSeal(key, new Uint8Array(12), inside) }
}

describe("a card's blob: kept by who cannot read it, opened by who knows the address", () => {
  it("opens to what was sealed, and is of one size whatever that is", () => {
    const card = fc.uint8Array({ maxLength: 300 })
    const composite = fc.option(fc.uint8Array({ minLength: 1, maxLength: 300 }))
    fc.assert(
      fc.property(card, composite, fc.nat(2 ** 32 - 1), (card, composite, epoch) => {
        const at = { address, epoch }
        const { id, digest, bytes } = sealCardBlob(at, { card, composite })
        assert.equal(bytes.length, CARD_BLOB_BYTES)
        assert.deepEqual(id, blake3(bytes))
        assert(isCardBlob(id, bytes))
        assert.deepEqual(openCardBlob(at, digest, bytes), { card, composite })
      }),
      { numRuns: 20 },
    )
  })

  it("has room for the largest card with a key package beside it, and for no more", () => {
    const [card, composite] = [primitives.randomBytes(35_700), primitives.randomBytes(15_400)]
    const full = sealCardBlob(place, { card, composite })
    assert.deepEqual(openCardBlob(place, full.digest, full.bytes), { card, composite })
    const room = CARD_BLOB_BYTES - 16 - 1 - 4 - 4 - card.length
    const last = sealCardBlob(place, { card, composite: new Uint8Array(room).fill(1) })
    assert.equal(openCardBlob(place, last.digest, last.bytes)?.composite?.length, room)
    for (const tooMuch of [
      { card, composite: new Uint8Array(room + 1) },
      { card: new Uint8Array(CARD_BYTES_MAX + 1), composite: null },
    ])
      assert.equal(
        codeOf(() => sealCardBlob(place, tooMuch)),
        "TOO_LARGE",
      )
  })

  it("is the same blob when its owner seals the same again that day, and has nothing in common with another's", () => {
    assert.deepEqual(sealCardBlob(place, content), blob)
    const other = sealCardBlob(place, { ...content, composite: null })
    const tomorrow = sealCardBlob({ address, epoch: place.epoch + 1 }, content)
    const stranger = sealCardBlob({ ...place, address: primitives.randomBytes(64) }, content)
    const runs = new Set<string>()
    const text = (bytes: Bytes, at: number) => Buffer.from(bytes).toString("latin1", at, at + 8)
    for (let at = 0; at + 8 <= blob.bytes.length; at++) runs.add(text(blob.bytes, at))
    for (const { id, bytes } of [other, tomorrow, stranger]) {
      assert.notDeepEqual(id, blob.id)
      for (let at = 0; at + 8 <= bytes.length; at++)
        assert(!runs.has(text(bytes, at)), `a run in common at ${at}`)
    }
  })

  it("opens for no other address, day or digest", () => {
    const { digest, bytes } = blob
    const others = [
      openCardBlob({ ...place, address: primitives.randomBytes(64) }, digest, bytes),
      openCardBlob({ ...place, epoch: place.epoch + 1 }, digest, bytes),
      openCardBlob(place, primitives.randomBytes(32), bytes),
      openCardBlob(place, digest.slice(1), bytes),
    ]
    for (const opened of others) assert.equal(opened, undefined)
  })

  it("survives any change of one bit, any cut and anything appended: refused, never a crash", () => {
    const { id, digest, bytes } = blob
    const refused = (bad: Bytes) => {
      assert(!isCardBlob(id, bad))
      assert.equal(openCardBlob(place, digest, bad), undefined)
    }
    fc.assert(
      fc.property(fc.nat(CARD_BLOB_BYTES - 1), fc.nat(7), (at, bit) => {
        const bad = bytes.slice()
        bad[at]! ^= 1 << bit
        refused(bad)
      }),
      { numRuns: 30 },
    )
    fc.assert(
      fc.property(fc.nat(CARD_BLOB_BYTES - 1), (length) => refused(bytes.slice(0, length))),
      { numRuns: 30 },
    )
    refused(concat(bytes, utf8("x")))
    refused(new Uint8Array(0))
  })

  it("is refused when its owner sealed what is not canonical: version, lengths, padding", () => {
    const inside = (...head: readonly number[]) => {
      const bytes = new Uint8Array(CARD_BLOB_BYTES - 16)
      bytes.set(head)
      return sealedAs(bytes)
    }
    const none = [0, 0, 0, 0]
    const sound = inside(1, ...none, ...none)
    assert.deepEqual(openCardBlob(place, sound.digest, sound.bytes), {
      card: new Uint8Array(0),
      composite: null,
    })
    for (const bad of [
      inside(2, ...none, ...none),
      inside(1, ...none, ...none, 1),
      inside(1, 0, 1, 0, 0),
      inside(1, ...none, 0, 0, 255, 255),
      inside(1, 255, 255, 255, 255),
    ])
      assert.equal(openCardBlob(place, bad.digest, bad.bytes), undefined)
  })
})
