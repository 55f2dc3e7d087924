/** A place in the order, shown to somebody who follows no chain; and every way in which somebody might show another one. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { batchOf, NULL_BATCH } from "../../src/consensus/item.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import {
  judgePlaces,
  type Link,
  type PlaceProof,
  readPlaces,
  type ShownBlock,
  writePlaces,
} from "../../src/consensus/place.ts"
import { bitmap } from "../../src/consensus/quorum.ts"
import { encodeState } from "../../src/consensus/state.ts"
import type { BlockRecord, Item, ValidatorsItem } from "../../src/consensus/types.ts"
import { type Bytes, Reader, Writer } from "../../src/crypto/bytes.ts"
import { strictDecoder } from "../helpers/decoders.ts"
import { type Bench, bench, certify, hash, proof, sign, work } from "./parts.ts"

const TERM = 8

/** A chain that is made block by block, as a peer that shows its places goes through it. */
class Chain {
  readonly parts: Bench
  readonly ledger: Ledger
  readonly links: Link[] = []
  readonly blocks: ShownBlock[] = []

  constructor(parts: Bench) {
    this.parts = parts
    this.ledger = new Ledger(parts.rules)
  }

  order(...items: readonly Item[]): ShownBlock {
    const { ledger, parts } = this
    const before = ledger.fields
    const { applied } = ledger.plan(batchOf(items))
    const record = certify(parts, ledger, items)
    const flags = bitmap(items.length, (i) => applied.includes(items[i]!))
    const state = encodeState(ledger.fields)
    const block = { record, state, before: before.history, applied: flags }
    this.blocks.push(block)
    if (ledger.fields.setSince !== before.setSince) this.links.push(linkOf(record, state, ledger))
    return block
  }

  endTerm(): void {
    do this.order(...NULL_BATCH.items)
    while (this.ledger.height % TERM !== 0)
  }

  /** Somebody comes, somebody goes; in force from the next term on. */
  change(add: number, remove: number): void {
    const { ledger, parts } = this
    const { keys } = parts.ring.holder(add)
    const item: ValidatorsItem = {
      type: "validators",
      term: ledger.term,
      add: [{ keys, possession: new Uint8Array(1) }],
      remove: [parts.ring.holder(remove).keys.ed25519],
      approvals: [],
    }
    this.order(item)
    this.endTerm()
  }
}

const linkOf = (
  { height, parent, batch, certificate }: BlockRecord,
  state: Bytes,
  ledger: Ledger,
) => {
  const { members: validators } = ledger.fields.set
  return { height, parent, digest: batch.digest, state, certificate, validators }
}

const judge = (parts: Bench, shown: PlaceProof, ...names: readonly string[]) =>
  judgePlaces(parts.rules, shown, names.map(hash), parts.ring.scheme)
const codeOf = (parts: Bench, shown: PlaceProof, ...names: readonly string[]) => {
  const judged = judge(parts, shown, ...names)
  return judged.ok ? "sound" : judged.code
}

