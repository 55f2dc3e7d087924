/**
 * Signatures of the ledger: Ed25519 followed by ML-DSA-65 over the same bytes; both must verify. The core sees only the
 * `Scheme` interface. Imported keys are kept, because importing costs as much as verifying.
 */
import { concat } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import type { Handle } from "../crypto/primitives/types.ts"
import { primitives } from "#primitives"
import { keyOf } from "./item.ts"
import { ED25519_SIGNATURE_BYTES, HYBRID_SIGNATURE_BYTES } from "./limits.ts"
import type { ValidatorKeys } from "./types.ts"

/** Says whether a validator signed these bytes. Total: nonsense is false, never an error. */
export interface Scheme {
  verify(keys: ValidatorKeys, preimage: Bytes, signature: Bytes): boolean
  /** The term boundary's hash-based signature. */
  verifySeal(keys: ValidatorKeys, preimage: Bytes, signature: Bytes): boolean
}

/** Signs with one validator's own keys. */
export type Sign = (preimage: Bytes) => Bytes

interface Handles {
  readonly ed25519: Handle<"ed25519-public">
  readonly mlDsa65: Handle<"ml-dsa-65-public">
}

/** The real scheme. Keeps one pair of imported keys for each validator it has seen in the set of some term. */
export function hybridScheme(): Scheme {
  const imported = new WeakMap<ValidatorKeys, Handles>()
  const handles = (keys: ValidatorKeys): Handles => {
    let found = imported.get(keys)
    if (found === undefined) {
      found = {
        ed25519: primitives.ed25519.importPublic(keys.ed25519),
        mlDsa65: primitives.mlDsa65.importPublic(keys.mlDsa65),
      }
      imported.set(keys, found)
    }
    return found
  }
  const orFalse = (check: () => boolean): boolean => {
    try {
      return check()
    } catch (error) {
      if (error instanceof CryptoError) return false
      throw error
    }
  }
  return {
    verify: (keys, preimage, signature) =>
      signature.length === HYBRID_SIGNATURE_BYTES &&
      orFalse(() => {
        const { ed25519, mlDsa65 } = handles(keys)
        return (
          primitives.ed25519.verify(
            ed25519,
            preimage,
            signature.subarray(0, ED25519_SIGNATURE_BYTES),
          ) &&
          primitives.mlDsa65.verify(mlDsa65, preimage, signature.subarray(ED25519_SIGNATURE_BYTES))
        )
      }),
    verifySeal: (keys, preimage, signature) =>
      orFalse(() =>
        primitives.slhDsaSha2_128s.verify(
          primitives.slhDsaSha2_128s.importPublic(keys.slhDsa),
          preimage,
          signature,
        ),
      ),
  }
}

/** A validator's private keys in raw form: Ed25519 seed and ML-DSA-65 seed, 32 bytes each. Throws CryptoError BAD_LENGTH or BAD_KEY. */
export function hybridSigner(ed25519Seed: Bytes, mlDsa65Seed: Bytes): Sign {
  const ed25519 = primitives.ed25519.importPrivate(ed25519Seed)
  const mlDsa65 = primitives.mlDsa65.importPrivate(mlDsa65Seed)
  return (preimage) =>
    concat(primitives.ed25519.sign(ed25519, preimage), primitives.mlDsa65.sign(mlDsa65, preimage))
}

/** A scheme that can be told of signatures that were checked elsewhere. */
export interface RememberingScheme extends Scheme {
  /** What a signature of a validator under these bytes is remembered by. A hash: ask once for several uses. */
  nameOf(keys: ValidatorKeys, preimage: Bytes, signature: Bytes): string
  remembers(name: string): boolean
  /** The caller has seen it verify. */
  remember(name: string): void
}

/**
 * Remembers signatures that verified, so that a vote seen alone, in a proof and in a certificate is paid for once. The
 * memory holds at most `entriesMax` and forgets the oldest half when full.
 */
export function remembering(scheme: Scheme, entriesMax: number): RememberingScheme {
  let young = new Set<string>()
  let old = new Set<string>()
  const owners = new WeakMap<ValidatorKeys, Bytes>()
  const ownerOf = (keys: ValidatorKeys): Bytes => {
    let owner = owners.get(keys)
    if (owner === undefined) {
      owner = primitives.sha3_256(keys.ed25519, keys.mlDsa65)
      owners.set(keys, owner)
    }
    return owner
  }
  const nameOf = (keys: ValidatorKeys, preimage: Bytes, signature: Bytes): string =>
    keyOf(primitives.sha3_256(ownerOf(keys), signature, preimage))
  const isKnown = (name: string): boolean => young.has(name) || old.has(name)
  const keep = (name: string): void => {
    if (young.size * 2 >= entriesMax) {
      old = young
      young = new Set()
    }
    young.add(name)
  }
  return {
    verify(keys, preimage, signature) {
      const name = nameOf(keys, preimage, signature)
      if (isKnown(name)) return true
      if (!scheme.verify(keys, preimage, signature)) return false
      keep(name)
      return true
    },
    nameOf,
    remembers: isKnown,
    remember: keep,
    verifySeal: (keys, preimage, signature) => scheme.verifySeal(keys, preimage, signature),
  }
}
