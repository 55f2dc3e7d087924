// NIST's own vectors for FIPS 203, 204 and 205 (test/vectors/acvp).
import { ml_kem1024 } from "@noble/post-quantum/ml-kem.js"
import { slh_dsa_sha2_128s, slh_dsa_shake_256s } from "@noble/post-quantum/slh-dsa.js"
import { concat, utf8 } from "../../../src/crypto/bytes.ts"
import type { Primitives, Signer } from "../../../src/crypto/primitives/types.ts"
import { readVectors } from "../../helpers/vectors.ts"
import { both, hex, hold, is, native, portable } from "./held.ts"
import type { Case } from "./held.ts"

interface File<Group> {
  readonly testGroups: readonly Group[]
}
interface KemKeyGen {
  readonly tests: readonly { tcId: number; d: string; z: string; ek: string }[]
}
interface KemUse {
  readonly function: "encapsulation" | "decapsulation" | "encapsulationKeyCheck"
  readonly tests: readonly {
    tcId: number
    ek: string
    c: string
    k: string
    m: string
    d: string
    z: string
    testPassed?: boolean
  }[]
}
interface DsaKeyGen {
  readonly parameterSet: "ML-DSA-65" | "ML-DSA-87"
  readonly tests: readonly { tcId: number; seed: string; pk: string }[]
}
interface DsaVerify {
  readonly parameterSet: "ML-DSA-65" | "ML-DSA-87"
  readonly tests: readonly {
    tcId: number
    testPassed: boolean
    pk: string
    message: string
    context: string
    signature: string
  }[]
}
interface SlhKeyGen {
  readonly parameterSet: "SLH-DSA-SHA2-128s" | "SLH-DSA-SHAKE-256s"
  readonly tests: readonly Record<"skSeed" | "skPrf" | "pkSeed" | "sk" | "pk", string>[]
}

const signerOf = (p: Primitives, set: string): Signer<string> => {
  if (set === "ML-DSA-65") return p.mlDsa65
  if (set === "ML-DSA-87") return p.mlDsa87
  return set === "SLH-DSA-SHA2-128s" ? p.slhDsaSha2_128s : p.slhDsaShake256s
}
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the shape of a file is its reader's claim
const flatten = <Group extends { tests: readonly unknown[] }>(
  path: string,
  use: (g: Group) => Case[],
) => (readVectors(`acvp/${path}`) as File<Group>).testGroups.flatMap(use)

hold(
  "ML-KEM-1024: a seed d‖z expands to the published public key",
  flatten<KemKeyGen>("ml-kem-keygen.json", ({ tests }) =>
    tests.map(({ tcId, d, z, ek }) => ({
      id: `keygen ${tcId}`,
      expected: true,
      observe: ({ mlKem1024: kem }) =>
        is(kem.publicFromPrivate(kem.privateFromSeed(concat(hex(d), hex(z)))), ek),
    })),
  ),
  { ran: 13 },
)

// Encapsulation takes its randomness m itself in both implementations, and these cases carry no seed to decapsulate with.
const NO_M = "encapsulation draws its own randomness"

hold(
  "ML-KEM-1024: ciphertexts, modified ones too, give the published secret; bad public keys are refused",
  flatten<KemUse>("ml-kem-encap-decap.json", (group) =>
    group.tests.map((t): Case => {
      const id = `${group.function} ${t.tcId}`
      if (group.function === "encapsulation")
        return { id, expected: true, observe: () => true, skip: NO_M }
      if (group.function === "encapsulationKeyCheck")
        return {
          id,
          expected: t.testPassed === true,
          observe: ({ mlKem1024: kem }) =>
            kem.encapsulate(kem.importPublic(hex(t.ek))).secret.length === 32,
        }
      return {
        id,
        expected: true,
        observe: ({ mlKem1024: kem }) =>
          is(kem.decapsulate(kem.privateFromSeed(concat(hex(t.d), hex(t.z))), hex(t.c)), t.k),
      }
    }),
  ),
  { ran: 15, skipped: { [NO_M]: 8 } },
)

