import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { blake3 } from "../../src/crypto/blake3.ts"
import { ENVELOPE_BYTES, envelopeId } from "../../src/crypto/envelope.ts"
import {
  leadingZeroBits,
  powPrefix,
  verifyProofOfWork,
  writeProofOfWork,
} from "../../src/crypto/pow.ts"

const meshId = new Uint8Array(32).fill(1)
const anchor = new Uint8Array(32).fill(2)
const rule = { meshId, prices: [{ anchor, bits: 6 }] }

function nonceWhere(envelope: Uint8Array, good: (bits: number) => boolean): Uint8Array {
  const nonce = Buffer.alloc(8)
  for (let i = 0; i < 100_000; i++) {
    nonce.writeUInt32BE(i, 4)
    const work = blake3(powPrefix(meshId, anchor, envelopeId(envelope)), nonce)
    if (good(leadingZeroBits(work))) return new Uint8Array(nonce)
  }
  return assert.fail("no nonce found")
}

const envelope = new Uint8Array(ENVELOPE_BYTES).fill(3)
const worked = writeProofOfWork(
  envelope,
  anchor,
  nonceWhere(envelope, (bits) => bits >= 6),
)
const judge = (bytes: Uint8Array, of = rule) => {
  const verdict = verifyProofOfWork(of, bytes)
  return verdict.verdict === "accept" ? "accept" : `${verdict.verdict} ${verdict.code}`
}
const withByte = (at: number, value: number) => {
  const out = worked.slice()
  out[at] = value
  return out
}

describe("proof of work: admission for those who are not members yet", () => {
  it("accepts enough work on this mesh, this anchor and this envelope", () => {
    assert.equal(judge(worked), "accept")
    const [price] = rule.prices
    const dear = { anchor: new Uint8Array(32), bits: 60 }
    assert.equal(judge(worked, { ...rule, prices: [dear, price!] }), "accept")
  })

  it("[REJECT] too little work, another kind, non-zero padding", () => {
    const lazy = nonceWhere(envelope, (bits) => bits < 6)
    assert.equal(judge(writeProofOfWork(envelope, anchor, lazy)), "reject POW_BITS")
    assert.equal(judge(withByte(0, 1)), "reject POW_KIND")
    assert.equal(judge(withByte(0, 0)), "reject POW_KIND")
    assert.equal(judge(withByte(41, 1)), "reject POW_PADDING")
    assert.equal(judge(withByte(383, 1)), "reject POW_PADDING")
  })

  it("[IGNORE] an anchor that is not known here: an honest neighbour may be ahead", () => {
    assert.equal(judge(worked, { ...rule, prices: [] }), "ignore POW_ANCHOR")
    assert.equal(judge(withByte(1, 9)), "ignore POW_ANCHOR")
  })

  it("asks for what its own anchor costs, whatever another does", () => {
    const now = { anchor: new Uint8Array(32), bits: 2 }
    assert.equal(judge(worked, { meshId, prices: [now, { anchor, bits: 60 }] }), "reject POW_BITS")
  })

  it("cannot be carried over to another envelope or another mesh", () => {
    const other = new Uint8Array(ENVELOPE_BYTES).fill(4)
    const nonce = worked.slice(33, 41)
    const moved = writeProofOfWork(other, anchor, nonce)
    const bits = leadingZeroBits(blake3(powPrefix(meshId, anchor, envelopeId(other)), nonce))
    assert.equal(judge(moved), bits >= 6 ? "accept" : "reject POW_BITS")
    const strict = { ...rule, prices: [{ anchor, bits: 40 }] }
    assert.equal(judge(worked, strict), "reject POW_BITS")
    assert.equal(judge(worked, { ...strict, meshId: new Uint8Array(32) }), "reject POW_BITS")
  })

  it("counts leading zero bits like a human reading binary", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (hash) => {
        const binary = Array.from(hash, (byte) => byte.toString(2).padStart(8, "0")).join("")
        const one = binary.indexOf("1")
        assert.equal(leadingZeroBits(hash), one === -1 ? binary.length : one)
      }),
    )
  })

  it("leaves the input envelope as it was", () => {
    const before = envelope.slice()
    writeProofOfWork(envelope, anchor, new Uint8Array(8))
    assert.deepEqual(envelope, before)
  })
})
