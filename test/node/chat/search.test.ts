/**
 * Searching what was said, between people who talk: what is found, by which filters, what is not found any more, and that nothing of it
 * reaches the disk.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { primitives } from "#primitives"
import { added } from "../../../src/chat/contact.ts"
import { PLAIN } from "../../../src/chat/message.ts"
import { newThread } from "../../../src/chat/thread.ts"
import { addressFromBytes } from "../../../src/crypto/address.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import type { ApiEvent } from "../../../src/node/api/types.ts"
import { ChatBook, Step } from "../../../src/node/chat/book.ts"
import { ChatRecords } from "../../../src/node/chat/records.ts"
import { Search } from "../../../src/node/chat/search.ts"
import { systemClock } from "../../../src/node/clock.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { sealedShelf } from "../../../src/node/store/sealed-store.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { type Person, World } from "../../helpers/chat-world.ts"

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

async function talk(): Promise<{ ada: Person; bob: Person; cyd: Person }> {
  world = new World()
  const [ada, bob, cyd] = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
  for (const friend of [bob, cyd]) {
    await ada.chat.addContact(friend.address, friend.name)
    await friend.chat.addContact(ada.address, "Ada")
    await ada.chat.send(friend.name, `hello ${friend.name}, the Lantern is lit`, undefined)
    await friend.until("the text", async () => (await friend.texts(ada)).length === 1)
    await friend.chat.send("Ada", `what lantern, says ${friend.name}`, undefined)
    await ada.until("the answer", async () => (await ada.texts(friend)).length === 2)
  }
  return { ada, bob, cyd }
}

const found = async (person: Person, query: string) =>
  (await person.chat.search.ask(query, 50)).hits.map(({ message }) => message.text).sort()

describe("a search", () => {
  it("goes over all threads, by words and filters, and writes nothing", async () => {
    const { ada, bob, cyd } = await talk()
    // Receipts are the last that is written.
    for (const [one, other] of [bob, cyd].flatMap(
      (friend) =>
        [
          [ada, friend],
          [friend, ada],
        ] as const,
    ))
      await one.until("all receipts", async () =>
        (await one.messages(other)).every(({ state }) => state === "delivered"),
      )
    await ada.until(
      "all of it to be looked at",
      async () => (await ada.followed()).arrivals === ada.mailbox.arrivals.length,
    )
    const { writes } = ada.shelf
    const rows = new Map(ada.shelf.rows)
    assert.equal((await found(ada, "lantern")).length, 4)
    assert.deepEqual(await found(ada, "lantern from:bob"), ["what lantern, says Bob"])
    assert.deepEqual(await found(ada, "in:Cyd from:me"), ["hello Cyd, the Lantern is lit"])
    assert.deepEqual(await found(ada, '"lantern is" in:bob'), ["hello Bob, the Lantern is lit"])
    assert.deepEqual(await found(ada, "lantern before:yesterday"), [])
    assert.equal((await found(ada, "lantern after:yesterday")).length, 4)
    assert.deepEqual(await found(ada, "has:file"), [])
    assert.deepEqual(await found(ada, "nothing"), [])
    for (const [query, code] of [
      ["from:nobody", "UNKNOWN_CONTACT"],
      ["in:nowhere", "UNKNOWN_THREAD"],
      ["before:someday", "BAD_QUERY"],
      ["has:hope", "BAD_QUERY"],
      ["  ", "BAD_QUERY"],
    ] as const)
      await assert.rejects(ada.chat.search.ask(query, 9), { code }, query)
    assert.equal(ada.shelf.writes, writes, "the index is no business of the disk's")
    assert.deepEqual(ada.shelf.rows, rows)
  })

  it("keeps up with what comes and goes after it was first asked", async () => {
    const { ada, bob, cyd } = await talk()
    assert.equal((await found(ada, "lantern")).length, 4)
    await bob.chat.send("Ada", "the lantern went out", undefined)
    await ada.until("it", async () => (await ada.texts(bob)).length === 3)
    await ada.chat.send("Cyd", "a lantern, a lantern!", undefined)
    assert.equal((await found(ada, "lantern")).length, 6)
    await ada.chat.hide("Bob")
    assert.equal((await found(ada, "lantern")).length, 3)
    await ada.chat.remove("Cyd")
    assert.deepEqual(await found(ada, "lantern"), [])
    await cyd.until("the last", async () => (await found(cyd, "lantern")).length === 3)
  })
})

const MESSAGES = 1_200
const THREADS = 3
const addressOf = (n: number) => addressFromBytes(new Uint8Array(64).fill(n))

/** A book with a history of several pages, and its search. */
async function longHistory(bytesMax?: number) {
  const store = await openMemoryStore()
  const records = new ChatRecords(
    new Sealed(openVault(primitives.randomBytes(32)), sealedShelf(store)),
  )
  const me = addressOf(1)
  const events: ApiEvent[] = []
  const emit = (event: ApiEvent) => events.push(event)
  const book = new ChatBook({ me, records, emit })
  const parts = { clock: systemClock, emit, ...(bytesMax === undefined ? {} : { bytesMax }) }
  const search = new Search(parts, book)
  book.followTexts((changes) => search.follow(changes))
  const threads = Array.from({ length: THREADS }, (_, i) => newThread(me, addressOf(i + 2)))
  const message = (n: number, text: string) => ({
    id: new Uint8Array(16)
      .fill(7)
      .with(0, n & 255)
      .with(1, n >> 8),
    author: me,
    mine: true,
    lamport: n,
    sentAtMs: n,
    text,
    delivery: "delivered" as const,
    late: false,
    ...PLAIN,
    audience: 0,
    awaited: [],
  })
  const write = async (n: number, text: string, fresh = true) => {
    const thread = threads[n % THREADS] ?? assert.fail()
    const step = new Step()
    step.threads.set(Buffer.from(thread.id).toString("hex"), thread)
    const before = fresh ? {} : { before: message(n, "before") }
    step.messages.push({ thread, message: message(n, text), fresh, ...before })
    await book.commit(step)
  }
  for (const [i, { peer }] of threads.entries()) {
    const step = new Step()
    if (peer !== null) step.contacts.set(peer, added(undefined, peer, `friend ${i}`))
    await book.commit(step)
  }
  for (let n = 0; n < MESSAGES; n++) await write(n, `text ${n} ${n % 7 === 0 ? "seventh" : ""}`)
  const numbers = async (query: string, limit = 500) =>
    (await search.ask(query, limit)).hits.map(({ message }) => message.sentAtMs)
  return { book, search, threads, message, write, numbers, store }
}