hold(
  "ML-KEM-1024 in noble, below the interface: encapsulation with the published randomness",
  flatten<KemUse>("ml-kem-encap-decap.json", (group) =>
    group.tests
      .filter(() => group.function === "encapsulation")
      .map((t) => ({
        id: `encapsulation ${t.tcId}`,
        expected: true,
        observe: () => {
          const { cipherText, sharedSecret } = ml_kem1024.encapsulate(hex(t.ek), hex(t.m))
          return is(cipherText, t.c) && is(sharedSecret, t.k)
        },
      })),
  ),
  { ran: 8 },
  [portable],
)

hold(
  "ML-DSA: a seed expands to the published public key",
  flatten<DsaKeyGen>("ml-dsa-keygen.json", ({ parameterSet, tests }) =>
    tests.map(({ tcId, seed, pk }) => ({
      id: `keygen ${tcId}`,
      expected: true,
      observe: (p) => {
        const scheme = signerOf(p, parameterSet)
        return is(scheme.publicFromPrivate(scheme.importPrivate(hex(seed))), pk)
      },
    })),
  ),
  { ran: 12 },
)

hold(
  "ML-DSA: signatures with a context verify exactly when they should",
  flatten<DsaVerify>("ml-dsa-sigver.json", ({ parameterSet, tests }) =>
    tests.map((t) => ({
      id: `sigver ${t.tcId}`,
      expected: t.testPassed,
      observe: (p) => {
        const scheme = signerOf(p, parameterSet)
        return scheme.verify(
          scheme.importPublic(hex(t.pk)),
          hex(t.message),
          hex(t.signature),
          hex(t.context),
        )
      },
    })),
  ),
  { ran: 16 },
)

const slh = (use: (set: string, test: SlhKeyGen["tests"][number], nth: number) => Case) =>
  flatten<SlhKeyGen>("slh-dsa-keygen.json", ({ parameterSet, tests }) =>
    tests.map((test, nth) => use(parameterSet, test, nth)),
  )

hold(
  "SLH-DSA: a private key carries the published public key",
  slh((set, { sk, pk }, nth) => ({
    id: `${set} ${nth}`,
    expected: true,
    observe: (p) => {
      const scheme = signerOf(p, set)
      return is(scheme.publicFromPrivate(scheme.importPrivate(hex(sk))), pk)
    },
  })),
  { ran: 10 },
)

// FIPS 205 has no seed form of a private key, so OpenSSL cannot be asked to compute the root; noble can. The large set
// takes a second a key: the first is enough.
const SLOW = "a second of hashing each"
hold(
  "SLH-DSA in noble, below the interface: the three seeds expand to the published key",
  slh((set, { skSeed, skPrf, pkSeed, sk }, nth) => ({
    id: `${set} ${nth}`,
    expected: true,
    skip: set === "SLH-DSA-SHAKE-256s" && nth > 0 ? SLOW : undefined,
    observe: () => {
      const scheme = set === "SLH-DSA-SHA2-128s" ? slh_dsa_sha2_128s : slh_dsa_shake_256s
      return is(scheme.keygen(concat(hex(skSeed), hex(skPrf), hex(pkSeed))).secretKey, sk)
    },
  })),
  { ran: 6, skipped: { [SLOW]: 4 } },
  [portable],
)

hold(
  "SLH-DSA: what OpenSSL signs with a published private key verifies under its public key in both implementations",
  slh((set, { sk, pk }, nth) => ({
    id: `${set} ${nth}`,
    expected: true,
    skip: set === "SLH-DSA-SHAKE-256s" && nth > 0 ? SLOW : undefined,
    observe: (p) => {
      const signing = signerOf(p, set)
      const message = utf8("a root")
      const signature = signing.sign(signing.importPrivate(hex(sk)), message)
      const verified = both.map((other) => {
        const scheme = signerOf(other, set)
        return scheme.verify(scheme.importPublic(hex(pk)), message, signature)
      })
      return verified.every(Boolean)
    },
  })),
  { ran: 6, skipped: { [SLOW]: 4 } },
  [native],
)
