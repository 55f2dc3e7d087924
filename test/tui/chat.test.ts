/**
 * The chat as a person uses it: keys in, cells out, and what the node was asked. Every test runs the real screen on an emulated
 * terminal against the scripted API.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { FakeApi, addressOf } from "./fake-api.ts"
import { start } from "./run.ts"

const UP = "\x1b[A"
const PAGE_UP = "\x1b[5~"
const END = "\x1b[F"
const HOME = "\x1b[H"
const ESC = "\x1b"

test("a message is written, sent, and seen through every state it can prove", async () => {
  const api = new FakeApi()
  api.past("bob", "looks good")
  await using app = start(api)
  await app.tty.until("looks good")
  app.tty.type("ship it today?\r")
  await app.tty.until(/·\s+me │ ship it today\?/)
  const sent = [...api.messages.values()][0]?.at(-1)
  assert.ok(sent)
  assert.match(sent.id, /^[0-9a-f]{32}$/)
  for (const [state, glyph, word] of [
    ["gossiped", "◌", "taken by peers"],
    ["ordered", "✓", "in order"],
    ["delivered", "✓✓", "delivered"],
    ["read", "◉", "read"],
  ] as const) {
    api.itIs(sent, state)
    await app.tty.until(new RegExp(`\\d ${glyph}\\s+me │ ship it today\\?\\n.* · last: ${word} `))
  }
})

test("text and Enter in one chunk are a message, as a slow line delivers them", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api)
  await app.tty.until("hi")
  app.tty.type("one\rtwo\rthree\r")
  await app.tty.until(/me │ one\n.*me │ two\n.*me │ three/)
})

test("what is typed is sent to the letter, and shown harmless", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api)
  await app.tty.until("hi")
  const sending = api.called("messages.send")
  app.tty.type("👨‍👩‍👧 ab\u202ecd")
  await app.tty.until("> 👨👩👧 abcd")
  app.tty.type("\r")
  assert.equal(((await sending).params as { text: string }).text, "👨‍👩‍👧 abcd")
})

test("what cannot be queued goes back into the composer, with the reason", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  api.failures.set("messages.send", "QUEUE_FULL")
  await using app = start(api)
  await app.tty.until("hi")
  app.tty.type("precious words\r")
  await app.tty.until("Too many messages are waiting")
  await app.tty.until("> precious words")
})

test("a failed message says why, and /retry sends it again", async () => {
  const api = new FakeApi()
  const sent = api.mine("bob", "are you there?", "queued")
  await using app = start(api)
  await app.tty.until("are you there?")
  api.itIs(sent, "failed", "QUEUE_FULL")
  await app.tty.until(/!\s+me │ are you there\?\n.*! Too many messages/)
  app.tty.type("/retry\r")
  await app.tty.until(/·\s+me │ are you there\?/)
  assert.deepEqual(api.calls.findLast((c) => c.method === "messages.retry")?.params, {
    id: sent.id,
  })
})

test("more lines than one: Alt-Enter and Ctrl-J begin a new one, Enter sends them all", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api)
  await app.tty.until("hi")
  app.tty.type("first\x1b\rsecond\nthird")
  await app.tty.until(/> first\n {2}second\n {2}third/)
  app.tty.type("\r")
  await app.tty.until(/me │ first\n\s+│ second\n\s+│ third/)
})

test("a friend is added by code, from the page and from the command", async () => {
  const api = new FakeApi()
  await using app = start(api)
  await app.tty.until("Your code is ready")
  app.tty.type("/add\r")
  await app.tty.until("Add a contact")
  app.tty.type("not a code\r\r")
  await app.tty.until("That is not a complete code.")
  app.tty.type("\x15")
  // A scanned code comes in capitals, a copied one broken over lines.
  app.tty.type(
    `\x1b[200~${addressOf("bob").slice(0, 60).toUpperCase()}\r\n${addressOf("bob").slice(60).toUpperCase()}\x1b[201~\r`,
  )
  app.tty.type("Bob\r")
  await app.tty.until("Bob is added.")
  assert.deepEqual(api.calls.findLast((c) => c.method === "contacts.add")?.params, {
    code: addressOf("bob"),
    name: "Bob",
  })
  app.tty.type("hello Bob\r")
  await app.tty.until(/me │ hello Bob/)
  app.tty.type(`/add ${addressOf("mia")} Mia\r`)
  await app.tty.until("Mia is added.")
})

test("the code page shows code and ticket, and copies by the terminal's clipboard", async () => {
  const api = new FakeApi()
  await using app = start(api)
  await app.tty.until("Your code is ready")
  app.tty.type("/id\r")
  await app.tty.until("sotto-invite1")
  app.tty.type("c")
  const copied = Buffer.from(api.status.address ?? "").toString("base64")
  app.tty.type(ESC)
  await app.tty.until("Your code is ready")
  assert.ok(app.tty.written().includes(`\x1b]52;c;${copied}\x07`))
})

test("a request is answered by a letter; blocking asks twice; Enter does nothing", async () => {
  const api = new FakeApi()
  api.contact("carol", { state: "request" })
  api.contact("dave", { state: "request" })
  api.past("carol", "hello?")
  api.past("dave", "buy my things")
  for (const thread of api.threads.values()) api.threads.set(thread.id, { ...thread, unread: 1 })
  await using app = start(api)
  await app.tty.until("? 2 requests")
  app.tty.type("/open carol\r")
  await app.tty.until('"carol" wants to write to you.')
  app.tty.type("\r")
  app.tty.type("a")
  await app.tty.until("carol can write to you now")
  app.tty.type("/open dave\r")
  await app.tty.until('"dave" wants to write to you.')
  app.tty.type("b")
  await app.tty.until("Press b once more")
  assert.equal(api.count("contacts.block"), 0)
  app.tty.type("b")
  await app.tty.until("dave is blocked")
  assert.equal(api.contacts.get(addressOf("dave"))?.state, "blocked")
  assert.equal(api.count("threads.read"), 1, "only carol's, once she was accepted")
})

test("reading is what is on screen in a window that is looked at", async () => {
  const api = new FakeApi()
  api.past("bob", "old")
  await using app = start(api)
  await app.tty.until("old")
  assert.equal(api.count("threads.read"), 0, "nothing was unread")
  const read = api.called("threads.read")
  const seen = api.theySay("bob", "you are looking")
  await read
  assert.deepEqual(api.calls.findLast((c) => c.method === "threads.read")?.params, {
    thread: seen.thread,
    through: seen.position,
  })
  app.tty.type("\x1b[O")
  api.theySay("bob", "you are away")
  await app.tty.until(/ new ─+\n.*you are away/)
  assert.equal(api.count("threads.read"), 1, "not read: nobody looked")
  await app.tty.until(() => app.tty.written().includes("\x07"))
  const again = api.called("threads.read")
  app.tty.type("\x1b[I")
  await again
})

test("a chat that is not open counts, and Alt-A leads there", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  api.past("mia", "older", { sentAtMs: 1 })
  await using app = start(api)
  await app.tty.until("hi")
  api.theySay("mia", "budget?")
  await app.tty.until(/1 mia 1/)
  app.tty.type("\x1ba")
  await app.tty.until(/ new ─+\n.*mia │ budget\?/)
})

test("Alt and a digit open a chat, and its draft waits there", async () => {
  const api = new FakeApi()
  api.past("bob", "from bob", { sentAtMs: 2e12 })
  api.past("mia", "from mia", { sentAtMs: 1e12 })
  await using app = start(api)
  await app.tty.until("from bob")
  app.tty.type("half a thought")
  app.tty.type("\x1b2")
  await app.tty.until("from mia")
  await app.tty.until("> Write to mia")
  app.tty.type("\x1b1")
  await app.tty.until("> half a thought")
})

test("ten thousand messages: up by pages, to the oldest, and back to the newest", async () => {
  const api = new FakeApi()
  for (let i = 1; i <= 10_000; i++) api.past("bob", `message number ${i}`)
  await using app = start(api)
  await app.tty.until("message number 10000")
  app.tty.type(PAGE_UP)
  await app.tty.until(
    (screen) => screen.includes("message number 9970") && screen.includes("End for the newest"),
  )
  api.theySay("bob", "something new")
  await app.tty.until("↓ 1 new · End")
  assert.match(app.tty.text(), /message number 9970/, "the eye stays where it was")
  app.tty.type(END)
  await app.tty.until("something new")
  let oldest = 10_000
  // Home goes to the oldest in memory, and the next page comes by itself: again and again it is the very first.
  while (oldest > 1) {
    app.tty.type(HOME)
    const screen = await app.tty.until(
      (now) => Number(/message number (\d+)/.exec(now)?.[1] ?? oldest) < oldest,
    )
    oldest = Number(/message number (\d+)/.exec(screen)?.[1])
  }
  app.tty.type(END)
  await app.tty.until("something new")
})

test("Up scrolls while nothing is written, and moves in a draft that has lines", async () => {
  const api = new FakeApi()
  for (let i = 1; i <= 60; i++) api.past("bob", `line ${i}.`)
  await using app = start(api)
  await app.tty.until("line 60.")
  app.tty.type(UP + UP)
  await app.tty.until((screen) => !screen.includes("line 59.") && screen.includes("line 57."))
  app.tty.type(ESC)
  await app.tty.until("line 60.")
  app.tty.type("a\nb")
  app.tty.type(`${UP}X`)
  await app.tty.until(/> aX\n {2}b/)
})

test("a long paste asks once, and Enter leaves it", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api)
  await app.tty.until("hi")
  app.tty.type("\x1b[200~1\n2\n3\n4\n5\n6\x1b[201~")
  await app.tty.until("Paste 6 lines?")
  app.tty.type("\r")
  await app.tty.until("> Write to bob")
  app.tty.type("\x1b[200~red \x1b[31malert\x1b[201~")
  await app.tty.until("with control characters (they are taken out)?")
  app.tty.type("y")
  await app.tty.until("> red [31malert")
  app.tty.type("\x03\x1b[200~two\nlines\x1b[201~")
  await app.tty.until(/> two\n {2}lines/)
})

test("Tab completes commands and names", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  api.contact("mia moon")
  await using app = start(api)
  await app.tty.until("hi")
  app.tty.type("/op\t")
  await app.tty.until(/> \/open$/m)
  app.tty.type("m\t")
  await app.tty.until("> /open mia moon")
  app.tty.type("\r")
  await app.tty.until("> Write to mia moon")
  app.tty.type("/contatcs\r")
  await app.tty.until("Did you mean /contacts?")
})

test("the status line says why there are no peers, when it tries again, what waits", async () => {
  const api = new FakeApi().withStatus({
    peers: [],
    alone: { reason: "no answer from 2 addresses", retryInMs: 30_000 },
    waiting: 3,
    unprotected: true,
  })
  api.past("bob", "hi")
  await using app = start(api, { columns: 100 })
  await app.tty.until(
    /○ no peers: no answer from 2 addresses · retry in 30 s · 3 waiting · ! no passphrase/,
  )
  api.withStatus({
    peers: new FakeApi().status.peers.slice(0, 1),
    alone: null,
    waiting: 0,
    damaged: 0,
    sync: { state: "syncing", done: 57, total: 100 },
  })
  await app.tty.until("● 1 peer · ◐ syncing 57 %, 43 left")
})

test("the way out: Ctrl-C clears, then asks, then leaves; Ctrl-D leaves; /quit leaves", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  const app = start(api)
  await app.tty.until("hi")
  app.tty.type("draft\x03")
  await app.tty.until("> Write to bob")
  app.tty.type("\x03")
  await app.tty.until("Ctrl-C once more leaves.")
  app.tty.type("\x03")
  assert.equal(await app.exited, 0)
  for (const way of ["\x04", "/quit\r"]) {
    const again = start(api)
    await again.tty.until("hi")
    again.tty.type(way)
    assert.equal(await again.exited, 0)
    assert.equal(again.api.listeners, 0, "nothing listens any more")
  }
})

test("the terminal is left as it was found", async () => {
  const api = new FakeApi()
  const app = start(api)
  await app.tty.until("Your code is ready")
  assert.equal(app.tty.raw(), true)
  app.tty.type("\x04")
  await app.exited
  assert.equal(app.tty.raw(), false)
  const written = app.tty.written()
  for (const mode of [1049, 2004, 1004]) {
    assert.ok(written.includes(`\x1b[?${mode}h`), `${mode} was switched on`)
    assert.ok(
      written.lastIndexOf(`\x1b[?${mode}l`) > written.lastIndexOf(`\x1b[?${mode}h`),
      `${mode} is off again`,
    )
  }
  assert.equal(app.tty.term.buffer.active.type, "normal")
})

test("the first frame is there before the node is", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  const { promise, resolve } = Promise.withResolvers<FakeApi>()
  await using app = start(api, { ready: promise })
  await app.tty.until("Opening the profile")
  resolve(api)
  await app.tty.until("hi")
})

test("a node that does not come says why, and Enter leaves with the code for it", async () => {
  const busy = Promise.reject(Object.assign(new Error("held by pid 1"), { code: "BUSY" }))
  const app = start(new FakeApi(), { ready: busy })
  await app.tty.until("Another process holds this profile.")
  app.tty.type("\r")
  assert.equal(await app.exited, 5)
})

test("a node that goes away is told, and nothing is lost from the screen's side", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  const app = start(api)
  await app.tty.until("hi")
  api.goAway("stopped by systemd")
  await app.tty.until("The node has gone away. stopped by systemd")
  app.tty.type("\r")
  assert.equal(await app.exited, 6)
})

test("a terminal that is gone ends the screen", async () => {
  const app = start(new FakeApi())
  await app.tty.until("Your code is ready")
  app.tty.hangUp()
  assert.equal(await app.exited, 0)
})

test("another identity under a known name shouts, pauses, and asks twice before it is let in", async () => {
  const api = new FakeApi()
  const bob = api.contact("bob", { verified: true })
  api.past("bob", "hello")
  api.past("mia", "busy")
  await using app = start(api)
  await app.tty.until("hello")
  const stranger = api.contact("bob 2", { state: "request", claims: bob.address })
  api.past("bob 2", "new phone, who dis")
  api.tell({ type: "thread", thread: api.thread("bob 2") })
  api.tell({ type: "contact", contact: stranger })
  await app.tty.until("Another identity goes by the name of bob.")
  app.tty.type("/open bob 2\r")
  await app.tty.until('"bob 2" is another identity than bob, whom you verified.')
  app.tty.type("hello?\r")
  await app.tty.until("Nothing goes out before you decide")
  assert.equal(api.count("messages.send"), 0)
  app.tty.type("\x15")
  app.tty.type("\r")
  app.tty.type("a")
  await app.tty.until("Press a once more")
  app.tty.type("x\x15")
  await app.tty.until("[v] compare")
  assert.equal(api.count("contacts.accept"), 0, "Enter and one letter are not enough")
  app.tty.type("a")
  await app.tty.until("Press a once more")
  app.tty.type("a")
  await app.tty.until("bob 2 can write to you now")
  assert.deepEqual(api.calls.findLast((c) => c.method === "contacts.accept")?.params, {
    contact: stranger.address,
    anyway: true,
  })
})

test("safety numbers are compared on a page of their own; one letter alone marks nobody", async () => {
  const api = new FakeApi()
  api.past("bob", "hello")
  await using app = start(api)
  await app.tty.until("hello")
  app.tty.type("/verify\r")
  await app.tty.until("Safety number with bob")
  await app.tty.until("03528  03528  03528  03528")
  app.tty.type("\r")
  await app.tty.until("Write to bob")
  app.tty.type("/verify bob\r")
  await app.tty.until("03528  03528")
  app.tty.type("v")
  await app.tty.until("Press v once more")
  assert.equal(api.count("contacts.verify"), 0)
  app.tty.type("v")
  await app.tty.until("bob is verified")
  await app.tty.until("✓ verified")
  app.tty.type("/verify bob\r")
  await app.tty.until("[u] take the mark back")
  app.tty.type("u")
  await app.tty.until("bob is not verified any more")
  assert.equal(api.contacts.get(addressOf("bob"))?.verified, false)
})

test("who went on from a backup asks, and only /again says again what they cannot read", async () => {
  const api = new FakeApi()
  api.past("bob", "hello")
  api.past("mia", "busy")
  await using app = start(api)
  await app.tty.until("hello")
  app.tty.type("/open mia\r")
  await app.tty.until("busy")
  api.lack("bob", 37)
  await app.tty.until("bob went on from a backup and cannot read up to 37 of your messages")
  app.tty.type("/again\r")
  await app.tty.until("Nobody asks here for anything to be said again.")
  app.tty.type("/open bob\r")
  await app.tty.until("/again says them again; in doubt ask them first")
  const lacks = () => [...api.threads.values()].map((thread) => thread.lacks)
  assert.deepEqual(lacks(), [37, 0])
  app.tty.type("/again\r")
  await app.tty.until("37 of your messages are said again.")
  assert.deepEqual(lacks(), [0, 0])
})
