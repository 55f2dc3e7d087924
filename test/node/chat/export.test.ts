/**
 * What chat keeps to show messages to others, and for how long: as long as the words themselves, and not a moment longer. What is refused,
 * and that nothing but the message is shown in silence.
 */
import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, it } from "node:test"
import { judgeAuthorship } from "../../../src/chat/authorship.ts"
import { fromHex } from "../../../src/crypto/bytes.ts"
import {
  assembleCard,
  cardSigningBytes,
  encodeCardBody,
  verifyCard,
} from "../../../src/crypto/card.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import type { Signing } from "../../../src/crypto/session.ts"
import type { ExportMade, Message } from "../../../src/node/api/types.ts"
import type { ExportAsked } from "../../../src/node/chat/export.ts"
import { decodeExport } from "../../../src/node/files/export-file.ts"
import { meshId, type Person, World } from "../../helpers/chat-world.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

let world = new World()
afterEach(() => world.stop())

const keysOf = (one: Person) => one.keys ?? assert.fail("not running")

/** The world believes unsigned cards; whoever is shown a message does not. */
function signCard(person: Person): void {
  const { roots } = keysOf(person).identity
  const card = world.cards.get(person.address) ?? assert.fail("no card")
  const body = encodeCardBody(card)
  const { ed25519, slhDsaShake256s } = primitives
  const signed = cardSigningBytes(body)
  const encoded = assembleCard(body, {
    ed25519: ed25519.sign(ed25519.importPrivate(roots.ed25519), signed),
    slhDsa: slhDsaShake256s.sign(slhDsaShake256s.importPrivate(roots.slhDsa), signed),
  })
  world.cards.set(person.address, verifyCard(encoded))
}

/** Ada's messages are shown by Bob. */
async function friends(order?: Order, signing?: Signing): Promise<[Person, Person]> {
  world = new World(order)
  const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
  signCard(ada)
  if (signing !== undefined) await ada.chat.addContact(bob.address, "Bob", signing)
  await befriendAll(world, ada, bob)
  return [ada, bob]
}

async function hears(one: Person, from: Person, text: string): Promise<Message> {
  const find = async () => (await one.messages(from)).find((message) => message.text === text)
  await ordering(world, one, text, async () => (await find()) !== undefined)
  return (await find()) ?? assert.fail("it was just there")
}

