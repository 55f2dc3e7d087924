/**
 * People who go on elsewhere from an earlier copy of themselves, while everybody else has gone on as well. What must never happen: that
 * a key or counter is used for two envelopes. Every tag stands for one of each, so no tag may ever be on two envelopes.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { tagOf } from "../../../src/crypto/envelope.ts"
import { Person, World } from "../../helpers/chat-world.ts"

let world: World
afterEach(async () => {
  await world.stop()
})

async function acquainted(one: Person, other: Person): Promise<void> {
  await one.chat.addContact(other.address, other.name)
  await other.chat.addContact(one.address, one.name)
  for (const [a, b] of [
    [one, other],
    [other, one],
  ] as const)
    await a.until("to be in contact", () =>
      a.chat.contacts().some((c) => c.address === b.address && c.state === "accepted"),
    )
}

async function says(from: Person, to: Person, text: string): Promise<void> {
  await from.chat.send(to.name, text, undefined)
  await to.until(`"${text}"`, async () => (await to.texts(from)).includes(text))
}

const copyOf = (person: Person): ReadonlyMap<string, Bytes> => new Map(person.shelf.rows)

function assertNoTagTwice(): void {
  const seen = new Map<string, string>()
  for (const { mailbox } of world.people)
    for (const { id, bytes } of mailbox.arrivals) {
      const [tag, envelope] = [toHex(tagOf(bytes)), toHex(id)]
      assert.equal(seen.get(tag) ?? envelope, envelope, "one tag on two envelopes")
      seen.set(tag, envelope)
    }
}

describe("who goes on from a backup", () => {
  it("reads what was said to the old state, says everything in a new one, and uses nothing twice", async () => {
    world = new World()
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    await acquainted(ada, bob)
    await says(ada, bob, "before")
    await says(bob, ada, "before as well")
    const backup = copyOf(ada)
    await says(ada, bob, "the old Ada goes on")
    await says(ada, bob, "and on")
    await says(bob, ada, "to whoever you are now")

    await ada.moveTo(backup)
    await says(ada, bob, "here I am")
    await says(bob, ada, "there you are")
    await says(ada, bob, "and all goes on")
    await ada.until("what came meanwhile", async () =>
      (await ada.texts(bob)).includes("to whoever you are now"),
    )
    const heard = (await ada.messages(bob)).filter(({ mine }) => !mine).map(({ text }) => text)
    assert.deepEqual(heard, ["before as well", "to whoever you are now", "there you are"])
    const said = (await bob.messages(ada)).filter(({ mine }) => !mine).map(({ text }) => text)
    assert.deepEqual(said.sort(), [
      "and all goes on",
      "and on",
      "before",
      "here I am",
      "the old Ada goes on",
    ])
    assertNoTagTwice()
  })

  it("sends what waited in the backup, once, though the old state has sent it too", async () => {
    world = new World()
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    await acquainted(ada, bob)
    const admission = Promise.withResolvers<undefined>()
    world.admission = () => admission.promise
    await ada.chat.send("Bob", "on its way", undefined)
    const backup = copyOf(ada)
    world.admission = () => Promise.resolve()
    admission.resolve(undefined)
    await bob.until("the text", async () => (await bob.texts(ada)).includes("on its way"))
    await ada.moveTo(backup)
    await says(ada, bob, "and more")
    assert.deepEqual((await bob.texts(ada)).filter((text) => text === "on its way").length, 1)
    assertNoTagTwice()
  })

  it("reads in the group that a stranger made for the old state, and answers in another", async () => {
    world = new World()
    const [ada, carol] = [await world.add("Ada"), await world.add("Carol")]
    const backup = copyOf(ada)
    await carol.chat.addContact(ada.address, "Ada")
    await carol.chat.send("Ada", "we have not met", undefined)
    await ada.until("a request", () => ada.chat.contacts().length === 1)
    await ada.chat.accept("Carol")
    await says(ada, carol, "the old Ada answers")

    await ada.moveTo(backup)
    await ada.until("the request again", async () =>
      (await ada.texts(carol)).includes("we have not met"),
    )
    await ada.chat.accept("Carol")
    await says(ada, carol, "the new Ada answers")
    await says(carol, ada, "both of you")
    assertNoTagTwice()
  })

  it("comes back once more, from the very same copy, as safely", async () => {
    world = new World()
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    await acquainted(ada, bob)
    await says(ada, bob, "one")
    const backup = copyOf(ada)
    for (const text of ["two", "three"]) {
      await ada.moveTo(backup)
      await says(ada, bob, text)
      await says(bob, ada, `${text} heard`)
    }
    assertNoTagTwice()
  })
})
