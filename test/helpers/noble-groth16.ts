/**
 * The second verifier: Groth16 over BN254 with @noble/curves, pure JavaScript, written from the equation and sharing no line with the first.
 * Slow, and so for tests only.
 */
import { bn254 } from "@noble/curves/bn254.js"
import type { Bytes } from "../../src/crypto/bytes.ts"
import type { Claim } from "../../src/crypto/membership/groth16.ts"
import type { PointG1, PointG2 } from "../../src/crypto/membership/proof.ts"
import type { VerificationKey } from "../../src/crypto/membership/verification-key.ts"

const { Fp, Fp2, Fp12, Fr } = bn254.fields
const G1 = bn254.G1.Point
const G2 = bn254.G2.Point

const little = (bytes: Bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`)
const big = (bytes: Bytes) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)

/** Splits the sign bit off the number. Throws when the number is not below the field's order. */
function coordinate(bytes: Bytes): { value: bigint; odd: boolean } {
  const value = little(bytes)
  const [number, odd] = [value & ((1n << 255n) - 1n), value >> 255n === 1n]
  if (number >= Fp.ORDER) throw new Error("coordinate out of range")
  return { value: number, odd }
}

function readG1(bytes: Bytes) {
  const { value: x, odd } = coordinate(bytes)
  if (big(bytes) === 0n) throw new Error("infinity")
  const root = Fp.sqrt(Fp.add(Fp.pow(x, 3n), 3n))
  const y = (root & 1n) === (odd ? 1n : 0n) ? root : Fp.neg(root)
  const point = G1.fromAffine({ x, y })
  point.assertValidity()
  return point
}

const B2 = bn254.G2.Point.CURVE().b

function readG2(bytes: Bytes) {
  if (big(bytes) === 0n) throw new Error("infinity")
  const real = little(bytes.subarray(0, 32))
  const { value: imaginary, odd } = coordinate(bytes.subarray(32))
  if (real >= Fp.ORDER) throw new Error("coordinate out of range")
  const x = Fp2.fromBigTuple([real, imaginary])
  const root = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), B2))
  const y = (root.c0 & 1n) === (odd ? 1n : 0n) ? root : Fp2.neg(root)
  const point = G2.fromAffine({ x, y })
  point.assertValidity()
  if (!point.isTorsionFree()) throw new Error("outside the subgroup")
  return point
}

const g1 = ([x, y]: PointG1) => G1.fromAffine({ x, y })
const g2 = ([x, y]: PointG2) =>
  G2.fromAffine({ x: Fp2.fromBigTuple([...x]), y: Fp2.fromBigTuple([...y]) })

/** Whether the proof proves the statement. */
export function nobleVerifies(key: VerificationKey, { statement, proof }: Claim): boolean {
  try {
    if (proof.length !== 128) return false
    const a = readG1(proof.subarray(0, 32))
    const b = readG2(proof.subarray(32, 96))
    const c = readG1(proof.subarray(96))
    const { root, nullifier, signal, scope } = statement
    const signals = [root, nullifier, signal, scope].map(big)
    if (signals.some((value) => value >= Fr.ORDER) || signals[0] === 0n) return false
    const [constant, ...inputs] = key.inputs.map(g1)
    let sum = constant!
    for (const [i, input] of inputs.entries())
      if (signals[i] !== 0n) sum = sum.add(input.multiply(signals[i]!))
    const product = bn254.pairingBatch([
      { g1: a.negate(), g2: b },
      { g1: g1(key.alpha), g2: g2(key.beta) },
      { g1: sum, g2: g2(key.gamma) },
      { g1: c, g2: g2(key.delta) },
    ])
    return Fp12.eql(product, Fp12.ONE)
  } catch {
    return false
  }
}

/** A proof as snarkjs writes it: points in decimal, projective. Throws when it is none. */
export function readProofPoints(proof: Bytes) {
  const [a, b, c] = [readG1(proof.subarray(0, 32)), readG2(proof.subarray(32, 96)), readG1(proof.subarray(96))] // prettier-ignore
  const g1 = ({ x, y }: { x: bigint; y: bigint }) => [`${x}`, `${y}`, "1"]
  const pair = ({ c0, c1 }: { c0: bigint; c1: bigint }) => [`${c0}`, `${c1}`]
  const { x, y } = b.toAffine()
  return {
    protocol: "groth16",
    curve: "bn128",
    pi_a: g1(a.toAffine()),
    pi_b: [pair(x), pair(y), ["1", "0"]],
    pi_c: g1(c.toAffine()),
  }
}
