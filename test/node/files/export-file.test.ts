/** A message in a file, with real signatures throughout: what whoever checks it learns, and every way of forging one with its code. */
import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import fc from "fast-check"
import { withoutAdmission } from "../../../src/chat/authorship.ts"
import { type Channel, openChannel, sealContents } from "../../../src/chat/channel.ts"
import type { Content } from "../../../src/chat/content.ts"
import { batchOf } from "../../../src/consensus/item.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import type { PlaceProof, ShownBlock } from "../../../src/consensus/place.ts"
import { bitmap } from "../../../src/consensus/quorum.ts"
import { encodeState } from "../../../src/consensus/state.ts"
import { addressBytes } from "../../../src/crypto/address.ts"
import { type Bytes, concat, utf8 } from "../../../src/crypto/bytes.ts"
import {
  assembleCard,
  cardSigningBytes,
  encodeCardBody,
  verifyCard,
} from "../../../src/crypto/card.ts"
import { envelopeId, openThread, sealThread } from "../../../src/crypto/envelope.ts"
import { encodeGenesis, decodeGenesis, meshIdOf } from "../../../src/crypto/genesis.ts"
import {
  addressOfRoots,
  generateIntro,
  generateRoots,
  introPublic,
  rootPublic,
} from "../../../src/crypto/identity.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import * as session from "../../../src/crypto/session.ts"
import {
  decodeExport,
  encodeExport,
  EXPORT_BYTES_MAX,
  type MessageExport,
  verifyExport,
} from "../../../src/node/files/export-file.ts"
import { ledgerRules, workItem } from "../../../src/node/ledger/rules.ts"
import { bench, certify, hash } from "../../consensus/parts.ts"
import { strictDecoder } from "../../helpers/decoders.ts"

/** Somebody with roots, a leaf key, and a card that the roots have signed. */
function somebody() {
  const roots = generateRoots()
  const leaf = primitives.ed25519.generate()
  const publicRoots = rootPublic(roots)
  const body = encodeCardBody({
    ed25519Root: publicRoots.ed25519,
    slhDsaRoot: publicRoots.slhDsa,
    sequence: 1,
    intro: introPublic(generateIntro()),
    leaf: primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(leaf)),
    lastResort: new Uint8Array(100),
    formers: [],
    compositeLeaf: null,
    formerComposites: [],
  })
  const { ed25519, slhDsaShake256s } = primitives
  const signed = cardSigningBytes(body)
  const card = assembleCard(body, {
    ed25519: ed25519.sign(ed25519.importPrivate(roots.ed25519), signed),
    slhDsa: slhDsaShake256s.sign(slhDsaShake256s.importPrivate(roots.slhDsa), signed),
  })
  return { address: addressOfRoots(roots), leaf, card }
}

const real = bench(4, "real", 128)
const genesis = encodeGenesis({
  name: "harbour",
  salt: hash("salt"),
  powBits: 8,
  validators: real.rules.validators.map(({ slhDsa, ...keys }) => ({ ...keys, slhDsaSha2: slhDsa })),
})
const meshId = meshIdOf(genesis)
const rules = ledgerRules({ genesis: decodeGenesis(genesis), meshId })
const parts = { ...real, rules }

const text = (what: string): Content => ({
  kind: "text",
  id: hash(`id of ${what.slice(0, 14)}`).subarray(0, 16),
  sentAtMs: 1000,
  lamport: 1,
  text: what,
})

