import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { primitives } from "#primitives"
import { concat, type Bytes } from "../../../src/crypto/bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES } from "../../../src/crypto/envelope.ts"
import {
  encodeMembership,
  keyRootOf,
  ledgerTags,
  readMembership,
} from "../../../src/crypto/membership/admission.ts"
import {
  bytesOfNumber,
  FIELD_ORDER,
  fieldFrom,
  fieldOfHash,
  isField,
  numberFrom,
} from "../../../src/crypto/membership/field.ts"
import {
  newOneTimeKeys,
  ONE_TIME_KEYS,
  pathToKey,
  rootFromPath,
  rootOverKeys,
  signEnvelope,
  verifyEnvelope,
} from "../../../src/crypto/membership/one-time-keys.ts"
import {
  BASE_ORDER,
  compressProof,
  isProof,
  proofParts,
} from "../../../src/crypto/membership/proof.ts"
import { isStatement, payloadScope, SLOTS } from "../../../src/crypto/membership/statement.ts"
import { isPathOf, witnessOf } from "../../../src/crypto/membership/tree-path.ts"
import {
  commitmentOf,
  newSecret,
  nullifierOf,
  scalarOf,
} from "../../../src/crypto/membership/secret.ts"
import { NULLIFIER_TAG_BYTES, ROOT_TAG_BYTES } from "../../../src/consensus/item.ts"
import { TestTree } from "../../helpers/membership-tree.ts"
import { codeOf } from "../../helpers/decoders.ts"

const element = () => bytesOfNumber(numberFrom(primitives.randomBytes(32)) % FIELD_ORDER)
/** Points that look like points; whether they are on the curve is not the codec's business. */
const looksLikeProof = () =>
  compressProof({ a: [5n, 2n], b: [[7n, 9n], [3n, 1n]], c: [BASE_ORDER - 1n, 1n] }) // prettier-ignore

function someFields() {
  const { keys } = newOneTimeKeys()
  return {
    period: 3,
    slot: 31,
    nullifier: element(),
    proof: looksLikeProof(),
    keyIndex: 6,
    key: keys[6]!,
    path: pathToKey(keys, 6),
    signature: primitives.randomBytes(64),
  }
}

const under = (admission: Bytes) =>
  concat(admission, new Uint8Array(ENVELOPE_BYTES - ADMISSION_BYTES))
const said = (envelope: Bytes) => {
  const read = readMembership(envelope)
  return "wrong" in read ? `${read.wrong.verdict} ${"code" in read.wrong ? read.wrong.code : ""}` : "read"
} // prettier-ignore

describe("field elements: 32 bytes, big-endian, below the order", () => {
  it("has one spelling for each element", () => {
    for (const [value, is] of [
      [0n, true],
      [FIELD_ORDER - 1n, true],
      [FIELD_ORDER, false],
      [FIELD_ORDER + 5n, false],
      [2n ** 256n - 1n, false],
    ] as const)
      assert.equal(isField(bytesOfNumber(value)), is, `${value}`)
    assert.equal(codeOf(() => fieldFrom(bytesOfNumber(FIELD_ORDER))), "BAD_ENCODING") // prettier-ignore
    assert.equal(codeOf(() => isField(new Uint8Array(31))), "BAD_LENGTH") // prettier-ignore
  })

  it("makes an element of every hash", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (hash) => {
        const value = fieldOfHash(hash)
        assert.ok(isField(value))
        assert.deepEqual(value.slice(1), hash.slice(0, 31))
      }),
    )
  })
})

describe("a member's secret", () => {
  it("is a scalar below the subgroup's order, and commits to one leaf", () => {
    const secret = newSecret()
    assert.ok(scalarOf(secret) > 0n)
    assert.deepEqual(commitmentOf(secret), commitmentOf(secret.slice()))
    assert.equal(codeOf(() => scalarOf(new Uint8Array(32))), "BAD_KEY") // prettier-ignore
    assert.equal(codeOf(() => scalarOf(new Uint8Array(32).fill(255))), "BAD_KEY") // prettier-ignore
  })

  it("gives another nullifier in each scope", () => {
    const secret = newSecret()
    const meshId = primitives.randomBytes(32)
    const scopes = Array.from({ length: SLOTS }, (_, slot) => payloadScope(meshId, 1, slot))
    const seen = new Set(scopes.map((scope) => numberFrom(nullifierOf(secret, scope))))
    assert.equal(seen.size, SLOTS)
  })
})

