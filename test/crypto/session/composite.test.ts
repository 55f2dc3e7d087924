import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Bytes, concat, utf8 } from "../../../src/crypto/bytes.ts"
import { primitives as native } from "../../../src/crypto/primitives/native.ts"
import { primitives as portable } from "../../../src/crypto/primitives/portable.ts"
import * as session from "../../../src/crypto/session.ts"
import {
  COMPOSITE_PUBLIC_BYTES,
  COMPOSITE_SIGNATURE_BYTES,
  generateComposite,
} from "../../../src/crypto/session/composite.ts"
import { SIGNATURES, signaturePublicOf } from "../../../src/crypto/session/signature.ts"
import { unwrap } from "../../../src/crypto/session/state.ts"
import { addition, forgeCommit, inline } from "./forge.ts"
import {
  adds,
  assertAgreed,
  groupOf,
  groupWith,
  NOW,
  Person,
  readmits,
  removes,
  rotates,
  updates,
} from "./story.ts"

const { composite } = SIGNATURES
const LATTICE = 4627
const message = utf8("what was said")

const flipped = (bytes: Bytes, at: number): Bytes => {
  const copy = bytes.slice()
  copy[at]! ^= 1
  return copy
}

describe("a composite signature", () => {
  const seed = generateComposite()
  const key = signaturePublicOf(seed)

  it("is ML-DSA-87 with the label as context, then Ed25519, both over M', by either implementation", async () => {
    // draft-ietf-lamps-pq-composite-sigs-19 §2.2: M' := Prefix || Label || len(ctx) || ctx || PH(M)
    const label = utf8("sotto/COMPSIG-MLDSA87-Ed25519-SHA512")
    const prefix = utf8("CompositeAlgorithmSignatures2025")
    const signed = concat(prefix, label, Uint8Array.of(0), native.sha512(message))
    assert.deepEqual(native.sha512(message), portable.sha512(message))
    const made = await composite.sign(seed, message)
    assert.equal(made.length, COMPOSITE_SIGNATURE_BYTES)
    assert.equal(key.length, COMPOSITE_PUBLIC_BYTES)
    for (const { mlDsa87, ed25519 } of [native, portable]) {
      const lattice = mlDsa87.importPublic(key.slice(0, 2592))
      const curve = ed25519.importPublic(key.slice(2592))
      assert(mlDsa87.verify(lattice, signed, made.slice(0, LATTICE), label))
      assert(!mlDsa87.verify(lattice, signed, made.slice(0, LATTICE)), "the context is part of it")
      assert(ed25519.verify(curve, signed, made.slice(LATTICE)))
      const again = concat(
        await mlDsa87.signAside(mlDsa87.importPrivate(seed.slice(0, 32)), signed, label),
        ed25519.sign(ed25519.importPrivate(seed.slice(32)), signed),
      )
      assert(await composite.verify(key, message, again), "and what the parts sign is one, too")
    }
  })

  it("is none when either half is forged, of another message, or missing", async () => {
    const made = await composite.sign(seed, message)
    const other = await composite.sign(seed, utf8("something else"))
    assert(await composite.verify(key, message, made))
    const forged = [
      flipped(made, 0),
      flipped(made, LATTICE - 1),
      flipped(made, LATTICE),
      flipped(made, made.length - 1),
      // One half of one signature beside the other half of another: each verifies, and neither for this.
      concat(made.slice(0, LATTICE), other.slice(LATTICE)),
      concat(other.slice(0, LATTICE), made.slice(LATTICE)),
      made.slice(0, LATTICE),
      made.slice(LATTICE),
      concat(made, Uint8Array.of(0)),
      new Uint8Array(0),
    ]
    for (const each of forged) assert.equal(await composite.verify(key, message, each), false)
  })

  it("is none under a key that shares one half only", async () => {
    const other = generateComposite()
    for (const mixed of [
      concat(seed.slice(0, 32), other.slice(32)),
      concat(other.slice(0, 32), seed.slice(32)),
    ]) {
      const made = await composite.sign(mixed, message)
      assert(await composite.verify(signaturePublicOf(mixed), message, made))
      assert.equal(await composite.verify(key, message, made), false)
    }
    for (const noKey of [key.slice(1), key.slice(0, 32), concat(key, Uint8Array.of(0))])
      assert.equal(
        await composite.verify(noKey, message, await composite.sign(seed, message)),
        false,
      )
  })

  it("serves for nothing but composite signatures", async () => {
    const made = await composite.sign(seed, message)
    const curve = native.ed25519.importPublic(key.slice(2592))
    assert(!native.ed25519.verify(curve, message, made.slice(LATTICE)))
  })
})

