/** The floors under everything else: what one cryptographic operation costs with keys already imported. */
import { primitives as p } from "#primitives"
import type { Signer } from "../src/crypto/primitives/types.ts"
import type { Bench, Result } from "./bench.ts"
import { timeCall } from "./bench.ts"

export const primitivesBench: Bench = { name: "primitives", run: () => Promise.resolve(results()) }

function results(): Result[] {
  return [...keyAgreement(), ...signatures(), ...symmetric()]
}

function keyAgreement(): Result[] {
  const key = p.mlKem1024.privateFromSeed(p.randomBytes(p.mlKem1024.seedBytes))
  const raw = p.mlKem1024.publicFromPrivate(key)
  const peer = p.mlKem1024.importPublic(raw)
  const { ciphertext } = p.mlKem1024.encapsulate(peer)
  const scalar = p.x25519.importPrivate(p.randomBytes(32))
  const point = p.x25519.publicFromPrivate(scalar)
  return [
    timeCall("floor.ml_kem_1024_decap_us", () => p.mlKem1024.decapsulate(key, ciphertext)),
    timeCall("floor.ml_kem_1024_encap_us", () => p.mlKem1024.encapsulate(peer)),
    timeCall("floor.ml_kem_1024_import_public_us", () => p.mlKem1024.importPublic(raw)),
    timeCall("floor.x25519_agree_us", () => p.x25519.agree(scalar, point)),
  ]
}

function signatures(): Result[] {
  const message = p.randomBytes(256)
  const schemes: readonly Signer<string>[] = [p.ed25519, p.mlDsa65]
  return schemes.flatMap((scheme) => {
    const key = scheme.importPrivate(scheme.generate())
    const verifier = scheme.importPublic(scheme.publicFromPrivate(key))
    const signature = scheme.sign(key, message)
    const name = scheme.name.replaceAll("-", "_")
    return [
      timeCall(`floor.${name}_sign_us`, () => scheme.sign(key, message)),
      timeCall(`floor.${name}_verify_us`, () => scheme.verify(verifier, message, signature)),
    ]
  })
}

function symmetric(): Result[] {
  const [key, nonce, text] = [p.randomBytes(32), p.randomBytes(12), p.randomBytes(1024)]
  const sealed = p.aesGcmSeal(key, nonce, text)
  return [
    timeCall("floor.aes_gcm_seal_1kib_us", () => p.aesGcmSeal(key, nonce, text)),
    timeCall("floor.aes_gcm_open_1kib_us", () => p.aesGcmOpen(key, nonce, sealed)),
    timeCall("floor.sha3_256_1kib_us", () => p.sha3_256(text)),
    timeCall("floor.hmac_sha3_256_us", () => p.hmacSha3_256(key, nonce)),
    timeCall("floor.hkdf_sha3_256_us", () => p.hkdfSha3_256(key, nonce, nonce, 44)),
  ]
}
