import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  accepted,
  added,
  type ChatContact,
  introduced,
  STANDINGS,
  verified,
} from "../../src/chat/contact.ts"
import { claimedBy, folded, withClaim } from "../../src/chat/names.ts"
import { addressFromBytes } from "../../src/crypto/address.ts"

const address = (n: number) => addressFromBytes(new Uint8Array(64).fill(n))
const friend = (n: number, name: string, change: Partial<ChatContact> = {}): ChatContact => ({
  ...introduced(undefined, address(n), name),
  standing: "accepted",
  ...change,
})
const stranger = (n: number, name: string) => introduced(undefined, address(n), name)

describe("names: when somebody would be taken for somebody else", () => {
  it("compare without case, accents, spaces, marks, what does not show, and common look-alikes", () => {
    for (const name of ["Bob", " b o b ", "BÓB", "b\u200bob", "«Bob»", "Воb", "b0b", "ｂｏｂ"])
      assert.equal(folded(name), "bob", name)
    for (const name of ["Bo", "Rob", "bob 2", "bobby"]) assert.notEqual(folded(name), "bob", name)
    assert.equal(folded("🦊"), "🦊", "a name of signs alone is what it is")
    assert.notEqual(folded("🦊"), folded("🐻"))
  })

  it("fold once for all", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (name) => {
        assert.equal(folded(folded(name)), folded(name))
      }),
    )
  })

  it("are claimed from whom the user knows, the verified first; never from requests or undecided claims", () => {
    const known = [
      friend(1, "bob", { standing: "pending" }),
      friend(2, "Bob"),
      friend(3, "BOB", { verified: true }),
      stranger(4, "bob"),
      friend(5, "bob", { verified: true, claims: address(3) }),
    ]
    assert.equal(claimedBy(known, address(9), "bob"), address(3))
    assert.equal(claimedBy(known.slice(0, 2), address(9), "bob"), address(2))
    assert.equal(claimedBy(known.slice(3), address(9), "bob"), null)
    assert.equal(claimedBy([friend(2, "bob")], address(2), "bob"), null, "nobody claims themselves")
    assert.equal(
      claimedBy([friend(2, "bob", { standing: "blocked" })], address(9), "b o b"),
      address(2),
    )
    assert.equal(
      claimedBy([friend(2, "my brother", { theirName: "Bob" })], address(9), "bob"),
      address(2),
      "what they call themselves counts as well as the petname",
    )
  })

  it("raise a claim when they are said first, and not again once it was decided", () => {
    const others = [friend(1, "bob")]
    const first = withClaim(undefined, stranger(9, "Bob"), "Bob", others)
    assert.equal(first.claims, address(1))
    const decided = accepted(first)
    assert.deepEqual([decided.claims, decided.standing], [null, "accepted"])
    const renamed = withClaim(decided, { ...decided, theirName: "Rob" }, "Rob", others)
    assert.equal(renamed.claims, null)
    const again = withClaim(renamed, { ...renamed, theirName: "Bob" }, "Bob", others)
    assert.equal(again.claims, null, "the user has let this one bear that name")
    const carol = [...others, friend(2, "carol")]
    assert.equal(withClaim(decided, decided, "Carol", carol).claims, address(2))
  })

  it("raise none against whom the user has verified, and none for who is blocked", () => {
    const others = [friend(1, "bob")]
    const proven = verified(friend(9, "carol"))
    assert.equal(withClaim(proven, proven, "Bob", others).claims, null)
    const blocked = friend(9, "carol", { standing: "blocked" })
    assert.equal(withClaim(blocked, blocked, "Bob", others).claims, null)
  })
})

describe("verification: comparing decides who somebody is", () => {
  it("lets in who asked or claimed, leaves the blocked out, and marks only the one compared", () => {
    const claim = withClaim(undefined, stranger(9, "Bob"), "Bob", [friend(1, "bob")])
    const after = verified(claim)
    assert.deepEqual([after.standing, after.claims, after.verified], ["accepted", null, true])
    const pending = verified(added(undefined, address(3), "dora"))
    assert.deepEqual([pending.standing, pending.verified], ["pending", true])
    for (const standing of STANDINGS) {
      const result = verified(friend(4, "eve", { standing }))
      assert.equal(result.standing === "blocked", standing === "blocked")
    }
  })
})