describe("one-time keys", () => {
  const { seeds, keys } = newOneTimeKeys()
  const root = rootOverKeys(keys)

  it("lie at one place under one root", () => {
    for (let index = 0; index < ONE_TIME_KEYS; index++) {
      const path = pathToKey(keys, index)
      for (let at = 0; at < ONE_TIME_KEYS; at++)
        assert.equal(Buffer.compare(rootFromPath(keys[index]!, at, path), root) === 0, at === index)
    }
  })

  it("sign one envelope of one mesh", () => {
    const [meshId, id] = [primitives.randomBytes(32), primitives.randomBytes(32)]
    const signature = signEnvelope(seeds[2]!, meshId, id)
    assert.equal(verifyEnvelope(keys[2]!, meshId, id, signature), true)
    assert.equal(verifyEnvelope(keys[3]!, meshId, id, signature), false)
    assert.equal(verifyEnvelope(keys[2]!, id, meshId, signature), false)
    assert.equal(verifyEnvelope(keys[2]!, meshId, root, signature), false)
    // a key of small order signs everything, and is none
    assert.equal(verifyEnvelope(new Uint8Array(32), meshId, id, signature), false)
  })
})

describe("admission of kind 1: 384 bytes", () => {
  const fields = someFields()
  const good = under(encodeMembership(fields))
  const changed = (at: number, value: number) => {
    const out = good.slice()
    out[at] = value
    return out
  }

  it("reads back what was written, 360 bytes of fields and zeros", () => {
    assert.equal(encodeMembership(fields).length, ADMISSION_BYTES)
    assert.deepEqual(readMembership(good), { fields })
    const read = readMembership(good)
    assert.ok("fields" in read)
    assert.deepEqual(under(encodeMembership(read.fields)), good)
  })

  it("[REJECT] another kind, padding, ranges, spellings", () => {
    assert.equal(said(changed(0, 2)), "reject MEMBER_KIND")
    assert.equal(said(changed(360, 1)), "reject MEMBER_PADDING")
    assert.equal(said(changed(383, 1)), "reject MEMBER_PADDING")
    // slot = limit
    assert.equal(said(under(encodeMembership({ ...fields, slot: 32 }))), "reject MEMBER_RANGE")
    assert.equal(said(under(encodeMembership({ ...fields, keyIndex: 8 }))), "reject MEMBER_RANGE")
    const alias = bytesOfNumber((numberFrom(fields.nullifier) % 1000n) + FIELD_ORDER)
    assert.equal(
      said(under(encodeMembership({ ...fields, nullifier: alias }))),
      "reject MEMBER_ENCODING",
    )
    const infinity = fields.proof.slice().fill(0, 0, 32)
    assert.equal(
      said(under(encodeMembership({ ...fields, proof: infinity }))),
      "reject MEMBER_ENCODING",
    )
  })

  it("decodes any bytes to fields that encode to these very bytes, or not at all", () => {
    fc.assert(
      fc.property(
        fc.nat(ADMISSION_BYTES - 1),
        fc.integer({ min: 0, max: 255 }),
        fc.uint8Array({ minLength: ADMISSION_BYTES, maxLength: ADMISSION_BYTES }),
        (at, value, noise) => {
          for (const envelope of [
            changed(at, value),
            under(noise),
            under(concat(new Uint8Array([1]), noise.slice(1, 360), new Uint8Array(24))),
          ]) {
            // prettier-ignore
            const read = readMembership(envelope)
            if ("fields" in read) assert.deepEqual(under(encodeMembership(read.fields)), envelope)
          }
        },
      ),
    )
  })

  it("gives the ledger a spend for each key and one tag for the root", () => {
    const root = keyRootOf(fields)
    const tags = ledgerTags(fields, root)
    assert.equal(tags.spend.length, 32)
    assert.equal(tags.spend[NULLIFIER_TAG_BYTES], fields.keyIndex)
    assert.deepEqual(tags.root, root.slice(0, ROOT_TAG_BYTES))
    const other = ledgerTags({ ...fields, keyIndex: 1 }, root)
    assert.deepEqual(other.spend.slice(0, 31), tags.spend.slice(0, 31))
    const foreign = ledgerTags({ ...fields, nullifier: element() }, root)
    assert.notDeepEqual(foreign.spend.slice(0, 31), tags.spend.slice(0, 31))
  })
})

