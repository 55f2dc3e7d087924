/** Joining the mesh: what entitles, once and for one commitment; everything that is not quite it is refused by name. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  decodeEvidence,
  decodeVoucher,
  encodeEvidence,
  encodeVoucher,
  isVouched,
  JOIN_WORK_BITS,
  joinByVoucher,
  joinByWork,
  joiningBytes,
  joinWorkId,
  judgeTitle,
  type JoinRule,
  newVoucher,
  spendOfVoucher,
  spendOfWork,
  VOUCHER_BYTES,
} from "../../src/consensus/join.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import { batchOf, decodeItem, encodeItem } from "../../src/consensus/item.ts"
import type { MemberAddItem } from "../../src/consensus/types.ts"
import { blake3 } from "../../src/crypto/blake3.ts"
import { type Bytes, equal, Writer } from "../../src/crypto/bytes.ts"
import { leadingZeroBits, powPrefix } from "../../src/crypto/pow.ts"
import { strictDecoder } from "../helpers/decoders.ts"
import { bench, hash } from "./parts.ts"

const parts = bench(4, "real")
const ledger = new Ledger(parts.rules)
const { set } = ledger
const { meshId } = parts.rules
const ada = parts.holderOf(set, 1)
const stranger = parts.ring.holder(6)
const PROOF = new Uint8Array(160).fill(9)
const anchor = hash("an anchor")
const rule: JoinRule = { meshId, isOpen: true, set, prices: [{ anchor, bits: 2 }] }

const voucherOf = ({ keys, sign }: typeof ada) =>
  newVoucher(meshId, keys.ed25519, (message) => sign(message).slice(0, 64))
const code = (item: MemberAddItem, by: Partial<JoinRule> = {}) => {
  const judged = judgeTitle(item, { ...rule, ...by })
  return "verdict" in judged ? `${judged.verdict} ${judged.code}` : "good"
}
const nonceFor = (id: Bytes, bits: number): Bytes => {
  for (let n = 0; ; n++) {
    const nonce = new Writer().u64(n).finish()
    if (leadingZeroBits(blake3(powPrefix(meshId, anchor, id), nonce)) >= bits) return nonce
  }
}

describe("a voucher", () => {
  it("lets one commitment in, whoever carries it", () => {
    const item = joinByVoucher(meshId, hash("me"), voucherOf(ada), PROOF)
    assert.equal(code(decodeItem(encodeItem(item)) as MemberAddItem), "good")
    const judged = judgeTitle(item, rule)
    assert.ok("proof" in judged && equal(judged.proof, PROOF))
  })

  it("has 129 bytes, strictly decoded, and can be looked at before it is used", () => {
    const voucher = voucherOf(ada)
    const bytes = encodeVoucher(voucher)
    assert.equal(bytes.length, VOUCHER_BYTES)
    strictDecoder(bytes, decodeVoucher, encodeVoucher)
    assert.ok(isVouched(meshId, set, voucher))
    assert.ok(!isVouched(hash("another mesh"), set, voucher))
    assert.ok(!isVouched(meshId, set, voucherOf(stranger)))
    assert.ok(!isVouched(meshId, set, { ...voucher, signature: voucherOf(ada).signature }))
  })

  it("cannot be forged, nor taken from who is seen using it", () => {
    const mine = joinByVoucher(meshId, hash("me"), voucherOf(ada), PROOF)
    assert.equal(
      code(joinByVoucher(meshId, hash("me"), voucherOf(stranger), PROOF)),
      "ignore JOIN_OPERATOR",
    )
    const forged = { ...voucherOf(stranger), operator: ada.keys.ed25519 }
    assert.equal(code(joinByVoucher(meshId, hash("me"), forged, PROOF)), "reject JOIN_VOUCHER")
    assert.equal(code({ ...mine, commitment: hash("thief") }), "reject JOIN_SIGNATURE")
    assert.equal(code({ ...mine, voucher: hash("unused") }), "reject JOIN_SPEND")
    const other = joinByVoucher(meshId, hash("me"), voucherOf(ada), PROOF)
    assert.equal(code({ ...mine, evidence: other.evidence }), "reject JOIN_SPEND")
    assert.equal(code(mine, { meshId: hash("another mesh") }), "reject JOIN_SPEND")
    assert.equal(code({ ...mine, evidence: PROOF }), "reject JOIN_EVIDENCE")
  })

  it("is used up: the ledger takes no second joining by it, and not the same one again after the member has left", () => {
    const own = new Ledger(parts.rules)
    const voucher = voucherOf(ada)
    const item = joinByVoucher(meshId, hash("me"), voucher, PROOF)
    own.apply(own.plan(batchOf([item])))
    assert.ok(own.fields.members.has(hash("me")))
    assert.ok(!own.allows(joinByVoucher(meshId, hash("you"), voucher, PROOF)))
    const remove = {
      type: "member-remove",
      commitment: hash("me"),
      term: 0,
      approvals: [],
    } as const
    own.apply(own.plan(batchOf([remove])))
    assert.ok(!own.fields.members.has(hash("me")))
    assert.ok(!own.allows(item), "a replay")
    const [[spend] = []] = own.vouchers
    assert.equal(spend, String.fromCharCode(...spendOfVoucher(meshId, voucher)))
  })
})

describe("work", () => {
  const me = hash("me")
  const bits = 2 + JOIN_WORK_BITS
  const nonce = nonceFor(joinWorkId(meshId, me), bits)
  const item = joinByWork(meshId, me, { anchor, nonce }, PROOF)

  it("lets in where the mesh is open, at the price of many envelopes", () => {
    assert.equal(code(item), "good")
    assert.equal(code(item, { isOpen: false }), "reject JOIN_POLICY")
    assert.equal(code(item, { prices: [{ anchor, bits: 40 }] }), "reject JOIN_WORK")
    assert.equal(code(item, { prices: [] }), "ignore JOIN_ANCHOR")
  })

  it("is for one commitment, once", () => {
    assert.equal(code({ ...item, commitment: hash("you") }), "reject JOIN_SPEND")
    const stolen = { ...item, commitment: hash("you"), voucher: spendOfWork(meshId, hash("you")) }
    assert.equal(code(stolen), "reject JOIN_WORK")
  })
})

describe("evidence", () => {
  it("has one encoding, strictly decoded", () => {
    const again = (bytes: Bytes) => encodeEvidence(decodeEvidence(bytes))
    for (const item of [
      joinByVoucher(meshId, hash("me"), voucherOf(ada), PROOF),
      joinByWork(meshId, hash("me"), { anchor, nonce: new Uint8Array(8) }, PROOF),
    ]) {
      assert.deepEqual(again(item.evidence), item.evidence)
      strictDecoder(item.evidence, decodeEvidence, encodeEvidence)
    }
    assert.equal(joiningBytes(meshId, hash("a"), hash("b")).length, 1 + 12 + 96)
  })
})
