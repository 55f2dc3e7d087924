/** Pools of key packages: what a keeper can check, what it cannot read, and what a handful is worth anywhere else. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import fc from "fast-check"
import { BLINDED_KINDS, blindedKey } from "../../src/crypto/blinding.ts"
import { type Bytes, concat, equal, toHex } from "../../src/crypto/bytes.ts"
import {
  checkHandful,
  HANDFUL_BYTES_MAX,
  HANDFUL_MAX,
  type HandfulParts,
  makeHandful,
  openPackage,
  type Pool,
  poolOf,
  poolSigner,
  SEALED_BYTES,
  sealPackage,
  tokenFor,
  tokenHash,
} from "../../src/crypto/package-pool.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { SIGNINGS } from "../../src/crypto/session.ts"
import { codeOf } from "../helpers/decoders.ts"

const seed = new Uint8Array(32).fill(21)
const address = concat(ed25519.getPublicKey(seed), new Uint8Array(32).fill(22))
const stranger = concat(
  ed25519.getPublicKey(new Uint8Array(32).fill(23)),
  new Uint8Array(32).fill(24),
)
const day = 20_777
const meshId = new Uint8Array(32).fill(25)
const keeper = "12D3KooWkeeper"
const here = { meshId, keeper, epoch: day }
const pool = poolOf(address, day, "ed25519")

function make(parts: Partial<HandfulParts> = {}): Bytes {
  const of = parts.pool ?? pool
  const signer = poolSigner(seed, address, of)
  const packages = [sealPackage(of, primitives.randomBytes(99))]
  const usual = { meshId, keeper, sequence: 7, begins: false, packages }
  return makeHandful({ ...usual, ...parts, pool: of, signer })
}

const judged = (bytes: Bytes, at: Partial<typeof here> = {}): string => {
  const verdict = checkHandful(bytes, { ...here, ...at })
  return verdict.verdict === "accept" ? "accept" : `${verdict.verdict} ${verdict.code}`
}

describe("a sealed key package", () => {
  it("opens for who knows the address, in its pool, as the same bytes; every owner's and length looks alike", () => {
    for (const signing of SIGNINGS) {
      const of = poolOf(address, day, signing)
      const max = SEALED_BYTES[signing] - 12 - 16 - 2
      for (const length of [0, 1, max]) {
        const keyPackage = primitives.randomBytes(length)
        const sealed = sealPackage(of, keyPackage)
        assert.equal(sealed.length, SEALED_BYTES[signing])
        assert.deepEqual(openPackage(of, sealed), keyPackage)
      }
      assert.equal(
        codeOf(() => sealPackage(of, new Uint8Array(max + 1))),
        "TOO_LARGE",
      )
    }
  })

  it("opens for nobody else: another address, day or way of signing, one bit changed, junk", () => {
    const sealed = sealPackage(pool, primitives.randomBytes(3_477))
    const others = [
      poolOf(stranger, day, "ed25519"),
      poolOf(address, day + 1, "ed25519"),
      poolOf(address, day, "composite"),
    ]
    for (const other of others) assert.equal(openPackage(other, sealed), undefined)
    fc.assert(
      fc.property(fc.nat(8 * sealed.length - 1), (bit) => {
        const flipped = sealed.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        assert.equal(openPackage(pool, flipped), undefined)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        assert.equal(openPackage(pool, junk), undefined)
      }),
    )
  })
})

describe("a handful", () => {
  it("is checked by its keeper, who learns what it holds for whom to hand out and not whose it is", () => {
    for (const signing of SIGNINGS)
      for (const begins of [true, false])
        for (const count of [0, 1, HANDFUL_MAX[signing]]) {
          const of = poolOf(address, day, signing)
          const packages = Array.from({ length: count }, () => sealPackage(of, new Uint8Array(9)))
          const bytes = make({ pool: of, begins, packages })
          assert(bytes.length <= HANDFUL_BYTES_MAX)
          const checked = checkHandful(bytes, here)
          assert(checked.verdict === "accept")
          const { handful } = checked
          assert.deepEqual(handful.packages, packages)
          assert.deepEqual([handful.signing, handful.epoch, handful.begins], [signing, day, begins])
          assert.deepEqual(handful.blinded, of.blinded)
          assert.deepEqual(handful.tokenHash, tokenHash(tokenFor(of, keeper)))
          assert(!Buffer.from(bytes).includes(Buffer.from(address.slice(0, 32))))
        }
  })

  it("is good at this keeper, in this mesh, within a day, and nowhere else", () => {
    const bytes = make()
    assert.equal(judged(bytes), "accept")
    assert.equal(judged(bytes, { keeper: "12D3KooWother" }), "reject HANDFUL_SIGNATURE")
    assert.equal(judged(bytes, { meshId: new Uint8Array(32) }), "reject HANDFUL_SIGNATURE")
    for (const days of [-1, 1]) assert.equal(judged(bytes, { epoch: day + days }), "accept")
    for (const days of [-2, 2])
      assert.equal(judged(bytes, { epoch: day + days }), "ignore HANDFUL_EPOCH")
  })

  it("is refused whatever is changed in it", () => {
    const bytes = make()
    fc.assert(
      fc.property(fc.nat(8 * bytes.length - 1), (bit) => {
        const flipped = bytes.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        assert.notEqual(judged(flipped), "accept")
      }),
      { numRuns: 300 },
    )
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        assert.notEqual(judged(bytes.slice(0, length)), "accept")
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (junk) => {
        assert.notEqual(judged(junk), "accept")
        assert.notEqual(judged(concat(bytes, junk, new Uint8Array(1))), "accept")
      }),
    )
  })

  it("cannot be made by who knows the address only", () => {
    const impostor = poolSigner(new Uint8Array(32).fill(23), stranger, {
      ...pool,
      blinded: pool.blinded,
    })
    const forged = makeHandful({
      pool,
      signer: impostor,
      meshId,
      keeper,
      sequence: 9,
      begins: true,
      packages: [],
    })
    assert.equal(judged(forged), "reject HANDFUL_SIGNATURE")
  })

  it("grows in order with its owner's sequence, which two days or two pools do not show", () => {
    const orderOf = (of: Pool, sequence: number) => {
      const checked = checkHandful(make({ pool: of, sequence }), { ...here, epoch: of.epoch })
      assert(checked.verdict === "accept")
      return checked.handful.order
    }
    const pools = [day, day + 1].flatMap((epoch) =>
      SIGNINGS.map((signing) => poolOf(address, epoch, signing)),
    )
    const offsets = pools.map((of) => {
      assert.equal(orderOf(of, 8) - orderOf(of, 7), 1)
      return orderOf(of, 7)
    })
    assert.equal(new Set(offsets).size, pools.length)
  })
})

describe("names of a pool", () => {
  it("have nothing in common with each other, with the card's, and with tomorrow's", () => {
    const keys = [day, day + 1].flatMap((epoch) =>
      BLINDED_KINDS.map((kind) => toHex(blindedKey(address, epoch, kind))),
    )
    assert.equal(new Set(keys).size, 2 * BLINDED_KINDS.length)
    const names = SIGNINGS.map((signing) => toHex(poolOf(address, day, signing).blinded))
    for (const name of names) assert(keys.includes(name))
  })

  it("are nothing to take with: each keeper asks for a token of its own, which only the address gives", () => {
    const token = tokenFor(pool, keeper)
    assert(equal(token, tokenFor(poolOf(address, day, "ed25519"), keeper)))
    const others = [
      tokenFor(pool, "12D3KooWother"),
      tokenFor(poolOf(address, day + 1, "ed25519"), keeper),
      tokenFor(poolOf(address, day, "composite"), keeper),
      tokenFor(poolOf(stranger, day, "ed25519"), keeper),
    ]
    assert.equal(new Set([token, ...others].map(toHex)).size, 5)
    assert(!equal(tokenHash(token), token))
  })
})
