/** Showing one message of a group to somebody outside: it opens that message, nothing else, and says which key signed it. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { primitives } from "#primitives"
import { type Bytes, fromUtf8, utf8 } from "../../../src/crypto/bytes.ts"
import { encrypt, members, type Opening, process, readShown } from "../../../src/crypto/session.ts"
import { assertAgreed, groupOf, type Person, updates } from "./story.ts"

interface Said {
  readonly message: Bytes
  readonly opening: Opening
  readonly signedBy: Bytes
}

async function says(person: Person, text: string): Promise<Said> {
  const { next, ...said } = await encrypt(person.state, utf8(text))
  person.state = next
  return said
}

async function hears(person: Person, message: Bytes) {
  const read = await process(person.state, message)
  assert(read.kind === "application")
  person.state = read.next
  return read
}

const shown = async (message: Bytes, opening: Opening, key: Bytes): Promise<string> => {
  const read = await readShown(message, opening, key)
  return typeof read === "string" ? read : fromUtf8(read.plaintext)
}

describe("a shown message", () => {
  it("opens with what its author and its readers keep, which is the same, also when it came late", async () => {
    const [ada, bob, cyd] = await groupOf("Ada", "Bob", "Cyd")
    const [first, second] = [await says(ada, "one"), await says(ada, "two")]
    const late = await hears(bob, second.message)
    const early = await hears(bob, first.message)
    assert.deepEqual([early.opening, late.opening], [first.opening, second.opening])
    assert.deepEqual(early.sender.signatureKey, first.signedBy)
    await updates(ada, [bob, cyd])
    await assertAgreed(ada, bob, cyd)
    // read in the epoch after its own
    assert.deepEqual((await hears(cyd, first.message)).opening, first.opening)
    assert.equal(await shown(first.message, first.opening, first.signedBy), "one")
  })

  it("opens nothing but itself: not what was said before or after it, by its author or another", async () => {
    const [ada, bob] = await groupOf("Ada", "Bob")
    const [before, itself, after] = [
      await says(ada, "before"),
      await says(ada, "itself"),
      await says(ada, "after"),
    ]
    const answer = await says(bob, "answer")
    for (const { message, signedBy } of [before, after, answer])
      assert.equal(await shown(message, itself.opening, signedBy), "NOT_OPENED")
  })

  it("is its author's: no other key, no other place in the group, no other group or epoch fits", async () => {
    const [ada, bob] = await groupOf("Ada", "Bob")
    const { message, opening, signedBy } = await says(ada, "mine")
    const key = members(bob.state).find((each) => each.leaf === ada.leafOf(bob))?.signatureKey
    assert.equal(await shown(message, opening, key ?? signedBy), "BAD_SIGNATURE")
    assert.equal(await shown(message, opening, primitives.randomBytes(32)), "BAD_SIGNATURE")
    const elsewhere = { ...opening, leaf: ada.leafOf(bob) }
    assert.equal(await shown(message, elsewhere, signedBy), "BAD_SIGNATURE")
    await updates(ada, [bob])
    const later = await says(ada, "later")
    const { context } = later.opening
    assert.equal(await shown(message, { ...opening, context }, signedBy), "OTHER_GROUP")
    // a group of others that bears the same id: the signature covers who is in it
    const [stranger] = await groupOf("Eve", "Ada")
    const { opening: foreign } = await says(stranger, "mine")
    const moved = { ...opening, context: foreign.context }
    assert.equal(await shown(message, moved, signedBy), "BAD_SIGNATURE")
  })

  it("never throws for what it is given, and takes no bit of it otherwise", async () => {
    const [ada] = await groupOf("Ada", "Bob")
    const { message, opening, signedBy } = await says(ada, "one value, one encoding")
    const flip = (bytes: Bytes, bit: number) =>
      bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.constantFrom("message", "key", "nonce", "context"),
        async (n, what) => {
          const bytes = what === "message" ? message : opening[what]
          const altered = flip(bytes, n % (8 * bytes.length))
          const read =
            what === "message"
              ? await shown(altered, opening, signedBy)
              : await shown(message, { ...opening, [what]: altered }, signedBy)
          // What says in a message who sent it is for members, and covered by nothing here.
          if (what !== "message") assert.match(read, /^[A-Z_]+$/)
          else assert(/^[A-Z_]+$/.test(read) || read === "one value, one encoding", read)
        },
      ),
      { numRuns: 150 },
    )
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        assert.match(await shown(bytes, opening, signedBy), /^BAD_MESSAGE$/)
        assert.equal(await shown(message, { ...opening, context: bytes }, signedBy), "OTHER_GROUP")
      }),
      { numRuns: 50 },
    )
  })
})
