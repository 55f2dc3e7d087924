/**
 * The Groth16 verifier over BN254 (Groth, EUROCRYPT 2016), on the pairing of mcl. One proof holds when
 *
 *   e(A, B) = e(alpha, beta) · e(IC_0 + Σ signal_i · IC_i, gamma) · e(C, delta)
 *
 * and a batch holds, but for a chance of 2^-128, when the product of such equations holds with each raised to a random number of 128 bits:
 * that costs one Miller loop a proof instead of four and one final exponentiation in all. A batch that fails is taken apart: by who
 * sent what, then in halves, until a proof that does not hold stands alone. Whoever sent that one has nothing more checked.
 *
 * Every call computes for milliseconds: in a worker, but for the rare single proof. Points off the curve, points of G2 outside the
 * subgroup and other spellings of a point are refused when they are read.
 */
import mcl from "mcl-wasm"
import { primitives } from "#primitives"
import type { Bytes } from "../bytes.ts"
import { assert } from "../errors.ts"
import { numberFrom } from "./field.ts"
import { isProof, type PointG1, type PointG2, proofParts } from "./proof.ts"
import { isStatement, type Statement } from "./statement.ts"
import type { VerificationKey } from "./verification-key.ts"

/** Bytes of the random number that a proof of a batch is raised to. */
const WEIGHT_BYTES = 16

export interface Claim {
  readonly statement: Statement
  /** 128 bytes. */
  readonly proof: Bytes
}

export interface MembershipVerifier {
  /** Whether this proof proves this statement. About 4 ms. */
  verify(claim: Claim): boolean
  /**
   * The same for many at once, by groups that come from one sender each, in their order. About 1.6 ms a proof when all hold. In a
   * group with a false proof the ones after it may be left unchecked: undefined.
   */
  verifyGroups(groups: readonly (readonly Claim[])[]): readonly (readonly Checked[])[]
}

/** Whether a proof holds; undefined when nobody looked. */
export type Checked = boolean | undefined

type G1 = InstanceType<typeof mcl.G1>
type G2 = InstanceType<typeof mcl.G2>
type GT = InstanceType<typeof mcl.GT>
type Fr = InstanceType<typeof mcl.Fr>

/** A claim with its points read. */
interface Read {
  readonly a: G1
  readonly b: G2
  readonly c: G1
  readonly signals: readonly Fr[]
}

let ready: Promise<void> | undefined

/** Loads the pairing (60 ms, once a thread) and prepares the key. */
export async function membershipVerifier(key: VerificationKey): Promise<MembershipVerifier> {
  ready ??= mcl.init(mcl.BN_SNARK1)
  await ready
  // All of this curve is G1 (its cofactor is 1): a point that is read is on the curve and so in the group. Not so G2.
  mcl.verifyOrderG1(false)
  mcl.verifyOrderG2(true)
  return new Verifier(key)
}

class Verifier implements MembershipVerifier {
  readonly #alpha: G1
  readonly #beta
  readonly #gamma
  readonly #delta
  readonly #inputs: readonly G1[]
  readonly #alphaBetaOnce: GT

  constructor(key: VerificationKey) {
    this.#alpha = g1(key.alpha)
    this.#beta = new mcl.PrecomputedG2(g2(key.beta))
    this.#gamma = new mcl.PrecomputedG2(g2(key.gamma))
    this.#delta = new mcl.PrecomputedG2(g2(key.delta))
    this.#inputs = key.inputs.map(g1)
    this.#alphaBetaOnce = mcl.precomputedMillerLoop(mcl.neg(this.#alpha), this.#beta)
  }

  verify(claim: Claim): boolean {
    const read = readClaim(claim)
    return read !== undefined && this.#holds([read])
  }