describe("a group with composite signatures", () => {
  it("lives as any other: talks, adds, removes, renews, rotates, readmits, and restarts", async () => {
    const [ada, ben, cleo] = await groupWith("composite", "ada", "ben", "cleo")
    assert.equal(session.signingOf(ben.state), "composite")
    assert.equal(await ben.reads(await ada.says("hello")), "hello")
    const dora = new Person("dora", "composite")
    await adds(ben, [dora], [ada, cleo])
    await updates(cleo, [ada, ben, dora])
    await rotates(dora, [ada, ben, cleo])
    for (const each of [ada, ben, cleo, dora]) each.restarts()
    assert.equal(await cleo.reads(await dora.says("new keys")), "new keys")
    await removes(ada, [ben], [cleo, dora])
    const again = await readmits(dora, cleo, [ada])
    await assertAgreed(ada, dora, again)
    assert.equal(await ada.reads(await again.says("back")), "back")
    for (const { signatureKey } of session.members(ada.state))
      assert.equal(signatureKey.length, session.SIGNATURE_KEY_BYTES.composite)
  })

  it("takes nobody in who cannot sign so, nor somebody who can into another group", async () => {
    const [ada, ben] = await groupWith("composite", "ada", "ben")
    const [eve, finn] = await groupOf("eve", "finn")
    const plain = await new Person("dora").keyPackage()
    const composite = await new Person("dora", "composite").keyPackage()
    for (const [by, reader, { public: wrong }] of [
      [ada, ben, plain],
      [eve, finn, composite],
    ] as const) {
      await assert.rejects(session.addMembers(by.state, [wrong], NOW), { code: "BAD_KEY_PACKAGE" })
      const forged = await forgeCommit(by.state, inline(addition(wrong)))
      const read = await session.process(reader.state, forged)
      assert(read.kind === "ignored" && read.code === "BAD_KEY_PACKAGE")
    }
    await assert.rejects(session.updateSelf(ada.state, new Person("ada").signatureSeed), {
      code: "BAD_LENGTH",
    })
  })

  for (const [half, where] of [
    ["post-quantum", 0],
    ["classical", 32],
  ] as const)
    it(`reads nothing of a member whose ${half} half is somebody else's`, async () => {
      const [ada, ben] = await groupWith("composite", "ada", "ben")
      const mls = unwrap(ada.state)
      const forger = mls.signaturePrivateKey.slice()
      forger.set(native.randomBytes(32), where)
      // Ada's own state, of whoever stole it but one of the two private keys.
      const { wrap } = await import("../../../src/crypto/session/state.ts")
      const thief = wrap({ ...mls, signaturePrivateKey: forger })
      const { message: said } = await session.encrypt(thief, utf8("trust me"))
      assert.equal(await ben.reads(said), "NOT_AUTHENTIC")
      const { commit } = await session.updateSelf(thief)
      const read = await session.process(ben.state, commit)
      assert(read.kind === "ignored" && read.code === "NOT_AUTHENTIC", "nor follows their commits")
      assert.equal(await ben.reads(await ada.says("it is me")), "it is me")
    })

  it("refuses a key package with either half of either signature forged", async () => {
    const { public: sound } = await new Person("dora", "composite").keyPackage()
    const accepted = await session.inspectKeyPackage(sound, NOW)
    assert(accepted.verdict === "accept")
    assert.equal(accepted.signatureKey.length, COMPOSITE_PUBLIC_BYTES)
    // The package's own signature is its end: the lattice half, then the curve's.
    for (const at of [sound.length - 64 - 100, sound.length - 10]) {
      const verdict = await session.inspectKeyPackage(flipped(sound, at), NOW)
      assert(verdict.verdict === "reject" && verdict.code === "BAD_SIGNATURE")
    }
    for (const half of [0, LATTICE]) {
      const forged = addition(sound, ({ leafNode }) => (leafNode.signature[half]! ^= 1))
      const [ada, ben] = await groupWith("composite", "ada", "ben")
      const read = await session.process(ben.state, await forgeCommit(ada.state, inline(forged)))
      assert(read.kind === "ignored" && read.code === "BAD_KEY_PACKAGE")
    }
  })
})
