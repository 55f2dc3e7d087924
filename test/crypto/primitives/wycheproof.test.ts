// Project Wycheproof: keys, signatures and ciphertexts that implementations have got wrong (test/vectors/wycheproof).
import { ml_dsa87 } from "@noble/post-quantum/ml-dsa.js"
import { ml_kem1024 } from "@noble/post-quantum/ml-kem.js"
import { concat, equal } from "../../../src/crypto/bytes.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { readVectors } from "../../helpers/vectors.ts"
import { hex, hold, is as isWritten, portable } from "./held.ts"
import type { Case } from "./held.ts"

interface Test {
  readonly tcId: number
  readonly comment?: string
  readonly flags: readonly string[]
  readonly result: "valid" | "invalid" | "acceptable"
}
/** Fields that a case may lack, a context say, are read as empty. */
type Fields<Name extends string> = Test & Readonly<Partial<Record<Name, string>>>
const bytes = (written: string | undefined) => hex(written ?? "")
const is = (found: Bytes, written: string | undefined) => isWritten(found, written ?? "")

/** Every test of a file as a case; `use` says how to observe one, `Head` what its group adds. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the shape of a file is its reader's claim
function cases<Name extends string, Head = unknown>(
  path: string,
  use: (test: Fields<Name>, group: Head) => Partial<Case> & Pick<Case, "observe">,
): Case[] {
  const { testGroups } = readVectors(`wycheproof/${path}_test.json`) as {
    testGroups: readonly (Head & { tests: readonly Fields<Name>[] })[]
  }
  return testGroups.flatMap((group) =>
    group.tests.map((test) => ({
      id: `${path} ${test.tcId} ${test.comment ?? ""}`,
      expected: test.result === "valid",
      ...use(test, group),
    })),
  )
}

hold(
  "AES-256-GCM seals to the published bytes, and opens nothing else",
  cases<"key" | "iv" | "aad" | "msg" | "ct" | "tag">("aes_gcm", ({ result, ...t }) => ({
    observe: (p) => {
      const sealed = concat(bytes(t.ct), bytes(t.tag))
      const opened = p.aesGcmOpen(bytes(t.key), bytes(t.iv), sealed, bytes(t.aad))
      const again = p.aesGcmSeal(bytes(t.key), bytes(t.iv), bytes(t.msg), bytes(t.aad))
      // An invalid case must fail to open; that it does not seal to those bytes either is implied, and checked.
      if (equal(again, sealed) !== (result === "valid")) throw new Error("sealed to other bytes")
      return opened !== undefined && is(opened, t.msg)
    },
  })),
  { ran: 33 },
)

hold(
  "HMAC-SHA3-256 gives the published tag, whole or truncated",
  cases<"key" | "msg" | "tag", { tagSize: number }>("hmac_sha3_256", (t, { tagSize }) => ({
    observe: (p) => is(p.hmacSha3_256(bytes(t.key), bytes(t.msg)).subarray(0, tagSize / 8), t.tag),
  })),
  { ran: 90 },
)

// RFC 7748 leaves it to the user whether a shared secret of zeros is an error; here it always is. Points on the twist and
// non-canonical ones are "acceptable" to Wycheproof and computed as the RFC says.
const ZERO = "0".repeat(64)
hold(
  "X25519 gives the published secret, and none when it would be zero",
  cases<"public" | "private" | "shared">("x25519", (t) => ({
    expected: t.shared !== ZERO,
    observe: (p) => {
      const secret = p.x25519.agree(p.x25519.importPrivate(bytes(t.private)), bytes(t.public))
      return secret !== undefined && is(secret, t.shared)
    },
  })),
  { ran: 259 },
)

hold(
  "Ed25519 verifies what is valid",
  cases<"msg" | "sig", { publicKey: { pk: string } }>("ed25519", (t, { publicKey }) => ({
    observe: ({ ed25519 }) =>
      ed25519.verify(ed25519.importPublic(bytes(publicKey.pk)), bytes(t.msg), bytes(t.sig)),
  })),
  { ran: 77 },
)

hold(
  "ML-DSA-65 verifies what is valid",
  cases<"msg" | "sig" | "ctx", { publicKey: string }>("mldsa_65_verify", (t, { publicKey }) => ({
    observe: ({ mlDsa65: scheme }) =>
      scheme.verify(
        scheme.importPublic(bytes(publicKey)),
        bytes(t.msg),
        bytes(t.sig),
        bytes(t.ctx),
      ),
  })),
  { ran: 96 },
)

hold(
  "ML-DSA-87 verifies what is valid",
  cases<"msg" | "sig" | "ctx", { publicKey: string }>("mldsa_87_verify", (t, { publicKey }) => ({
    observe: ({ mlDsa87: scheme }) =>
      scheme.verify(
        scheme.importPublic(bytes(publicKey)),
        bytes(t.msg),
        bytes(t.sig),
        bytes(t.ctx),
      ),
  })),
  { ran: 121 },
)

// The prehashed message alone (external mu) belongs to FIPS 204's internal interface, which nothing here offers.
const ONLY_MU = "gives mu and no message"
interface SignGroup {
  readonly privateSeed: string
  readonly publicKey: string | null
}
type SignField = "msg" | "sig" | "ctx" | "rnd"
const onlyMu = (t: Partial<Record<SignField, string>>) =>
  t.msg === undefined ? ONLY_MU : undefined

hold(
  "ML-DSA-87: a seed has the published public key, and both its published and its new signatures verify",
  cases<SignField, SignGroup>("mldsa_87_sign_seed", (t, group) => ({
    skip: onlyMu(t),
    observe: ({ mlDsa87: scheme }) => {
      const key = scheme.importPrivate(bytes(group.privateSeed))
      const raw = scheme.publicFromPrivate(key)
      const verifier = scheme.importPublic(raw)
      const fresh = scheme.sign(key, bytes(t.msg), bytes(t.ctx))
      return (
        is(raw, group.publicKey ?? undefined) &&
        scheme.verify(verifier, bytes(t.msg), bytes(t.sig), bytes(t.ctx)) &&
        scheme.verify(verifier, bytes(t.msg), fresh, bytes(t.ctx))
      )
    },
  })),
  { ran: 39, skipped: { [ONLY_MU]: 9 } },
)

hold(
  "ML-DSA-87 in noble, below the interface: the published randomness, or none, gives the published signature",
  cases<SignField, SignGroup>("mldsa_87_sign_seed", (t, group) => ({
    skip: onlyMu(t) ?? (t.result === "valid" ? undefined : "invalid before it comes to signing"),
    observe: () => {
      const { secretKey } = ml_dsa87.keygen(bytes(group.privateSeed))
      const extraEntropy = t.rnd === undefined ? false : bytes(t.rnd)
      return is(
        ml_dsa87.sign(bytes(t.msg), secretKey, { context: bytes(t.ctx), extraEntropy }),
        t.sig,
      )
    },
  })),
  { ran: 36, skipped: { [ONLY_MU]: 9, "invalid before it comes to signing": 3 } },
  [portable],
)

hold(
  "ML-KEM-1024: a seed expands to the published public key",
  cases<"seed" | "ek">("mlkem_1024_keygen_seed", (t) => ({
    observe: ({ mlKem1024: kem }) =>
      is(kem.publicFromPrivate(kem.privateFromSeed(bytes(t.seed))), t.ek),
  })),
  { ran: 30 },
)

hold(
  "ML-KEM-1024: a ciphertext gives the published secret; short seeds and ciphertexts are refused",
  cases<"seed" | "c" | "K">("mlkem_1024", (t) => ({
    observe: ({ mlKem1024: kem }) =>
      is(kem.decapsulate(kem.privateFromSeed(bytes(t.seed)), bytes(t.c)), t.K),
  })),
  { ran: 60 },
)

// Encapsulation draws its own randomness, so the published m cannot be given. The seed of every valid public key is in the
// neighbouring file, though: the published ciphertext is decapsulated instead.
const seedOf = new Map<string | undefined, string | undefined>()
cases<"seed" | "ek">("mlkem_1024", (t) => {
  seedOf.set(t.ek, t.seed)
  return { observe: () => true }
})

hold(
  "ML-KEM-1024: public keys that are not reduced are refused, and published encapsulations come apart",
  cases<"ek" | "c" | "K">("mlkem_1024_encaps", (t) => ({
    observe: ({ mlKem1024: kem }) => {
      const { ciphertext, secret } = kem.encapsulate(kem.importPublic(bytes(t.ek)))
      const key = kem.privateFromSeed(bytes(seedOf.get(t.ek)))
      return (
        is(kem.publicFromPrivate(key), t.ek) &&
        equal(kem.decapsulate(key, ciphertext), secret) &&
        is(kem.decapsulate(key, bytes(t.c)), t.K)
      )
    },
  })),
  { ran: 88 },
)

hold(
  "ML-KEM-1024 in noble, below the interface: encapsulation with the published randomness",
  cases<"ek" | "m" | "c" | "K">("mlkem_1024_encaps", (t) => ({
    skip: t.result === "valid" ? undefined : "no key to encapsulate to",
    observe: () => {
      const { cipherText, sharedSecret } = ml_kem1024.encapsulate(bytes(t.ek), bytes(t.m))
      return is(cipherText, t.c) && is(sharedSecret, t.K)
    },
  })),
  { ran: 50, skipped: { "no key to encapsulate to": 38 } },
  [portable],
)
