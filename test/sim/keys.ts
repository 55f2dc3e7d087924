/**
 * Validators' keys for simulations: the real hybrid, or a fast stand-in. The stand-in is a keyed hash whose secret only the
 * holder of the `Sign` has, so nothing in a simulation forges it either, and it costs a fraction of a microsecond.
 */
import { primitives } from "#primitives"
import { Writer } from "../../src/crypto/bytes.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { hybridScheme, hybridSigner } from "../../src/consensus/hybrid.ts"
import type { Scheme, Sign } from "../../src/consensus/hybrid.ts"
import type { ValidatorKeys } from "../../src/consensus/types.ts"

export type CryptoKind = "fast" | "real"

export interface Keyholder {
  readonly keys: ValidatorKeys
  readonly sign: Sign
}

export interface Keyring {
  readonly scheme: Scheme
  /** The same number always gives the same keys. */
  holder(number: number): Keyholder
}

function lanes(secret: number, bytes: Bytes): Bytes {
  let a = 0xdeadbeef ^ secret
  let b = 0x41c6ce57 ^ Math.imul(secret, 0x9e3779b1)
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    a = Math.imul(a ^ byte, 0x9e3779b1)
    b = Math.imul(b ^ byte, 0x5f356495)
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return Uint8Array.of(a, a >>> 8, a >>> 16, a >>> 24, b, b >>> 8, b >>> 16, b >>> 24)
}

function fill(length: number, seed: number): Bytes {
  const out = new Uint8Array(length)
  const block = primitives.sha3_256(new Writer().text("sim key", 1).u32(seed).finish())
  for (let i = 0; i < length; i++) out[i] = block[i % 32]!
  return out
}

function fastKeyring(): Keyring {
  const holders = new Map<number, Keyholder>()
  const secrets = new WeakMap<ValidatorKeys, number>()
  const bySeed = new Map<string, number>()
  const secretOf = (keys: ValidatorKeys): number | undefined => {
    let secret = secrets.get(keys)
    if (secret === undefined) {
      secret = bySeed.get(keys.ed25519.join())
      if (secret !== undefined) secrets.set(keys, secret)
    }
    return secret
  }
  const verify: Scheme["verify"] = (keys, preimage, signature) => {
    const secret = secretOf(keys)
    if (secret === undefined || signature.length !== 8) return false
    const right = lanes(secret, preimage)
    for (let i = 0; i < 8; i++) if (right[i] !== signature[i]) return false
    return true
  }
  return {
    scheme: { verify, verifySeal: verify },
    holder(number) {
      let holder = holders.get(number)
      if (holder === undefined) {
        const secret = Math.imul(number + 1, 0x2545f491) ^ 0x6b43a9b5
        const keys = {
          ed25519: fill(32, 3 * number),
          mlDsa65: fill(1952, 3 * number + 1),
          slhDsa: fill(32, 3 * number + 2),
        }
        secrets.set(keys, secret)
        bySeed.set(keys.ed25519.join(), secret)
        holder = { keys, sign: (preimage) => lanes(secret, preimage) }
        holders.set(number, holder)
      }
      return holder
    },
  }
}

function realKeyring(): Keyring {
  const holders = new Map<number, Keyholder>()
  const { ed25519, mlDsa65 } = primitives
  return {
    scheme: hybridScheme(),
    holder(number) {
      let holder = holders.get(number)
      if (holder === undefined) {
        const [one, two] = [fill(32, 3 * number), fill(32, 3 * number + 1)]
        holder = {
          keys: {
            ed25519: ed25519.publicFromPrivate(ed25519.importPrivate(one)),
            mlDsa65: mlDsa65.publicFromPrivate(mlDsa65.importPrivate(two)),
            slhDsa: fill(32, 3 * number + 2),
          },
          sign: hybridSigner(one, two),
        }
        holders.set(number, holder)
      }
      return holder
    },
  }
}

export const keyring = (kind: CryptoKind): Keyring =>
  kind === "fast" ? fastKeyring() : realKeyring()
