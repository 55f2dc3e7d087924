/**
 * How long what is said in a thread stays (DESIGN §10): so many seconds from when somebody first saw it (from sending, at its author's),
 * or so many blocks after the one that ordered it. Each message carries the lifetime that held where it was written, so that everybody
 * gives it the same one, whatever arrives when.
 *
 *   unit 1 (1 = seconds, 2 = blocks) · amount 4, at least 1
 */
import type { Reader, Writer } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"

export const LIFETIME_UNITS = ["seconds", "blocks"] as const
export type LifetimeUnit = (typeof LIFETIME_UNITS)[number]
/** A year of seconds, and as many blocks. */
export const LIFETIME_MAX = 31_536_000
export const LIFETIME_BYTES = 5

export interface Lifetime {
  readonly unit: LifetimeUnit
  /** 1 to LIFETIME_MAX. */
  readonly amount: number
}

export const writeLifetime = (out: Writer, { unit, amount }: Lifetime): Writer =>
  out.u8(LIFETIME_UNITS.indexOf(unit) + 1).u32(amount)

/** Zeros for none, where none is a value. */
export const writeLifetimeOrNone = (out: Writer, lifetime: Lifetime | null): Writer =>
  lifetime === null ? out.u8(0).u32(0) : writeLifetime(out, lifetime)

/** Throws CryptoError BAD_ENCODING. */
export function readLifetimeOrNone(read: Reader): Lifetime | null {
  const [code, amount] = [read.u8(), read.u32()]
  if (code === 0 && amount === 0) return null
  const unit = LIFETIME_UNITS[code - 1]
  if (unit === undefined || amount < 1 || amount > LIFETIME_MAX)
    throw new CryptoError("BAD_ENCODING", "lifetime")
  return { unit, amount }
}

/** Throws CryptoError BAD_ENCODING. */
export function readLifetime(read: Reader): Lifetime {
  const lifetime = readLifetimeOrNone(read)
  if (lifetime === null) throw new CryptoError("BAD_ENCODING", "lifetime")
  return lifetime
}
