/**
 * The verification key of the membership circuit, from the JSON that came out of Semaphore's ceremony (snarkjs' format): numbers in
 * decimal, points projective with the last coordinate 1.
 */
import { type Bytes, fromUtf8 } from "../bytes.ts"
import { CryptoError } from "../errors.ts"
import type { PointG1, PointG2 } from "./proof.ts"

/** Public signals of the circuit: root, nullifier, signal, scope. */
export const SIGNALS = 4

export interface VerificationKey {
  readonly alpha: PointG1
  readonly beta: PointG2
  readonly gamma: PointG2
  readonly delta: PointG2
  /** The constant's point, then one for each signal. */
  readonly inputs: readonly PointG1[]
}

type Json = Readonly<Record<string, unknown>>

const fail = (what: string): never => {
  throw new CryptoError("BAD_ENCODING", `verification key: ${what}`)
}

const list = (value: unknown, length: number): readonly unknown[] =>
  Array.isArray(value) && value.length === length ? value : fail(`no list of ${length}`)

function number(value: unknown): bigint {
  if (typeof value !== "string" || !/^\d{1,78}$/.test(value)) return fail("no number")
  return BigInt(value)
}

function pointG1(value: unknown): PointG1 {
  const [x, y, z] = list(value, 3).map(number)
  return z === 1n && x !== undefined && y !== undefined ? [x, y] : fail("no affine point")
}

function pointG2(value: unknown): PointG2 {
  const [x, y, z] = list(value, 3).map((pair) => {
    const [a, b] = list(pair, 2).map(number)
    return a === undefined || b === undefined ? fail("no pair") : ([a, b] as const)
  })
  if (x === undefined || y === undefined || z?.[0] !== 1n || z[1] !== 0n)
    return fail("no affine point")
  return [x, y]
}

/** Throws CryptoError BAD_ENCODING. */
export function readVerificationKey(json: Bytes): VerificationKey {
  let read: unknown
  try {
    read = JSON.parse(fromUtf8(json))
  } catch (cause) {
    throw new CryptoError("BAD_ENCODING", "verification key: no JSON", { cause })
  }
  if (typeof read !== "object" || read === null) return fail("no object")
  const key = read as Json
  if (key["protocol"] !== "groth16" || key["curve"] !== "bn128" || key["nPublic"] !== SIGNALS)
    return fail("of another circuit")
  return {
    alpha: pointG1(key["vk_alpha_1"]),
    beta: pointG2(key["vk_beta_2"]),
    gamma: pointG2(key["vk_gamma_2"]),
    delta: pointG2(key["vk_delta_2"]),
    inputs: list(key["IC"], SIGNALS + 1).map(pointG1),
  }
}
