import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { primitives } from "#primitives"
import { gcm } from "@noble/ciphers/aes.js"
import { x25519 } from "@noble/curves/ed25519.js"
import { expand, extract } from "@noble/hashes/hkdf.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { type Bytes, concat, fromHex, toHex, utf8 } from "../../../src/crypto/bytes.ts"
import { primitives as portable } from "../../../src/crypto/primitives/portable.ts"
import { type HpkeSuite, keySchedule, labeled, makeHpke } from "../../../src/crypto/session/hpke.ts"
import * as kem from "../../../src/crypto/session/kem.ts"

// RFC 9180, appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.
const RFC = {
  info: fromHex("4f6465206f6e2061204772656369616e2055726e"),
  skE: fromHex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736"),
  enc: fromHex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"),
  skR: fromHex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"),
  pkR: fromHex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d"),
  sharedSecret: fromHex("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"),
  key: "4531685d41d65f03dc48f6b8302c05b0",
  nonce: "56d890e5accaaf011cff4b7d",
  exporter: "45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8",
  plaintext: fromHex("4265617574792069732074727574682c20747275746820626561757479"),
  associated: fromHex("436f756e742d30"),
  sealed:
    "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
  exported: [
    ["", "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee"],
    ["00", "2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5"],
    ["54657374436f6e74657874", "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931"],
  ],
} as const

const rfcSuite: HpkeSuite = {
  kemId: 0x0020,
  kdfId: 0x0001,
  aeadId: 0x0001,
  hashBytes: 32,
  keyBytes: 16,
  nonceBytes: 12,
  extract: (salt, secret) => extract(sha256, secret, salt),
  expand: (prk, info, length) => expand(sha256, prk, info, length),
}

/** DHKEM(X25519), RFC 9180 §4.1, with the RFC's ephemeral key instead of a random one. */
function dhkem(dh: Bytes): Bytes {
  const kdf = labeled(concat(utf8("KEM"), Uint8Array.of(0x00, 0x20)), rfcSuite)
  const prk = kdf.extract(new Uint8Array(0), "eae_prk", dh)
  return kdf.expand(prk, "shared_secret", concat(RFC.enc, RFC.pkR), 32)
}

const rfcHpke = makeHpke<Bytes, Bytes>({
  ...rfcSuite,
  encapsulate: (to) => ({
    ciphertext: RFC.enc,
    secret: dhkem(x25519.getSharedSecret(RFC.skE, to)),
  }),
  decapsulate: (key, ciphertext) => dhkem(x25519.getSharedSecret(key, ciphertext)),
  seal: (key, nonce, plaintext, associated) => gcm(key, nonce, associated).encrypt(plaintext),
  open: (key, nonce, sealed, associated) => gcm(key, nonce, associated).decrypt(sealed),
})

describe("HPKE, RFC 9180", () => {
  it("derives the RFC's key, nonce and exporter secret", () => {
    const schedule = keySchedule(rfcSuite, RFC.sharedSecret, RFC.info)
    assert.equal(toHex(schedule.key), RFC.key)
    assert.equal(toHex(schedule.nonce), RFC.nonce)
    assert.equal(toHex(schedule.exporter), RFC.exporter)
  })

  it("seals to the RFC's bytes and opens them", () => {
    const made = rfcHpke.seal(RFC.pkR, RFC.info, RFC.associated, RFC.plaintext)
    assert.equal(toHex(made.sealed), RFC.sealed)
    assert.deepEqual(made.encapsulated, RFC.enc)
    assert.deepEqual(rfcHpke.open(RFC.skR, made, RFC.info, RFC.associated), RFC.plaintext)
  })

  it("exports the RFC's secrets on both sides", () => {
    for (const [context, secret] of RFC.exported) {
      const sent = rfcHpke.sendExport(RFC.pkR, RFC.info, fromHex(context), 32)
      assert.equal(toHex(sent.secret), secret)
      const received = rfcHpke.receiveExport(RFC.skR, RFC.enc, RFC.info, fromHex(context), 32)
      assert.equal(toHex(received), secret)
    }
  })
})