const sevenths = Array.from({ length: Math.ceil(MESSAGES / 7) }, (_, i) => i * 7).reverse()

describe("a search over a long history", () => {
  it("finds everything once, the newest first, and says when there is more", async () => {
    const { search, numbers } = await longHistory()
    assert.deepEqual(await numbers("seventh"), sevenths)
    const { hits, more } = await search.ask("seventh", 10)
    assert.deepEqual(
      [hits.map(({ message }) => message.sentAtMs), more],
      [sevenths.slice(0, 10), true],
    )
    assert.deepEqual(await numbers("1111"), [1111])
  })

  it("finds what it has no room for by reading through it", async () => {
    const { search, numbers } = await longHistory(60_000)
    assert.deepEqual(
      (await numbers("seventh")).sort((a, b) => b - a),
      sevenths,
    )
    assert(search.bytes < 150_000, `${search.bytes} bytes of index`)
  })

  it("follows edits and deletions, also while the index is being made", async () => {
    const { book, threads, message, write, numbers } = await longHistory()
    const first = numbers("seventh")
    await write(7, "not any more", false)
    await write(8, "a new seventh", false)
    const step = new Step()
    step.gone.push({ thread: threads[14 % THREADS] ?? assert.fail(), message: message(14, "") })
    await book.commit(step)
    await first
    const expected = [...sevenths.filter((n) => n !== 7 && n !== 14), 8].sort((a, b) => b - a)
    assert.deepEqual(await numbers("seventh"), expected)
    assert.deepEqual(await numbers('"not any more"'), [7])
  })

  it("that is stopped ends with a word", async () => {
    const { search } = await longHistory()
    const asked = search.ask("seventh", 500)
    await search.stop()
    await assert.rejects(asked, { code: "STOPPING" })
    await assert.rejects(search.ask("seventh", 1), { code: "STOPPING" })
  })
})