describe("exporting", () => {
  let folder = ""
  const shows = (
    person: Person,
    id: string,
    asked: Partial<ExportAsked> = {},
  ): Promise<ExportMade> =>
    person.chat.exports.write(fromHex(id), {
      path: join(folder, "file"),
      replace: true,
      unordered: true,
      ...asked,
    })
  /** What the file says to somebody who has nothing else. */
  async function read() {
    const { authorship } = decodeExport(readFileSync(join(folder, "file")))
    const judged = await judgeAuthorship(meshId, authorship)
    assert(judged.ok, "code" in judged ? judged.code : "")
    return judged
  }
  const refuses = (person: Person, id: string, code: string, asked: Partial<ExportAsked> = {}) =>
    assert.rejects(shows(person, id, asked), { code })

  it("shows what somebody wrote, of one envelope or of many, also when a restart came in between", async (t) => {
    folder = temporaryDirectory(t)
    const [ada, bob] = await friends()
    const said = await ada.chat.send(bob.address, "short", undefined)
    await hears(bob, ada, "short")
    const made = await shows(bob, said.id)
    assert.deepEqual([made.author, made.place, made.beside], [ada.address, null, { texts: 0, others: 0, group: null }]) // prettier-ignore
    assert.equal((await read()).said.text, "short")

    const long = "long ".repeat(2_000)
    world.held = []
    const second = await ada.chat.send(bob.address, long, undefined)
    const { held } = world
    await ada.until("all of it sealed", () => held.length >= 5)
    // the last piece first, then Bob's program ends and starts again
    const pieces = held.map(({ envelope }) => envelope)
    bob.mailbox.take(pieces.at(-1) ?? assert.fail())
    bob.mailbox.take(pieces[0] ?? assert.fail())
    await bob.until("two looked at", async () => (await bob.followed()).arrivals === bob.mailbox.arrivals.length) // prettier-ignore
    bob.kill()
    await bob.start()
    world.release()
    await hears(bob, ada, long)
    await shows(bob, second.id)
    const shown = await read()
    assert.equal(shown.said.text, long)
    assert(shown.envelopes.length >= 5)
    assert.equal(shown.author, ada.address)
  })

  it("shows what was said with post-quantum signatures, the longest text too, and that both halves signed it", async (t) => {
    folder = temporaryDirectory(t)
    const [ada, bob] = await friends(undefined, "composite")
    for (const text of ["short", "y".repeat(16_000)]) {
      const { id } = await ada.chat.send(bob.address, text, undefined)
      await hears(bob, ada, text)
      await shows(bob, id)
      const shown = await read()
      assert.equal(shown.said.text, text)
      assert.equal(shown.author, ada.address)
      const { authorship } = decodeExport(readFileSync(join(folder, "file")))
      assert.equal(authorship.signedBy.length, 2624)
      assert(authorship.carriers.length >= 3)
    }
  })

  it("shows other texts of an envelope only when that was asked for, and says so", async (t) => {
    folder = temporaryDirectory(t)
    const [ada, bob] = await friends()
    const texts = ["one", "two", "three"]
    const [one, two] = await Promise.all(texts.map((text) => ada.chat.send(bob.address, text, undefined))) // prettier-ignore
    for (const text of texts) await hears(bob, ada, text)
    await refuses(bob, two!.id, "OTHERS_INSIDE")
    assert(!existsSync(join(folder, "file")), "nothing was written")
    const { beside } = await shows(bob, two!.id, { others: true })
    assert.equal(beside.texts, 2)
    const shown = await read()
    assert.equal(shown.said.text, "two")
    assert.equal(shown.beside.length, 2)
    await shows(bob, one!.id, { others: true })
    assert.equal((await read()).said.text, "one")
  })

  it("shows what an edit says now, or what was said first", async (t) => {
    folder = temporaryDirectory(t)
    const [ada, bob] = await friends()
    const said = await ada.chat.send(bob.address, "at nein", undefined)
    await hears(bob, ada, "at nein")
    await ada.chat.messages.edit(fromHex(said.id), "at nine")
    await hears(bob, ada, "at nine")
    await shows(bob, said.id)
    const edit = (await read()).said
    assert.deepEqual([edit.kind, edit.text], ["edit", "at nine"])
    await shows(bob, said.id, { original: true })
    assert.equal((await read()).said.text, "at nein")
    await ada.chat.messages.edit(fromHex(said.id), "at ten")
    await hears(bob, ada, "at ten")
    await shows(bob, said.id)
    assert.equal((await read()).said.text, "at ten")
  })

  it("is over with the words: deleted, by whomever, or disappeared, they open in no envelope any more", async (t) => {
    folder = temporaryDirectory(t)
    const clock = new ManualClock(Date.now())
    const [ada, bob] = await friends()
    const stored = async () => (await bob.records().sealed.list("evidence")).length
    const before = await stored()
    const texts = ["one", "two"]
    const [one, two] = await Promise.all(texts.map((text) => ada.chat.send(bob.address, text, undefined))) // prettier-ignore
    for (const text of texts) await hears(bob, ada, text)
    assert.equal(await stored(), before + 2)
    // One of them goes: what opened both goes with it, or the other's would show it still.
    await bob.chat.messages.delete(fromHex(two!.id), false)
    await refuses(bob, two!.id, "UNKNOWN_MESSAGE")
    await refuses(bob, one!.id, "NO_EVIDENCE")
    assert.equal(await stored(), before)

    const third = await ada.chat.send(bob.address, "three", undefined)
    await hears(bob, ada, "three")
    await ada.chat.messages.edit(fromHex(third.id), "drei")
    await hears(bob, ada, "drei")
    assert.equal(await stored(), before + 2)
    await ada.chat.messages.delete(fromHex(third.id), true)
    await bob.until("it gone", async () => (await bob.messages(ada)).at(-1)?.deleted === true)
    await refuses(bob, third.id, "NO_WORDS")
    assert.equal(await stored(), before)

    bob.kill()
    bob.clock = clock
    await bob.start()
    await ada.chat.setLifetime(bob.address, { unit: "seconds", amount: 60 })
    const fourth = await ada.chat.send(bob.address, "four", undefined)
    const heard = await hears(bob, ada, "four")
    await shows(bob, fourth.id)
    await bob.chat.read(ada.address, heard.position)
    clock.advance(61_000)
    await bob.until("it gone", async () => (await bob.messages(ada)).every(({ text }) => text !== "four")) // prettier-ignore
    assert.equal(await stored(), before)
    await bob.chat.hide(ada.address)
    assert.equal(await stored(), 0)
  })

  it("says of a group what the signature covers: its name", async (t) => {
    folder = temporaryDirectory(t)
    const [ada, bob] = await friends(new Order())
    const talk = new GroupTalk(world, "Sailors")
    await talk.found(ada, bob)
    const said = await talk.say(ada, "we sail at dawn")
    await talk.everybodyRead(bob)
    const { beside } = await shows(bob, said.id, { others: true })
    assert.equal(beside.group, "Sailors")
    const shown = await read()
    assert.deepEqual([shown.groupName, shown.said.text], ["Sailors", "we sail at dawn"])
  })

  it("is refused with a reason where something is missing", async (t) => {
    folder = temporaryDirectory(t)
    const [ada, bob] = await friends()
    const said = await ada.chat.send(bob.address, "hello", undefined)
    await hears(bob, ada, "hello")
    await refuses(bob, "0".repeat(32), "UNKNOWN_MESSAGE")
    await refuses(bob, said.id, "NOT_ORDERED", { unordered: false })
    await refuses(bob, said.id, "NO_FOLDER", { path: join(folder, "no", "file") })
    await shows(bob, said.id)
    await refuses(bob, said.id, "FILE_EXISTS", { replace: false })
    const { arrivals } = bob.mailbox
    const kept = arrivals.splice(0)
    await refuses(bob, said.id, "ENVELOPE_GONE")
    arrivals.push(...kept)
    // Bob's own card is not signed in this world, so nothing of his can be shown.
    const own = await bob.chat.send(ada.address, "mine", undefined)
    await hears(ada, bob, "mine")
    await refuses(bob, own.id, "NO_CARD")
    await bob.chat.messages.delete(fromHex(said.id), false)
    await refuses(bob, said.id, "UNKNOWN_MESSAGE")
  })

  it("needs no directory later: the card was kept, and forgotten with its owner", async (t) => {
    folder = temporaryDirectory(t)
    const [ada, bob] = await friends()
    const said = await ada.chat.send(bob.address, "hello", undefined)
    await hears(bob, ada, "hello")
    world.findCard = () => Promise.resolve(undefined)
    await shows(bob, said.id)
    assert.equal((await read()).author, ada.address)
    const cards = async () => (await bob.records().sealed.list("cards")).length
    assert.equal(await cards(), 2, "one card, and whose there are")
    await bob.chat.remove("Ada")
    assert.equal(await cards(), 1)
  })
})
