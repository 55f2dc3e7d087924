/** The wire: one value, one encoding; whatever the bytes, a value or a coded error. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { concat } from "../../src/crypto/bytes.ts"
import { CryptoError } from "../../src/crypto/errors.ts"
import {
  decodeBlockClaim,
  decodeBlockRecord,
  decodeCertificate,
  decodeMessage,
  encodeBlockRecord,
  encodeCertificate,
  encodeMessage,
} from "../../src/consensus/codec.ts"
import { batchOf, decodeBatch, decodeItem, encodeItem } from "../../src/consensus/item.ts"
import type {
  Batch,
  BlockRecord,
  Certificate,
  Item,
  Message,
  PreparedProof,
  Signed,
  ViewChange,
  Vote,
  VoteType,
} from "../../src/consensus/types.ts"

/** Records with a prototype, as decoders make them. */
const plain = ((model: Record<string, fc.Arbitrary<unknown>>, constraints: object = {}) =>
  fc.record(model, { noNullPrototype: true, ...constraints })) as typeof fc.record
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const digest = bytes(32)
const signature = fc.uint8Array({ minLength: 1, maxLength: 20 })
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const height = fc.integer({ min: 0, max: 2 ** 50 })
const seat = fc.integer({ min: 0, max: 63 })

const signed: fc.Arbitrary<Signed[]> = fc
  .uniqueArray(seat, { maxLength: 5 })
  .chain((seats) =>
    fc.tuple(
      ...seats
        .sort((a, b) => a - b)
        .map((signer) => signature.map((s) => ({ signer, signature: s }))),
    ),
  )

const keys = plain({ ed25519: bytes(32), mlDsa65: bytes(1952), slhDsa: bytes(32) })
const item: fc.Arbitrary<Item> = fc.oneof(
  plain({ type: fc.constant("envelope" as const), id: digest, spend: digest }),
  plain({ type: fc.constant("envelope" as const), id: digest, spend: digest, root: bytes(16) }),
  plain({
    type: fc.constant("member-add" as const),
    commitment: digest,
    voucher: digest,
    evidence: fc.uint8Array({ maxLength: 50 }),
  }),
  plain({
    type: fc.constant("member-remove" as const),
    commitment: digest,
    term: u32,
    approvals: signed,
  }),
  plain({
    type: fc.constant("validators" as const),
    add: fc.array(plain({ keys, possession: signature }), { maxLength: 2 }),
    remove: fc.array(digest, { maxLength: 2 }),
    term: u32,
    approvals: signed,
  }),
  plain({ type: fc.constant("tick" as const), period: u32 }),
)
const batch: fc.Arbitrary<Batch> = fc.array(item, { maxLength: 4 }).map(batchOf)

const vote = <T extends VoteType>(type: T): fc.Arbitrary<Vote<T>> =>
  plain({
    type: fc.constant(type),
    term: u32,
    view: u32,
    height,
    digest,
    signer: seat,
    signature,
  })
const certificate: fc.Arbitrary<Certificate> = plain({
  type: fc.constantFrom("commit" as const, "checkpoint" as const),
  term: u32,
  view: u32,
  height,
  digest,
  signatures: signed,
})
const prepared: fc.Arbitrary<PreparedProof> = plain({
  height,
  view: u32,
  digest,
  proposal: signature,
  prepares: signed,
})
const viewChange: fc.Arbitrary<ViewChange> = plain(
  {
    type: fc.constant("view-change" as const),
    term: u32,
    view: u32,
    tip: certificate,
    prepared: fc.array(prepared, { maxLength: 3 }),
    signer: seat,
    signature,
  },
  {
    noNullPrototype: true,
    requiredKeys: ["type", "term", "view", "prepared", "signer", "signature"],
  },
)
const block: fc.Arbitrary<BlockRecord> = plain({
  height,
  parent: digest,
  stateRoot: digest,
  batch,
  certificate,
})
const map = fc.uint8Array({ maxLength: 8 })
const message: fc.Arbitrary<Message> = fc.oneof(
  fc
    .tuple(vote("pre-prepare"), fc.option(batch, { nil: undefined }))
    .map(([v, b]) => (b === undefined ? v : { ...v, batch: b })),
  vote("prepare"),
  vote("commit"),
  vote("checkpoint"),
  viewChange,
  plain({
    type: fc.constant("new-view" as const),
    term: u32,
    view: u32,
    changes: fc.array(viewChange, { maxLength: 2 }),
    proposals: fc.array(plain({ height, digest, signature }), { maxLength: 3 }),
    signer: seat,
    signature,
  }),
  plain({
    type: fc.constant("seal" as const),
    term: u32,
    height,
    digest,
    signer: seat,
    signature,
  }),
  plain({
    type: fc.constant("status" as const),
    term: u32,
    view: u32,
    changing: fc.boolean(),
    executed: height,
    ask: height,
    answer: height,
    changes: map,
    checkpoints: map,
    slots: fc.array(plain({ proposal: fc.boolean(), prepares: map, commits: map }), {
      maxLength: 3,
    }),
  }),
  plain({ type: fc.constant("fetch" as const), term: u32, height, digest }),
  plain({ type: fc.constant("batch" as const), term: u32, height, batch }),
  plain(
    {
      type: fc.constant("blocks" as const),
      records: fc.array(block, { maxLength: 2 }),
      checkpoint: certificate,
    },
    { noNullPrototype: true, requiredKeys: ["type", "records"] },
  ),
  plain({ type: fc.constant("request" as const), items: fc.array(item, { maxLength: 3 }) }),
  plain({
    type: fc.constant("evidence" as const),
    first: vote("prepare"),
    second: vote("commit"),
  }),
)

