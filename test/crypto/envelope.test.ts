import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  ADMISSION_BYTES,
  ENVELOPE_BYTES,
  envelopeId,
  importIntroPrivate,
  INTRO_PLAINTEXT_BYTES,
  openIntro,
  openThread,
  sealIntro,
  sealThread,
  tagOf,
  THREAD_PLAINTEXT_BYTES,
} from "../../src/crypto/envelope.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { epochKeys, threadKey, threadTag } from "../../src/crypto/tags.ts"
import { codeOf } from "../helpers/decoders.ts"

const meshId = new Uint8Array(32).fill(7)
const person = () => importIntroPrivate(primitives.randomBytes(32), primitives.randomBytes(64))
const bob = person()
const eve = person()
const intro = primitives.randomBytes(INTRO_PLAINTEXT_BYTES)
const text = primitives.randomBytes(THREAD_PLAINTEXT_BYTES)
const flip = (bytes: Uint8Array, at: number) => {
  const out = bytes.slice()
  out[at]! ^= 0x01
  return out
}

describe("envelope: exactly 4096 bytes, all alike", () => {
  it("has the layout of the design: 384 + 1568 + 16 + 2128, 2112 bytes of plaintext", () => {
    assert.equal(THREAD_PLAINTEXT_BYTES, 2112)
    assert.equal(INTRO_PLAINTEXT_BYTES, 2112 - 32 - 16)
    const envelope = sealThread(
      meshId,
      new Uint8Array(16).fill(9),
      primitives.randomBytes(32),
      text,
    )
    assert.equal(envelope.length, ENVELOPE_BYTES)
    assert.deepEqual(envelope.slice(1952, 1968), new Uint8Array(16).fill(9))
  })

  it("names the content, not the admission: the id covers bytes 384 to 4095 and no others", () => {
    const envelope = sealIntro(meshId, bob.public, intro)
    assert.deepEqual(envelopeId(envelope), primitives.sha3_256(envelope.slice(384)))
    assert.deepEqual(envelopeId(flip(envelope, ADMISSION_BYTES - 1)), envelopeId(envelope))
    assert.notDeepEqual(envelopeId(flip(envelope, ADMISSION_BYTES)), envelopeId(envelope))
    assert.notDeepEqual(envelopeId(flip(envelope, 4095)), envelopeId(envelope))
  })

  it("refuses any other length", () => {
    for (const length of [0, 4095, 4097]) {
      const wrong = new Uint8Array(length)
      assert.equal(
        codeOf(() => envelopeId(wrong)),
        "BAD_LENGTH",
      )
      assert.equal(
        codeOf(() => tagOf(wrong)),
        "BAD_LENGTH",
      )
      assert.equal(
        codeOf(() => openIntro(meshId, bob, wrong)),
        "BAD_LENGTH",
      )
      assert.equal(
        codeOf(() => openThread(meshId, primitives.randomBytes(32), wrong)),
        "BAD_LENGTH",
      )
    }
  })
})

describe("intro form: first contact", () => {
  it("opens for the recipient and for nobody else", () => {
    const envelope = sealIntro(meshId, bob.public, intro)
    assert.deepEqual(openIntro(meshId, bob, envelope), intro)
    assert.equal(openIntro(meshId, eve, envelope), undefined)
  })

  it("belongs to one mesh", () => {
    const envelope = sealIntro(meshId, bob.public, intro)
    assert.equal(openIntro(new Uint8Array(32), bob, envelope), undefined)
  })

  it("needs both secrets: the right ML-KEM key with another X25519 key recognises but does not read", () => {
    const seed = primitives.randomBytes(64)
    const mine = importIntroPrivate(primitives.randomBytes(32), seed)
    const halfBroken = importIntroPrivate(primitives.randomBytes(32), seed)
    const envelope = sealIntro(meshId, mine.public, intro)
    assert.deepEqual(openIntro(meshId, mine, envelope), intro)
    assert.equal(openIntro(meshId, halfBroken, envelope), undefined)
  })

  it("does not open when any byte from 384 on was changed; the admission may be", () => {
    const envelope = sealIntro(meshId, bob.public, intro)
    fc.assert(
      fc.property(fc.integer({ min: ADMISSION_BYTES, max: ENVELOPE_BYTES - 1 }), (at) => {
        assert.equal(openIntro(meshId, bob, flip(envelope, at)), undefined)
      }),
      { numRuns: 60 },
    )
    assert.deepEqual(openIntro(meshId, bob, flip(envelope, 0)), intro)
  })

  it("still is confidential to a recipient whose card has a small-order X25519 key", () => {
    const weak = { ...bob.public, x25519: new Uint8Array(32) }
    assert.equal(sealIntro(meshId, weak, intro).length, ENVELOPE_BYTES)
  })

  it("takes any 4096 bytes without crashing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), (bytes) => {
        assert.equal(openIntro(meshId, bob, bytes), undefined)
        assert.equal(openThread(meshId, new Uint8Array(32), bytes), undefined)
      }),
      { numRuns: 20 },
    )
  })
})

describe("thread form", () => {
  const epoch = epochKeys(primitives.randomBytes(32))

  it("opens under its one-message key and under no other", () => {
    const envelope = sealThread(meshId, threadTag(epoch, 0, 5), threadKey(epoch, 0, 5), text)
    assert.deepEqual(tagOf(envelope), threadTag(epoch, 0, 5))
    assert.deepEqual(openThread(meshId, threadKey(epoch, 0, 5), envelope), text)
    assert.equal(openThread(meshId, threadKey(epoch, 0, 6), envelope), undefined)
    assert.equal(openThread(meshId, threadKey(epoch, 1, 5), envelope), undefined)
    assert.equal(openThread(new Uint8Array(32), threadKey(epoch, 0, 5), envelope), undefined)
  })

  it("binds KEM slot and tag to the body, though the slot is a decoy", () => {
    const key = threadKey(epoch, 0, 7)
    const envelope = sealThread(meshId, threadTag(epoch, 0, 7), key, text)
    for (const at of [384, 1951, 1952, 1967, 1968, 4095])
      assert.equal(openThread(meshId, key, flip(envelope, at)), undefined)
  })

  it("gives every sender, counter and epoch its own tag and key", () => {
    const other = epochKeys(primitives.randomBytes(32))
    const seen = new Set<string>()
    for (const keys of [epoch, other])
      for (let leaf = 0; leaf < 3; leaf++)
        for (let counter = 0; counter < 40; counter++) {
          seen.add(Buffer.from(threadTag(keys, leaf, counter)).toString("hex"))
          seen.add(Buffer.from(threadKey(keys, leaf, counter)).toString("hex"))
        }
    assert.equal(seen.size, 2 * 2 * 3 * 40)
  })

  it("shares no 8 bytes with another message of the same thread, nor with an intro, outside the zero admission", () => {
    const samples = [
      sealThread(meshId, threadTag(epoch, 0, 1), threadKey(epoch, 0, 1), text),
      sealThread(meshId, threadTag(epoch, 0, 2), threadKey(epoch, 0, 2), text),
      sealIntro(meshId, bob.public, intro),
      sealIntro(meshId, bob.public, intro),
    ]
    const seen = new Set<string>()
    for (const envelope of samples) {
      const own = new Set<string>()
      for (let at = ADMISSION_BYTES; at + 8 <= ENVELOPE_BYTES; at++)
        own.add(Buffer.from(envelope.subarray(at, at + 8)).toString("hex"))
      for (const run of own) {
        assert(!seen.has(run), `two envelopes share ${run}`)
        seen.add(run)
      }
    }
  })
})
