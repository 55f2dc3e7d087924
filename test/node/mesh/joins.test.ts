/** Judging joinings: the proof is looked at last and once, what it is bound to is all of the item, and one voucher makes one attempt. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { joinByVoucher, joiningBytes, newVoucher } from "../../../src/consensus/join.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import type { MemberAddItem } from "../../../src/consensus/types.ts"
import { fieldOfHash } from "../../../src/crypto/membership/field.ts"
import type { Claim } from "../../../src/crypto/membership/groth16.ts"
import { joinClaim } from "../../../src/crypto/membership/join.ts"
import { MeshJoins } from "../../../src/node/mesh/joins.ts"
import { VerifyError } from "../../../src/node/membership/verify.ts"
import { bench, hash } from "../../consensus/parts.ts"

const parts = bench(4, "real")
const { set } = new Ledger(parts.rules)
const { meshId } = parts.rules
const ada = parts.holderOf(set, 0)
const PROOF = new Uint8Array(160).fill(9)

const voucher = () => newVoucher(meshId, ada.keys.ed25519, (bytes) => ada.sign(bytes).slice(0, 64))
const commitment = (name: string) => fieldOfHash(hash(name))

function judgeOf(holds: (claim: Claim) => boolean | Promise<boolean> = () => true) {
  const claims: Claim[] = []
  let nowMs = 0
  const joins = new MeshJoins({
    rule: () => ({ meshId, isOpen: false, set, prices: [] }),
    verify: async (claim) => {
      claims.push(claim)
      return await holds(claim)
    },
    nowMs: () => nowMs,
  })
  const code = async (item: MemberAddItem) => {
    const verdict = await joins.judge(item)
    return verdict.verdict === "accept" ? "accept" : `${verdict.verdict} ${verdict.code}`
  }
  return { claims, code, later: (ms: number) => (nowMs += ms) }
}

describe("joinings", () => {
  it("are taken when the proof holds for all that the item says", async () => {
    const { claims, code } = judgeOf()
    const item = joinByVoucher(meshId, commitment("me"), voucher(), PROOF)
    assert.equal(await code(item), "accept")
    const said = joiningBytes(meshId, item.commitment, item.voucher)
    assert.deepEqual(claims, [joinClaim(meshId, item.commitment, said, PROOF)])
  })

  it("are refused when it does not hold, or is none; and when it cannot be known now, they may come again", async () => {
    const item = joinByVoucher(meshId, commitment("me"), voucher(), PROOF)
    assert.equal(await judgeOf(() => false).code(item), "reject JOIN_PROOF")
    const short = joinByVoucher(meshId, commitment("me"), voucher(), PROOF.slice(1))
    const { claims, code } = judgeOf()
    assert.equal(await code(short), "reject JOIN_PROOF")
    assert.equal(claims.length, 0)
    const busy = judgeOf(() => Promise.reject(new VerifyError("QUEUE_FULL", "full")))
    assert.equal(await busy.code(item), "ignore OVERLOADED")
  })

  it("cost no proof when what entitles is wrong", async () => {
    const { claims, code } = judgeOf()
    const item = joinByVoucher(meshId, commitment("me"), voucher(), PROOF)
    assert.equal(await code({ ...item, commitment: commitment("thief") }), "reject JOIN_SIGNATURE")
    assert.equal(claims.length, 0)
  })

  it("are passed on again when they are said again, unchecked; another one by the same voucher is not", async () => {
    const { claims, code, later } = judgeOf()
    const ticket = voucher()
    const item = joinByVoucher(meshId, commitment("me"), ticket, PROOF)
    assert.equal(await code(item), "accept")
    assert.equal(await code(item), "ignore DUPLICATE")
    later(60_000)
    assert.equal(await code(item), "accept")
    assert.equal(claims.length, 1)
    const second = joinByVoucher(meshId, commitment("my other self"), ticket, PROOF)
    assert.equal(await code(second), "ignore JOIN_PENDING")
  })
})
