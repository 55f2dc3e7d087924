import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { concat, utf8 } from "../../src/crypto/bytes.ts"
import {
  blindName,
  decodeKeyfile,
  encodeUnprotected,
  newStretching,
  openRecord,
  openVault,
  passphraseBytes,
  sealRecord,
  type Stretching,
  unwrapVaultKey,
  wrapVaultKey,
} from "../../src/crypto/keyfile.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const vaultKey = primitives.randomBytes(32)
/** The real thing with a cost that a test can pay. */
const stretching: Stretching = { ...newStretching(), cost: { memoryKiB: 64, passes: 1, lanes: 1 } }
const stretch = (passphrase: string) =>
  primitives.argon2id(passphraseBytes(passphrase), stretching.salt, stretching.cost, 32)

function protectedFile() {
  const bytes = wrapVaultKey(vaultKey, stretching, stretch("correct horse"))
  const file = decodeKeyfile(bytes)
  assert(file.mode === "protected")
  return { bytes, file }
}

describe("key file: one passphrase, one random vault key", () => {
  it("opens with the passphrase, however its accents were typed, and with no other", () => {
    const { file } = protectedFile()
    assert.deepEqual(unwrapVaultKey(file, stretch("correct horse")), vaultKey)
    assert.equal(
      codeOf(() => unwrapVaultKey(file, stretch("correct hors"))),
      "WRONG_PASSPHRASE",
    )
    assert.deepEqual(stretch("caf\u00e9"), stretch("cafe\u0301"))
  })

  it("does not hold the vault key in the clear, and does not open when altered", () => {
    const { bytes } = protectedFile()
    assert.equal(Buffer.from(bytes).includes(Buffer.from(vaultKey)), false)
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const altered = bytes.slice()
        altered[bit >> 3]! ^= 1 << (bit & 7)
        const code = codeOf(() => {
          const file = decodeKeyfile(altered)
          assert(file.mode === "protected")
          unwrapVaultKey(file, stretch("correct horse"))
        })
        assert.match(code, /^(WRONG_PASSPHRASE|BAD_)/)
      }),
    )
  })

  it("is strictly decoded in both modes and refuses an absurd cost", () => {
    strictDecoder(protectedFile().bytes, decodeKeyfile)
    strictDecoder(encodeUnprotected(vaultKey), decodeKeyfile)
    const greedy = protectedFile().bytes
    greedy[2] = 0xff
    assert.equal(
      codeOf(() => decodeKeyfile(greedy)),
      "BAD_ENCODING",
    )
  })

  it("asks for 64 MiB and three passes by default", () => {
    assert.deepEqual(newStretching().cost, { memoryKiB: 65_536, passes: 3, lanes: 1 })
  })
})

describe("vault: private records are sealed, their names blinded", () => {
  const vault = openVault(vaultKey)
  const at = utf8("where it lies")

  it("opens what it sealed, at the place where it was put", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (plaintext) => {
        assert.deepEqual(openRecord(vault, at, sealRecord(vault, at, plaintext)), plaintext)
      }),
    )
    const sealed = sealRecord(vault, at, utf8("hello"))
    assert.equal(
      codeOf(() => openRecord(vault, utf8("elsewhere"), sealed)),
      "BAD_SIGNATURE",
    )
    assert.equal(
      codeOf(() => openRecord(openVault(primitives.randomBytes(32)), at, sealed)),
      "BAD_SIGNATURE",
    )
    assert.equal(
      codeOf(() => openRecord(vault, at, sealed.slice(0, 11))),
      "BAD_SIGNATURE",
    )
    assert.equal(
      codeOf(() => openRecord(vault, at, concat(sealed, new Uint8Array(1)))),
      "BAD_SIGNATURE",
    )
  })

  it("never seals two records alike, and names depend on the vault", () => {
    assert.notDeepEqual(sealRecord(vault, at, at), sealRecord(vault, at, at))
    assert.deepEqual(blindName(vault, "contact/ada"), blindName(vault, "contact/ada"))
    assert.notDeepEqual(blindName(vault, "contact/ada"), blindName(vault, "contact/bob"))
    assert.notDeepEqual(
      blindName(vault, "contact/ada"),
      blindName(openVault(primitives.randomBytes(32)), "contact/ada"),
    )
  })
})
