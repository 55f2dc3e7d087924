import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { primitives } from "#primitives"
import { utf8 } from "../../../src/crypto/bytes.ts"
import { primitives as native } from "../../../src/crypto/primitives/native.ts"
import { primitives as portable } from "../../../src/crypto/primitives/portable.ts"
import type { Signer } from "../../../src/crypto/primitives/types.ts"

describe("#primitives", () => {
  it("is the native implementation on Node", () => {
    assert.equal(primitives, native)
  })
  for (const p of [native, portable])
    it(`${p.implementation}: signs, agrees and encapsulates`, () => {
      const schemes: readonly Signer<string>[] = [p.ed25519, p.mlDsa65, p.mlDsa87]
      for (const scheme of schemes) {
        const key = scheme.importPrivate(scheme.generate())
        const verifier = scheme.importPublic(scheme.publicFromPrivate(key))
        const signature = scheme.sign(key, utf8("hello"))
        assert.equal(scheme.verify(verifier, utf8("hello"), signature), true, scheme.name)
        assert.equal(scheme.verify(verifier, utf8("hullo"), signature), false, scheme.name)
      }
      const kem = p.mlKem1024
      const key = kem.privateFromSeed(p.randomBytes(kem.seedBytes))
      const { ciphertext, secret } = kem.encapsulate(kem.importPublic(kem.publicFromPrivate(key)))
      assert.deepEqual(kem.decapsulate(key, ciphertext), secret)
      const [a, b] = [
        p.x25519.importPrivate(p.randomBytes(32)),
        p.x25519.importPrivate(p.randomBytes(32)),
      ]
      assert.deepEqual(
        p.x25519.agree(a, p.x25519.publicFromPrivate(b)),
        p.x25519.agree(b, p.x25519.publicFromPrivate(a)),
      )
      assert.equal(p.x25519.agree(a, new Uint8Array(32)), undefined)
      const sealed = p.aesGcmSeal(secret, new Uint8Array(12), utf8("hello"))
      assert.deepEqual(p.aesGcmOpen(secret, new Uint8Array(12), sealed), utf8("hello"))
      assert.equal(p.aesGcmOpen(secret, new Uint8Array(12), sealed, utf8("x")), undefined)
    })
})