describe("a proof on the wire: 128 bytes", () => {
  const proof = looksLikeProof()
  it("has one spelling: coordinates below the order, nothing at infinity", () => {
    assert.ok(isProof(proof))
    const { a, b, c } = proofParts(proof)
    const with_ = (point: Bytes, at: number) => {
      const out = proof.slice()
      out.set(point, at)
      return out
    }
    const little = (value: bigint) => bytesOfNumber(value).reverse()
    for (const [offset, length] of [
      [0, 32],
      [32, 64],
      [96, 32],
    ] as const)
      // prettier-ignore
      assert.equal(isProof(with_(new Uint8Array(length), offset)), false, `infinity at ${offset}`)
    for (const offset of [0, 32, 64, 96])
      assert.equal(isProof(with_(little(BASE_ORDER), offset)), false, `alias at ${offset}`)
    // the second highest bit is nobody's
    for (const [at, from] of [
      [31, a],
      [127, c],
    ] as const)
      // prettier-ignore
      assert.equal(isProof(with_(new Uint8Array([(from.at(-1) ?? 0) | 0x40]), at)), false)
    assert.equal(isProof(with_(new Uint8Array([(b.at(31) ?? 0) | 0x80]), 63)), false)
    assert.equal(codeOf(() => isProof(proof.slice(1))), "BAD_LENGTH") // prettier-ignore
  })
})

describe("what may be stated", () => {
  const statement = { root: element(), nullifier: element(), signal: element(), scope: element() }
  it("never root 0, never a number from the field's order on", () => {
    assert.equal(isStatement(statement), true)
    assert.equal(isStatement({ ...statement, root: new Uint8Array(32) }), false)
    for (const name of ["root", "nullifier", "signal", "scope"] as const)
      assert.equal(isStatement({ ...statement, [name]: bytesOfNumber(FIELD_ORDER) }), false, name)
  })

  it("differs with mesh, period and slot", () => {
    const [one, two] = [primitives.randomBytes(32), primitives.randomBytes(32)]
    const all = [payloadScope(one, 1, 2), payloadScope(one, 2, 1), payloadScope(two, 1, 2)]
    assert.equal(new Set(all.map(numberFrom)).size, 3)
  })
})

describe("a leaf's path", () => {
  const leaves = Array.from({ length: 5 }, element)
  const tree = new TestTree(leaves)
  it("leads to the root from its own leaf only", () => {
    for (const leaf of leaves) assert.ok(isPathOf(leaf, tree.pathOf(leaf)))
    assert.equal(isPathOf(leaves[0]!, tree.pathOf(leaves[1]!)), false)
  })

  it("is not longer than the circuit's, and never to root 0", () => {
    const siblings = Array.from({ length: 21 }, element)
    assert.equal(isPathOf(leaves[0]!, { siblings, index: 0, root: tree.root }), false)
    assert.throws(() => witnessOf(newSecret(), { siblings, index: 0, root: tree.root }, element(), element())) // prettier-ignore
    const zero = new Uint8Array(32)
    assert.equal(isPathOf(zero, { siblings: [], index: 0, root: zero }), false)
    assert.equal(isPathOf(leaves[0]!, { ...tree.pathOf(leaves[0]!), index: 2 ** 20 }), false)
  })
})