describe("an exported message", () => {
  let ada: ReturnType<typeof somebody>
  let bob: ReturnType<typeof somebody>
  let channel: Channel
  const ledger = new Ledger(rules)

  before(async () => {
    ada = somebody()
    bob = somebody()
    const groupId = utf8("a thread of two")
    const identity = addressBytes(ada.address)
    const alone = await session.createGroup({ groupId, identity, signatureSeed: ada.leaf })
    const { public: keyPackage } = await session.createKeyPackage({
      identity: addressBytes(bob.address),
      signatureSeed: bob.leaf,
      lastResort: false,
      notAfterSeconds: 4_000_000_000,
    })
    const { next } = await session.addMembers(alone, [keyPackage], 1_800_000_000)
    channel = await openChannel(session.mergeCommit(alone, next), {
      peer: bob.address,
      theirName: "bob",
      trusted: true,
    })
  })

  function ordered(...ids: readonly Bytes[]): ShownBlock {
    const items = ids.map(workItem)
    const { history } = ledger.fields
    const { applied } = ledger.plan(batchOf(items))
    const record = certify(parts, ledger, items)
    const flags = bitmap(items.length, (i) => applied.includes(items[i]!))
    return { record, state: encodeState(ledger.fields), before: history, applied: flags }
  }

  /** What Ada says, each envelope in a block of its own, and the file that shows the first of it. */
  async function said(...contents: readonly [Content, ...Content[]]) {
    const sealed = await sealContents(channel, meshId, contents)
    channel = sealed.channel
    const blocks = sealed.envelopes.map((envelope) => ordered(envelopeId(envelope)))
    const [first] = contents
    const carriers = sealed.envelopes.map((envelope, i) => ({
      key: sealed.keys[i]!,
      sealed: withoutAdmission(envelope),
    }))
    const { opening, signedBy } = sealed
    const content = "id" in first ? first.id : assert.fail("it has an id")
    const authorship = { card: ada.card, signedBy, opening, content, carriers }
    return { genesis, authorship, places: { links: [], blocks } as PlaceProof }
  }

  const verdictOf = (shown: MessageExport) => verifyExport(encodeExport(shown))
  async function codeOf(shown: MessageExport): Promise<string> {
    const verdict = await verdictOf(shown)
    return verdict.ok ? "sound" : verdict.code
  }
  const authored = (shown: MessageExport, more: Partial<MessageExport["authorship"]>) =>
    codeOf({ ...shown, authorship: { ...shown.authorship, ...more } })

  it("tells who wrote it, what, where the ledger put it and who certified that, and in which mesh", async () => {
    const shown = await said(text("meet me at nine"))
    const verdict = await verdictOf(shown)
    assert(verdict.ok)
    assert.equal(verdict.author, ada.address)
    assert.equal(verdict.said.text, "meet me at nine")
    assert.deepEqual(verdict.meshId, meshId)
    assert.equal(verdict.groupName, null)
    assert.deepEqual(verdict.beside, [])
    const { height } = ledger
    assert.deepEqual(verdict.order, { height, index: 0, wholeAt: height, signatures: 4, validators: 4, quorum: 3 }) // prettier-ignore
    const unordered = await verdictOf({ ...shown, places: null })
    assert(unordered.ok)
    assert.equal(unordered.order, null)
  })

  it("of several envelopes stands where its last one does, and needs all of them", async () => {
    const shown = await said(text("a long story, ".repeat(400)))
    const verdict = await verdictOf(shown)
    assert(verdict.ok && verdict.order !== null)
    assert.equal(verdict.order.height, ledger.height)
    const { carriers } = shown.authorship
    assert(carriers.length > 2)
    const { links, blocks } = shown.places
    assert.equal(await codeOf({ ...shown, places: { links, blocks: blocks.slice(1) } }), "NOT_ORDERED") // prettier-ignore
    assert.equal(await authored(shown, { carriers: carriers.slice(1) }), "BAD_PAYLOAD")
    assert.equal(await authored(shown, { carriers: carriers.toReversed() }), "BAD_PAYLOAD")
    const [first, ...rest] = carriers
    assert.equal(await authored(shown, { carriers: [first!, first!, ...rest.slice(1)] }), "BAD_PAYLOAD") // prettier-ignore
  })

  it("says what else its author said under the same signature", async () => {
    const receipt: Content = { kind: "receipt", ids: [hash("r").subarray(0, 16)] }
    const verdict = await verdictOf(await said(text("this"), text("and that"), receipt))
    assert(verdict.ok)
    assert.deepEqual(
      verdict.beside.map(({ kind }) => kind),
      ["text", "receipt"],
    )
  })

  it("cannot be another's: not with somebody's card, nor somebody's key, nor words that they did not sign", async () => {
    const shown = await said(text("I owe you nothing"))
    assert.equal(await authored(shown, { card: bob.card }), "OTHER_CARD")
    const bobs = verifyCard(bob.card).leaf
    assert.equal(await authored(shown, { card: bob.card, signedBy: bobs }), "BAD_SIGNATURE")
    assert.equal(await authored(shown, { card: ada.card.slice(0, -1) }), "BAD_CARD")
    const forged = ada.card.map((byte, i) => (i === 200 ? byte ^ 1 : byte))
    assert.equal(await authored(shown, { card: forged }), "BAD_CARD")
    const other = await said(text("I owe you all"))
    assert.equal(await authored(shown, { content: other.authorship.content }), "NO_SUCH_MESSAGE")
    const { key } = other.authorship.opening
    assert.equal(await authored(shown, { opening: { ...shown.authorship.opening, key } }), "NOT_OPENED") // prettier-ignore
    const context = new Uint8Array(9)
    assert.equal(await authored(shown, { opening: { ...shown.authorship.opening, context } }), "OTHER_GROUP") // prettier-ignore
    // words of the reader's own, in an envelope that the reader made
    const [carrier] = shown.authorship.carriers
    const plaintext = concat(Uint8Array.of(1), new Uint8Array(8), Uint8Array.of(0, 1, 0, 4), utf8("mine"), new Uint8Array(2095)) // prettier-ignore
    const made = sealThread(meshId, new Uint8Array(16), carrier!.key, plaintext)
    const mine = [{ key: carrier!.key, sealed: withoutAdmission(made) }]
    assert.equal(await authored(shown, { carriers: mine }), "BAD_MESSAGE")
  })

  it("cannot be put elsewhere: not into another block, by other validators, or into another mesh", async () => {
    const shown = await said(text("first"))
    const other = await said(text("second"))
    assert.equal(await codeOf({ ...shown, places: other.places }), "NOT_ORDERED")
    assert.equal(await codeOf({ ...shown, authorship: other.authorship }), "NOT_ORDERED")
    const [block] = shown.places.blocks
    const { record } = block!
    const { signatures } = record.certificate
    const withSignatures = (some: typeof signatures): PlaceProof => ({
      links: [],
      blocks: [
        {
          ...block!,
          record: { ...record, certificate: { ...record.certificate, signatures: some } },
        },
      ],
    })
    const [s0, s1, s2] = signatures
    // the same signer twice does not even decode
    assert.equal(await codeOf({ ...shown, places: withSignatures([s0!, s1!, s1!]) }), "NOT_AN_EXPORT") // prettier-ignore
    assert.equal(await codeOf({ ...shown, places: withSignatures([s0!, s1!]) }), "NO_QUORUM")
    const moved = { ...s2!, signature: s1!.signature }
    assert.equal(await codeOf({ ...shown, places: withSignatures([s0!, s1!, moved]) }), "BAD_SIGNATURE") // prettier-ignore
    const elsewhere = encodeGenesis({ ...decodeGenesis(genesis), name: "other" })
    assert.equal(await codeOf({ ...shown, genesis: elsewhere }), "BAD_ENVELOPE")
    const [carrier] = shown.authorship.carriers
    const key = other.authorship.carriers[0]!.key
    assert.equal(await authored(shown, { carriers: [{ ...carrier!, key }] }), "BAD_ENVELOPE")
  })

  it("that a reader put into an envelope of their own, later, is not where the file says", async () => {
    const shown = await said(text("said once"))
    const { opening, signedBy } = shown.authorship
    const [carrier] = shown.authorship.carriers
    const envelope = concat(new Uint8Array(384), carrier!.sealed)
    const inside = openThread(meshId, carrier!.key, envelope) ?? assert.fail("it opens")
    const again = sealThread(meshId, hash("tag").subarray(0, 16), carrier!.key, inside)
    const carriers = [{ key: carrier!.key, sealed: withoutAdmission(again) }]
    assert.equal(await authored(shown, { opening, signedBy, carriers }), "NOT_ORDERED")
    // What a member can do, and the documents say: have it ordered again, at a later place.
    const later = { links: [], blocks: [ordered(envelopeId(again))] }
    const verdict = await verdictOf({ ...shown, authorship: { ...shown.authorship, carriers }, places: later }) // prettier-ignore
    assert(verdict.ok && verdict.order !== null)
    assert(verdict.order.height > shown.places.blocks[0]!.record.height)
  })

  it("decodes strictly, within its limit, and says of a later version that it is one", async () => {
    const bytes = encodeExport(await said(text("short")))
    assert(bytes.length < 70_000, `${bytes.length} bytes`)
    strictDecoder(bytes, decodeExport, encodeExport)
    const versioned = bytes.map((byte, i) => (i === 13 ? 0x32 : byte))
    assert.deepEqual(await verifyExport(versioned), { ok: false, code: "NEWER_EXPORT" })
    const large = await verifyExport(new Uint8Array(EXPORT_BYTES_MAX + 1))
    assert.deepEqual(large, { ok: false, code: "NOT_AN_EXPORT" })
  })

  it("holds in all of its bits or not at all", async () => {
    const bytes = encodeExport(await said(text("every bit of it")))
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * bytes.length - 1), async (bit) => {
        const altered = bytes.slice()
        altered[bit >> 3]! ^= 1 << (bit & 7)
        assert.equal((await verifyExport(altered)).ok, false, `bit ${bit}`)
      }),
      { numRuns: 300 },
    )
    for (const cut of [0, 14, 15, 100, bytes.length - 1])
      assert.deepEqual(await verifyExport(bytes.subarray(0, cut)), { ok: false, code: "NOT_AN_EXPORT" }) // prettier-ignore
  })
})
