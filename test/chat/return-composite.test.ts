/**
 * Coming back into a group with composite signatures: the Ed25519 root key signs the mark, as everywhere, and is not enough. Who has broken
 * it holds no key that a card names, and whatever card they bring along needs the other root key's signature as well.
 */
import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import { encodeAbout, type Group, groupIn, memberIn, objectionTo } from "../../src/chat/group.ts"
import { makeMark } from "../../src/chat/return.ts"
import { addressBytes } from "../../src/crypto/address.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import type { Identity } from "../../src/crypto/identity.ts"
import {
  addMembers,
  changeGroup,
  createGroup,
  createKeyPackage,
  generateSignatureSeed,
  joinFromWelcome,
  keyPackageSigning,
  mergeCommit,
  process,
  sessionLimits,
  type SessionState,
  signaturePublicOf,
} from "../../src/crypto/session.ts"
import { makeIdentity } from "../helpers/chat-world.ts"

const NOW_MS = 1_700_000_000_000
const NOW_SECONDS = NOW_MS / 1000
const GROUP_ID = new Uint8Array(16).fill(7)

type Who = Awaited<ReturnType<typeof makeIdentity>>

const seedOf = ({ identity }: Who): Bytes => identity.composite?.leaf ?? assert.fail("no key")

interface Returning {
  readonly seed?: Bytes
  readonly roots?: Identity["roots"]
  readonly proof?: Bytes
}

/** What somebody leaves behind to come back by; everything their own unless said otherwise. */
async function returning(who: Who, change: Returning = {}): Promise<Bytes> {
  const { seed = seedOf(who), roots = who.identity.roots, proof = who.identity.card } = change
  const pair = await createKeyPackage({
    identity: addressBytes(who.card.address),
    signatureSeed: seed,
    lastResort: false,
    notAfterSeconds: 2 ** 33,
    mark: makeMark(roots.ed25519, GROUP_ID, NOW_MS, signaturePublicOf(seed)),
    proof,
  })
  return pair.public
}

describe("coming back into a group with composite signatures", () => {
  let [ada, bob, cyd, eve] = [] as unknown as [Who, Who, Who, Who]
  let states: { ada: SessionState; cyd: SessionState }
  let group: Group

  before(async () => {
    ;[ada, cyd] = [await makeIdentity("Ada"), await makeIdentity("Cyd")]
    ;[bob, eve] = [await makeIdentity("Bob", true), await makeIdentity("Eve", true)]
    const founded = await createGroup({
      groupId: GROUP_ID,
      identity: addressBytes(ada.card.address),
      signatureSeed: seedOf(ada),
      about: encodeAbout({ name: "Team", admins: [ada.card.address] }),
    })
    const pairs = [bob, cyd].map(({ identity }) => identity.composite?.lastResort ?? assert.fail())
    const packages = pairs.map((pair) => pair.public)
    const made = await addMembers(founded, packages, NOW_SECONDS)
    const joined = await joinFromWelcome(made.welcome, pairs[1] ?? assert.fail())
    assert(joined.kind === "joined")
    states = { ada: mergeCommit(founded, made.next), cyd: joined.state }
    group = groupIn(states.ada) ?? assert.fail()
  })

  /** Cyd puts Bob in anew with this; what everybody else says to that. */
  async function verdictOn(keyPackage: Bytes) {
    const remove = [memberIn(group, bob.card.address)?.leaf ?? assert.fail()]
    const made = await changeGroup(states.cyd, { add: [keyPackage], remove }, NOW_SECONDS)
    const read = await process(states.ada, made.commit)
    assert(read.kind === "commit", read.kind === "ignored" ? read.code : "")
    return { objection: objectionTo(group, read), read, bytes: made.commit.length }
  }

  it("takes a card that names the new leaf key, which travels in the key package and not on in the group", async () => {
    // The key that he had was forgotten with a rotation; the card is of now.
    const keyPackage = await returning(bob)
    assert.equal(keyPackageSigning(keyPackage), "composite")
    assert(keyPackage.length < sessionLimits.KEY_PACKAGE_MAX_BYTES, `${keyPackage.length} bytes`)
    const old = group.members.find(({ address }) => address === bob.card.address)
    assert(old)
    const { objection, read } = await verdictOn(keyPackage)
    assert.equal(objection, undefined)
    assert.equal(read.added[0]?.proof.length, bob.identity.card.length)
    const after = groupIn(read.next) ?? assert.fail()
    assert.equal(memberIn(after, bob.card.address)?.returned, NOW_MS)
  })

  it("is nothing that the Ed25519 root key can do alone, nor with any other card", async () => {
    const stolen = { roots: bob.identity.roots, seed: generateSignatureSeed("composite") }
    const forged = bob.identity.card.slice()
    forged[forged.length - 1]! ^= 1
    const unsigned = bob.identity.card.slice()
    unsigned.fill(0, -29_792)
    const wrong: Record<string, Returning> = {
      "a key of the thief's, under the victim's card": stolen,
      "the victim's key, under a card with a forged signature of the other root": { proof: forged },
      "or with none": { proof: unsigned },
      "under somebody else's card": { proof: eve.identity.card },
      "somebody else's key and card": { seed: seedOf(eve), proof: eve.identity.card },
      "without a card": { proof: new Uint8Array(0) },
      "under bytes that are no card": { proof: new Uint8Array(35_000).fill(3) },
    }
    for (const [what, change] of Object.entries(wrong)) {
      const { objection } = await verdictOn(await returning(bob, change))
      assert.equal(objection, "NOT_AN_ADMIN", what)
    }
  })

  it("is nothing that the card can do alone: the mark has to be the root's", async () => {
    const { objection } = await verdictOn(await returning(bob, { roots: eve.identity.roots }))
    assert.equal(objection, "NOT_AN_ADMIN")
  })
})