  verifyGroups(groups: readonly (readonly Claim[])[]): readonly (readonly Checked[])[] {
    const read = groups.map((claims) => claims.map(readClaim))
    const all = read.flat()
    if (isWhole(all) && this.#holds(all)) return groups.map((claims) => claims.map(() => true))
    return read.map((group) => this.#upToFirstFalse(group))
  }

  #upToFirstFalse(group: readonly (Read | undefined)[]): readonly Checked[] {
    if (group.length === 0) return []
    if (isWhole(group) && this.#holds(group)) return group.map(() => true)
    if (group.length === 1) return [false]
    const middle = group.length >> 1
    const first = this.#upToFirstFalse(group.slice(0, middle))
    const rest = group.slice(middle)
    if (first.includes(false)) return [...first, ...rest.map(() => undefined)]
    return [...first, ...this.#upToFirstFalse(rest)]
  }

  /** The product of all equations, each to its own random power; the first alone needs none. */
  #holds(claims: readonly Read[]): boolean {
    if (claims.length === 0) return true
    const weights = claims.map((_, i) => (i === 0 ? one() : randomWeight()))
    const sum = weights.reduce((all, weight) => mcl.add(all, weight))
    const factors = claims.map(({ signals }) => [one(), ...signals])
    const scalars = this.#inputs.map((_, i) => (i === 0 ? sum : weighted(weights, factors, i)))
    const inputs = mcl.mulVec([...this.#inputs], scalars)
    const c = mcl.mulVec(
      claims.map((each) => each.c),
      weights,
    )
    const [first, ...others] = claims
    assert(first !== undefined, "there is a first")
    // two pairings in one loop cost less than in two
    let product: GT = mcl.precomputedMillerLoop2mixed(
      first.a,
      first.b,
      mcl.neg(inputs),
      this.#gamma,
    )
    product = mcl.mul(product, mcl.precomputedMillerLoop(mcl.neg(c), this.#delta))
    product = mcl.mul(product, this.#alphaBeta(sum, claims.length))
    for (const [i, { a, b }] of others.entries()) {
      const weight = weights[i + 1]
      assert(weight !== undefined, "each has its weight")
      product = mcl.mul(product, mcl.millerLoop(mcl.mul(a, weight), b))
    }
    return isOne(mcl.finalExp(product))
  }

  /** The pairing of -alpha and beta to the sum of the weights, before the final exponentiation; of one proof it is always the same. */
  #alphaBeta(sum: Fr, claims: number): GT {
    if (claims === 1) return this.#alphaBetaOnce
    return mcl.precomputedMillerLoop(mcl.mul(mcl.neg(this.#alpha), sum), this.#beta)
  }
}

const isWhole = (group: readonly (Read | undefined)[]): group is readonly Read[] =>
  !group.includes(undefined)

/** Σ weight · signal `i` over all claims. */
function weighted(weights: readonly Fr[], factors: readonly (readonly Fr[])[], i: number): Fr {
  let total = new mcl.Fr()
  for (const [at, weight] of weights.entries()) {
    const factor = factors[at]?.[i]
    if (factor !== undefined) total = mcl.add(total, mcl.mul(weight, factor))
  }
  return total
}

function one(): Fr {
  const value = new mcl.Fr()
  value.setInt(1)
  return value
}

function randomWeight(): Fr {
  const value = new mcl.Fr()
  value.setLittleEndian(primitives.randomBytes(WEIGHT_BYTES))
  return value
}

function isOne(value: GT): boolean {
  const unit = new mcl.GT()
  unit.setInt(1)
  return value.isEqual(unit)
}

/** Undefined when something is not what it should be: then it holds for nobody. */
function readClaim({ statement, proof }: Claim): Read | undefined {
  if (!isProof(proof) || !isStatement(statement)) return undefined
  const { a, b, c } = proofParts(proof)
  try {
    const points = { a: new mcl.G1(), b: new mcl.G2(), c: new mcl.G1() }
    points.a.deserialize(a)
    points.b.deserialize(b)
    points.c.deserialize(c)
    const { root, nullifier, signal, scope } = statement
    return { ...points, signals: [root, nullifier, signal, scope].map(scalar) }
  } catch {
    // not on the curve, or outside the subgroup
    return undefined
  }
}

function scalar(bytes: Bytes): Fr {
  const value = new mcl.Fr()
  value.setStr(numberFrom(bytes).toString(16), 16)
  return value
}

function g1([x, y]: PointG1): G1 {
  const point = new mcl.G1()
  point.setStr(`1 ${x} ${y}`, 10)
  return point
}

function g2([[xa, xb], [ya, yb]]: PointG2): G2 {
  const point = new mcl.G2()
  point.setStr(`1 ${xa} ${xb} ${ya} ${yb}`, 10)
  return point
}
