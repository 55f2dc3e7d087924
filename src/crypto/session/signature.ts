/**
 * The two ways to sign in a group: Ed25519, or composite with ML-DSA-87 (composite.ts). A private key is known by its length, and so is
 * a public one: 32 and 32 bytes, or 64 and 2624. Imported keys are kept, because importing costs as much as using.
 */
import { primitives } from "#primitives"
import type { Signature } from "ts-mls"
import { type Bytes, exactly } from "../bytes.ts"
import { CryptoError } from "../errors.ts"
import type { Handle } from "../primitives/types.ts"
import {
  COMPOSITE_PUBLIC_BYTES,
  COMPOSITE_SEED_BYTES,
  type CompositePrivateKey,
  type CompositePublicKey,
  compositePublicOf,
  generateComposite,
  importCompositePrivate,
  importCompositePublic,
  signComposite,
  verifyComposite,
} from "./composite.ts"

/** How the members of a group sign: `composite` is Ed25519 and ML-DSA-87 together. */
export const SIGNINGS = ["ed25519", "composite"] as const
export type Signing = (typeof SIGNINGS)[number]

/** Bytes of a private and of a public signature key. */
export const SEED_BYTES: Readonly<Record<Signing, number>> = {
  ed25519: primitives.ed25519.privateBytes,
  composite: COMPOSITE_SEED_BYTES,
}
export const PUBLIC_BYTES: Readonly<Record<Signing, number>> = {
  ed25519: primitives.ed25519.publicBytes,
  composite: COMPOSITE_PUBLIC_BYTES,
}

/** Throws CryptoError BAD_LENGTH for what is neither. */
export function signingOfSeed(seed: Bytes): Signing {
  const signing = seed.length === COMPOSITE_SEED_BYTES ? "composite" : "ed25519"
  exactly(seed, SEED_BYTES[signing], "signature seed")
  return signing
}

/** A fresh private signature key. */
export const generateSignatureSeed = (signing: Signing): Bytes =>
  signing === "composite" ? generateComposite() : primitives.ed25519.generate()

// A state keeps the same arrays from message to message.
const edPrivate = new WeakMap<Bytes, Handle<"ed25519-private">>()
const edPublic = new WeakMap<Bytes, Handle<"ed25519-public">>()
const compositePrivate = new WeakMap<Bytes, CompositePrivateKey>()
const compositePublic = new WeakMap<Bytes, CompositePublicKey>()

function remembered<T>(keys: WeakMap<Bytes, T>, raw: Bytes, make: (raw: Bytes) => T): T {
  const known = keys.get(raw)
  if (known !== undefined) return known
  const made = make(raw)
  keys.set(raw, made)
  return made
}

const edKey = (seed: Bytes) =>
  remembered(edPrivate, seed, (raw) => primitives.ed25519.importPrivate(raw))
const compositeKey = (seed: Bytes) => remembered(compositePrivate, seed, importCompositePrivate)

/** The public key of a private one, 32 or 2624 bytes. Throws CryptoError BAD_LENGTH. */
export const signaturePublicOf = (seed: Bytes): Bytes =>
  signingOfSeed(seed) === "composite"
    ? compositePublicOf(compositeKey(seed))
    : primitives.ed25519.publicFromPrivate(edKey(seed))

/** ts-mls expects promises. What throws must reject, so the work happens inside `then`. */
const soon = <T>(work: () => T | Promise<T>): Promise<T> => Promise.resolve().then(work)

/** False also for what is no key or no signature at all. */
const orFalse = (check: () => boolean | Promise<boolean>): Promise<boolean> =>
  soon(check).catch((error: unknown) => {
    if (error instanceof CryptoError) return false
    throw error
  })

const keygen = (signing: Signing) =>
  soon(() => {
    const signKey = generateSignatureSeed(signing)
    return { signKey, publicKey: signaturePublicOf(signKey) }
  })

export const SIGNATURES: Readonly<Record<Signing, Signature>> = {
  ed25519: {
    sign: (seed, message) => soon(() => primitives.ed25519.sign(edKey(seed), message)),
    verify: (raw, message, signed) =>
      orFalse(() => {
        const key = remembered(edPublic, raw, (bytes) => primitives.ed25519.importPublic(bytes))
        return primitives.ed25519.verify(key, message, signed)
      }),
    keygen: () => keygen("ed25519"),
  },
  composite: {
    sign: (seed, message) => soon(() => signComposite(compositeKey(seed), message)),
    verify: (raw, message, signed) =>
      orFalse(() => {
        const key = remembered(compositePublic, raw, importCompositePublic)
        return verifyComposite(key, message, signed)
      }),
    keygen: () => keygen("composite"),
  },
}