/** Total and canonical: what decodes encodes to the same bytes again, and everything else is a coded error. */
function total<T>(
  decode: (input: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
  input: Uint8Array,
): boolean {
  let value: T
  try {
    value = decode(input)
  } catch (error) {
    assert.ok(error instanceof CryptoError, String(error))
    return false
  }
  assert.deepEqual(encode(value), input)
  return true
}

const codecs = [
  {
    name: "message",
    value: message as fc.Arbitrary<unknown>,
    encode: encodeMessage,
    decode: decodeMessage,
  },
  { name: "block", value: block, encode: encodeBlockRecord, decode: decodeBlockRecord },
  { name: "certificate", value: certificate, encode: encodeCertificate, decode: decodeCertificate },
  { name: "item", value: item, encode: encodeItem, decode: decodeItem },
  { name: "batch", value: batch, encode: (b: Batch) => b.bytes, decode: decodeBatch },
] as unknown as readonly {
  name: string
  value: fc.Arbitrary<unknown>
  encode: (value: unknown) => Uint8Array
  decode: (input: Uint8Array) => unknown
}[]

for (const { name, value, encode, decode } of codecs)
  describe(`${name} encoding`, () => {
    it("brings every value back", () => {
      fc.assert(
        fc.property(value, (given) => {
          assert.deepEqual(decode(encode(given)), given)
        }),
        { numRuns: 200 },
      )
    })

    it("refuses every truncation and every trailing byte", () => {
      fc.assert(
        fc.property(value, fc.double({ min: 0, max: 0.999, noNaN: true }), (given, share) => {
          const whole = encode(given)
          const cut = whole.subarray(0, Math.floor(whole.length * share))
          assert.throws(() => decode(cut), CryptoError)
          assert.throws(() => decode(concat(whole, Uint8Array.of(0))), CryptoError)
        }),
        { numRuns: 200 },
      )
    })

    it("is canonical under any flipped bit, and total on any bytes", () => {
      fc.assert(
        fc.property(value, fc.nat(), (given, at) => {
          const bent = encode(given).slice()
          const bit = at % (8 * bent.length)
          bent[bit >> 3]! ^= 1 << (bit & 7)
          total(decode, encode, bent)
        }),
        { numRuns: 300 },
      )
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 300 }),
          (noise) => void total(decode, encode, noise),
        ),
        { numRuns: 300 },
      )
    })
  })

describe("a block without its items", () => {
  it("says what the whole block says of itself, and of garbage nothing", () => {
    fc.assert(
      fc.property(block, fc.double({ min: 0, max: 0.999, noNaN: true }), (given, share) => {
        const whole = encodeBlockRecord(given)
        const { batch: items, ...rest } = given
        assert.deepEqual(decodeBlockClaim(whole), { ...rest, digest: items.digest })
        const cut = whole.subarray(0, Math.floor(whole.length * share))
        assert.throws(() => decodeBlockClaim(cut), CryptoError)
        assert.throws(() => decodeBlockClaim(concat(whole, Uint8Array.of(0))), CryptoError)
      }),
      { numRuns: 100 },
    )
  })
})

describe("a list of signers", () => {
  it("that names a seat twice, or out of order, has no encoding that decodes", () => {
    const one = { signer: 2, signature: Uint8Array.of(1) }
    for (const signatures of [
      [one, one],
      [one, { ...one, signer: 1 }],
    ]) {
      const bad: Certificate = {
        type: "commit",
        term: 0,
        view: 0,
        height: 1,
        digest: new Uint8Array(32),
        signatures,
      }
      assert.throws(() => decodeCertificate(encodeCertificate(bad)), { code: "BAD_ENCODING" })
    }
  })

  it("does not make room for what it only claims to hold", () => {
    const claim = encodeMessage({ type: "blocks", records: [] }).slice()
    claim[2] = 255
    claim[3] = 255
    assert.throws(() => decodeMessage(claim), { code: "TOO_LARGE" })
  })
})

describe("versions", () => {
  it("other than ours are refused by name", () => {
    const other = encodeMessage({ type: "request", items: [] }).slice()
    other[0] = 2
    assert.throws(() => decodeMessage(other), { code: "BAD_VERSION" })
  })
})