describe("the hybrid KEM", () => {
  const seed = primitives.sha3_256(utf8("a private key"))
  const key = kem.importHybridPrivate(seed)

  it("gives both sides one secret, and a stranger another", () => {
    const { ciphertext, secret } = kem.encapsulateHybrid(kem.importHybridPublic(key.publicRaw))
    assert.equal(ciphertext.length, kem.HYBRID_CIPHERTEXT_BYTES)
    assert.deepEqual(kem.decapsulateHybrid(key, ciphertext), secret)
    assert.notDeepEqual(kem.decapsulateHybrid(kem.generateHybrid(), ciphertext), secret)
  })

  it("derives the same key pair from the same secret", () => {
    assert.deepEqual(kem.importHybridPrivate(seed).publicRaw, key.publicRaw)
    assert.deepEqual(kem.deriveHybrid(seed).publicRaw, kem.deriveHybrid(seed).publicRaw)
    assert.notDeepEqual(kem.deriveHybrid(seed).publicRaw, key.publicRaw)
  })

  it("hashes both secrets, the whole ciphertext and the whole public key, in the order it says", () => {
    const { ciphertext, secret } = kem.encapsulateHybrid(kem.importHybridPublic(key.publicRaw))
    const split = primitives.mlKem1024.ciphertextBytes
    const [ctM, epkX] = [ciphertext.slice(0, split), ciphertext.slice(split)]
    const [pkM, pkX] = [key.publicRaw.slice(0, 1568), key.publicRaw.slice(1568)]
    const ssM = primitives.mlKem1024.decapsulate(key.lattice, ctM)
    const ssX = primitives.x25519.agree(key.scalar, epkX)
    assert(ssX !== undefined)
    const label = utf8("sotto/kem/x25519-ml-kem-1024/1")
    assert.deepEqual(primitives.sha3_256(label, ssM, ssX, ctM, epkX, pkX, pkM), secret)
  })

  it("is the same over the portable primitives", () => {
    const { ciphertext, secret } = kem.encapsulateHybrid(kem.importHybridPublic(key.publicRaw))
    const label = "sotto/kem/x25519-ml-kem-1024/1"
    const expanded = portable.hkdfSha3_256(seed, new Uint8Array(0), utf8(`${label}/expand`), 96)
    const lattice = portable.mlKem1024.privateFromSeed(expanded.slice(0, 64))
    const scalar = portable.x25519.importPrivate(expanded.slice(64))
    const pkM = portable.mlKem1024.publicFromPrivate(lattice)
    const pkX = portable.x25519.publicFromPrivate(scalar)
    assert.deepEqual(concat(pkM, pkX), key.publicRaw)
    const ssM = portable.mlKem1024.decapsulate(lattice, ciphertext.slice(0, 1568))
    const ssX = portable.x25519.agree(scalar, ciphertext.slice(1568))
    assert(ssX !== undefined)
    assert.deepEqual(portable.sha3_256(utf8(label), ssM, ssX, ciphertext, pkX, pkM), secret)
  })

  it("gives another secret when any part of the ciphertext is altered", () => {
    const { ciphertext, secret } = kem.encapsulateHybrid(kem.importHybridPublic(key.publicRaw))
    for (const at of [0, 700, 1567, 1568, 1590]) {
      const altered = ciphertext.slice()
      altered[at]! ^= 1
      assert.notDeepEqual(kem.decapsulateHybrid(key, altered), secret, `byte ${at}`)
    }
  })

  it("refuses small-order points and wrong lengths", () => {
    const zeroPoint = concat(key.publicRaw.slice(0, 1568), new Uint8Array(32))
    assert.throws(() => kem.encapsulateHybrid(kem.importHybridPublic(zeroPoint)), {
      code: "BAD_KEY",
    })
    const { ciphertext } = kem.encapsulateHybrid(kem.importHybridPublic(key.publicRaw))
    const zeroEphemeral = concat(ciphertext.slice(0, 1568), new Uint8Array(32))
    assert.throws(() => kem.decapsulateHybrid(key, zeroEphemeral), { code: "BAD_KEY" })
    for (const wrong of [new Uint8Array(0), ciphertext.slice(1), concat(ciphertext, ciphertext)])
      assert.throws(() => kem.decapsulateHybrid(key, wrong), { code: "BAD_LENGTH" })
    assert.throws(() => kem.importHybridPublic(key.publicRaw.slice(1)), { code: "BAD_LENGTH" })
    assert.throws(() => kem.importHybridPrivate(seed.slice(1)), { code: "BAD_LENGTH" })
  })

  it("refuses a lattice key with coefficients out of range", () => {
    const wild = key.publicRaw.slice()
    wild.fill(0xff, 0, 384)
    assert.throws(() => kem.importHybridPublic(wild), { code: "BAD_KEY" })
  })
})