describe("a shown place", () => {
  const parts = bench(4, "fast", TERM)

  it("is the block's height, and the number among the envelopes that it ordered", () => {
    const chain = new Chain(parts)
    const first = chain.order(work("a"), work("b"))
    const second = chain.order({ type: "tick", period: 1 }, work("c"), proof("d", "n", 0, "r"))
    const shown = { links: [], blocks: [first, second] }
    assert.deepEqual(judge(parts, shown, "b", "d"), {
      ok: true,
      places: [
        { height: 1, index: 1 },
        { height: 2, index: 1 },
      ],
      signatures: 4,
      validators: 4,
      quorum: 3,
    })
    assert.equal(codeOf(parts, shown, "e"), "NOT_ORDERED")
    assert.equal(codeOf(parts, { links: [], blocks: [first] }, "b", "d"), "NOT_ORDERED")
  })

  it("is none where the ledger skipped the item, though the block names it", () => {
    const chain = new Chain(parts)
    const rival = { ...work("b"), spend: work("a").spend }
    const block = chain.order(work("a"), rival, work("c"))
    const shown = { links: [], blocks: [block] }
    assert.deepEqual(judge(parts, shown, "c"), {
      ...judge(parts, shown, "a"),
      places: [{ height: 1, index: 1 }],
    })
    assert.equal(codeOf(parts, shown, "b"), "NOT_ORDERED")
    const claimed = { ...block, applied: Uint8Array.of(0b111) }
    assert.equal(codeOf(parts, { links: [], blocks: [claimed] }, "b"), "WRONG_STATE")
  })

  it("holds over every change of the validators since the genesis, by one block for each", () => {
    const chain = new Chain(parts)
    chain.endTerm()
    chain.change(5, 0)
    chain.endTerm()
    chain.change(6, 1)
    const { links } = chain
    assert.deepEqual(
      links.map(({ height }) => height),
      [2 * TERM, 4 * TERM],
    )
    const block = chain.order(work("a"))
    assert.equal(codeOf(parts, { links, blocks: [block] }, "a"), "sound")
    const [first, second] = [links[0]!, links[1]!]
    // each of them is needed, in this order
    assert.equal(codeOf(parts, { links: [first], blocks: [block] }, "a"), "BAD_SIGNATURE")
    assert.equal(codeOf(parts, { links: [second], blocks: [block] }, "a"), "BAD_SIGNATURE")
    assert.equal(codeOf(parts, { links: [second, first], blocks: [block] }, "a"), "BAD_SIGNATURE")
    assert.equal(codeOf(parts, { links: [first, first], blocks: [block] }, "a"), "WRONG_LINK")
    const others = { ...second, validators: first.validators }
    assert.equal(codeOf(parts, { links: [first, others], blocks: [block] }, "a"), "WRONG_SET")
    const twice = { ...second, validators: [...second.validators, second.validators[0]!] }
    assert.equal(codeOf(parts, { links: [first, twice], blocks: [block] }, "a"), "WRONG_SET")
    const unlike = { ...second, state: first.state }
    assert.equal(codeOf(parts, { links: [first, unlike], blocks: [block] }, "a"), "WRONG_BLOCK")
    // a boundary behind which nothing changes is no link
    const plain = chain.blocks[TERM - 1]!
    const still = linkOf(plain.record, plain.state, new Ledger(parts.rules))
    assert.equal(codeOf(parts, { links: [still], blocks: [block] }, "a"), "WRONG_LINK")
  })

  it("is not shown by validators who were replaced before", () => {
    const chain = new Chain(parts)
    chain.change(5, 0)
    const block = chain.order(work("a"))
    // the old ones sign the same block, as if nothing had changed
    const { certificate } = block.record
    const old = new Ledger(parts.rules).set
    const signatures = old.members.map((_, signer) => ({
      signer,
      signature: sign(parts, old, { ...certificate, type: "commit", signer }).signature,
    }))
    const record = { ...block.record, certificate: { ...certificate, signatures } }
    assert.equal(codeOf(parts, { links: [], blocks: [{ ...block, record }] }, "a"), "WRONG_SET")
    assert.equal(
      codeOf(parts, { links: chain.links, blocks: [{ ...block, record }] }, "a"),
      "BAD_SIGNATURE",
    )
  })

  it("needs a quorum of different validators, each of whom signed this very block", () => {
    const chain = new Chain(parts)
    const block = chain.order(work("a"))
    const other = chain.order(work("b"))
    const { certificate } = block.record
    const [s0, s1, s2] = certificate.signatures
    const signedBy = (signatures: readonly (typeof s0)[]) =>
      codeOf(
        parts,
        {
          links: [],
          blocks: [
            {
              ...block,
              record: {
                ...block.record,
                certificate: { ...certificate, signatures: signatures as [] },
              },
            },
          ],
        },
        "a",
      )
    assert.equal(signedBy([s0, s1, s2]), "sound")
    assert.equal(signedBy([s0, s1]), "NO_QUORUM")
    assert.equal(signedBy([s0, s1, s1]), "BAD_SIGNERS")
    assert.equal(signedBy([s0, s1, { ...s2!, signer: 9 }]), "BAD_SIGNERS")
    assert.equal(signedBy([s0, s1, { ...s2!, signature: s1!.signature }]), "BAD_SIGNATURE")
    const record = { ...block.record, certificate: other.record.certificate }
    assert.equal(codeOf(parts, { links: [], blocks: [{ ...block, record }] }, "a"), "WRONG_BLOCK")
    const swapped = { ...block.record, batch: other.record.batch }
    assert.equal(
      codeOf(parts, { links: [], blocks: [{ ...block, record: swapped }] }, "b"),
      "WRONG_BLOCK",
    )
    assert.equal(codeOf(parts, { links: [], blocks: [{ ...block, state: other.state }] }, "a"), "WRONG_STATE") // prettier-ignore
    assert.equal(codeOf(parts, { links: [], blocks: [{ ...block, before: hash("x") }] }, "a"), "WRONG_STATE") // prettier-ignore
    const longer = { ...block, applied: Uint8Array.of(1, 0) }
    assert.equal(codeOf(parts, { links: [], blocks: [longer] }, "a"), "WRONG_STATE")
  })

  it("is of one mesh: under another's id or validators nothing of it holds", () => {
    const block = new Chain(parts).order(work("a"))
    const shown = { links: [], blocks: [block] }
    const elsewhere = { ...parts, rules: { ...parts.rules, meshId: hash("another mesh") } }
    assert.equal(codeOf(elsewhere, shown, "a"), "WRONG_BLOCK")
    const [first, ...rest] = parts.rules.validators
    const keys = parts.ring.holder(7).keys
    const others = { ...parts, rules: { ...parts.rules, validators: [keys, ...rest] } }
    assert.equal(codeOf(others, shown, "a"), "BAD_SIGNATURE")
    const twice = { ...parts, rules: { ...parts.rules, validators: [first!, first!, ...rest] } }
    assert.equal(codeOf(twice, shown, "a"), "WRONG_SET")
    assert.equal(codeOf({ ...parts, rules: { ...parts.rules, validators: [] } }, shown, "a"), "WRONG_SET") // prettier-ignore
  })

  it("decodes strictly", () => {
    const chain = new Chain(parts)
    chain.change(5, 0)
    const block = chain.order(work("a"), work("b"))
    const encode = (shown: PlaceProof) => writePlaces(new Writer(), shown).finish()
    strictDecoder(
      encode({ links: chain.links, blocks: [block] }),
      (bytes) => {
        const read = new Reader(bytes)
        const shown = readPlaces(read)
        read.done()
        return shown
      },
      encode,
    )
  })
})
