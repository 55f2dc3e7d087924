/** What people do with messages on the screen and in lines: point at one, answer, react, edit, delete; and how that is shown. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { aboutIntent, planAbout } from "../../src/tui/about.ts"
import { exportedText, exportIntent } from "../../src/tui/exporting.ts"
import { lifetimeText, parseLifetime } from "../../src/tui/lifetime.ts"
import { changeWords, wordsOf } from "../../src/tui/line-words.ts"
import { partsOf, quoteText } from "../../src/tui/said.ts"
import { FakeApi } from "./fake-api.ts"
import { start } from "./run.ts"

test("a message is pointed at with the keyboard, and one letter says what to do", async () => {
  const api = new FakeApi()
  api.past("bob", "shall we meet?")
  const own = api.mine("bob", "at nein", "delivered")
  await using app = start(api)
  await app.tty.until("at nein")
  app.tty.type("\x1bk")
  await app.tty.until("r reply")
  await app.tty.until("▌ at nein")
  app.tty.type("\x1b[A")
  await app.tty.until("▌ shall we meet?")
  app.tty.type("r")
  await app.tty.until("> /reply")
  const answering = api.called("messages.send")
  app.tty.type("yes\r")
  const { params } = await answering
  assert.equal((params as { text: string }).text, "yes")
  await app.tty.until("> bob: shall we meet?")
  app.tty.type("\x1bk")
  app.tty.type("\x1b[A")
  await app.tty.until("▌ at nein")
  app.tty.type("e")
  await app.tty.until("> /edit at nein")
  const editing = api.called("messages.edit")
  app.tty.type("\x7f\x7f\x7fine\r")
  assert.deepEqual((await editing).params, { id: own.id, text: "at nine" })
  await app.tty.until("(edited)")
})

test("commands mean the newest message that fits, and say so in a sentence when there is none", async () => {
  const api = new FakeApi()
  const heard = api.past("bob", "we won")
  await using app = start(api)
  await app.tty.until("we won")
  const reacting = api.called("messages.react")
  app.tty.type("/react 👍\r")
  assert.deepEqual((await reacting).params, { id: heard.id, signs: ["👍"] })
  await app.tty.until("👍 me")
  app.tty.type("/edit something\r")
  await app.tty.until("You have said nothing here that could be edited.")
  app.tty.type("\x15/delete\r")
  await app.tty.until("Which one? Alt-K selects a message.")
  app.tty.type("\x15\x1bk")
  await app.tty.until("r reply")
  const deleting = api.called("messages.delete")
  app.tty.type("d\r")
  assert.deepEqual((await deleting).params, { id: heard.id, forAll: false })
  await app.tty.until("Deleted here. The others keep theirs.")
  await app.tty.until("Nothing written here yet.")
})

test("a message is exported by a letter or by command, other texts only when that was asked for", async () => {
  const api = new FakeApi()
  const heard = api.past("bob", "I owe you ten")
  await using app = start(api)
  await app.tty.until("I owe you ten")
  app.tty.type("\x1bk")
  await app.tty.until("x export")
  app.tty.type("x")
  await app.tty.until("> /export")
  const exporting = api.called("messages.export")
  app.tty.type("/tmp/owed\r")
  const asked = { id: heard.id, path: "/tmp/owed", others: false, unordered: false }
  assert.deepEqual((await exporting).params, asked)
  await app.tty.until("/tmp/owed shows who wrote it and its place in block 7.")
  api.besideExports = 2
  app.tty.type("/export /tmp/owed\r")
  await app.tty.until("Nothing was written.")
  const again = api.called("messages.export")
  app.tty.type("\x15/export others unordered /tmp/owed\r")
  assert.deepEqual((await again).params, { ...asked, others: true, unordered: true })
  await app.tty.until("/tmp/owed shows who wrote it, not when.")
  assert.deepEqual(exportIntent('others "unordered file"'), {
    type: "export",
    path: "unordered file",
    others: true,
    unordered: false,
  })
  assert.equal(exportIntent("others "), "Into which file? /export file")
  const group = { texts: 1, others: 0, group: "Sailors" }
  const made = { path: "f", bytes: 1, author: "a", meshId: "m", place: null, beside: group }
  assert.equal(
    exportedText(made),
    "f shows who wrote it, not when. It shows 1 other text of theirs too. It shows what the group is called and who runs it.",
  )
})

test("what others do shows at once: deleted, edited, named, disappearing, late, and who writes", async () => {
  const api = new FakeApi()
  const first = api.past("bob", "an error")
  const second = api.past("bob", "hi @alice", {
    mentions: [{ start: 3, length: 6, address: "me", name: "", me: true }],
    lifetime: { unit: "seconds", amount: 604_800 },
    late: true,
  })
  await using app = start(api)
  await app.tty.until("disappears after 1 w, settled late")
  api.change(first.id, { text: "", deleted: true })
  await app.tty.until("(deleted by its author)")
  assert.doesNotMatch(app.tty.text(), /an error/)
  api.tell({
    type: "typing",
    thread: second.thread,
    author: second.author,
    authorName: "bob",
    active: true,
  })
  await app.tty.until("bob is writing")
  api.theySay("bob", "there")
  await app.tty.until("there")
  assert.doesNotMatch(app.tty.text(), /is writing/)
})

test("how long messages stay, and who is told what, are set for a chat", async () => {
  const api = new FakeApi()
  const { thread } = api.past("bob", "hello")
  await using app = start(api)
  await app.tty.until("hello")
  const setting = api.called("threads.lifetime")
  app.tty.type("/disappear 7d\r")
  assert.deepEqual((await setting).params, { thread, seconds: 604_800 })
  await app.tty.until("(from now on messages disappear: 1 w)")
  const telling = api.called("threads.tell")
  app.tty.type("/tell typing on\r")
  assert.deepEqual((await telling).params, { thread, typing: true })
  await app.tty.until("Here others learn not that you have read, and that you write.")
  const typing = api.called("threads.typing")
  // The word that it is on comes with the next batch of events.
  while (api.count("threads.typing") === 0) {
    app.tty.type("m")
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual((await typing).params, { thread, active: true })
})

test("without colour or on a plain terminal the marks are still there", async () => {
  const api = new FakeApi()
  api.past("bob", "plain", { reactions: [{ sign: "👍", by: ["mia"], mine: true }] })
  await using app = start(api, { env: { NO_COLOR: "1", LANG: "C" } })
  await app.tty.until("👍 me, mia")
  app.tty.type("\x1bk")
  await app.tty.until("> plain")
})

test("the words of a message name people as we call them, and are read out whole", () => {
  const api = new FakeApi()
  const message = api.past("bob", "ask @mallory, not @bob", {
    mentions: [
      { start: 4, length: 8, address: "sotto1mia", name: "mia", me: false },
      { start: 18, length: 4, address: "sotto1bob", name: "bob", me: false },
    ],
    replyTo: { id: "0".repeat(32), authorName: "mia", mine: false, text: "who?\nreally" },
    edited: { atMs: 1, first: "ask" },
    lifetime: { unit: "blocks", amount: 1 },
  })
  assert.equal(
    partsOf(message)
      .map(({ text }) => text)
      .join(""),
    "ask @mia, not @bob",
  )
  assert.equal(quoteText(message), "> mia: who?")
  assert.equal(
    wordsOf(message),
    "(answers mia: who?) ask @mia, not @bob (edited) (disappears after 1 block)",
  )
  assert.equal(changeWords({ ...message, deleted: true }), "(A message was deleted by its author.)")
})

test("times and emoji are read as people write them", () => {
  assert.deepEqual(
    ["30s", "5m", "8h", "7d", "2w", "off", "100 blocks", "1 block"].map(parseLifetime),
    [
      { seconds: 30 },
      { seconds: 300 },
      { seconds: 28_800 },
      { seconds: 604_800 },
      { seconds: 1_209_600 },
      {},
      { blocks: 100 },
      { blocks: 1 },
    ],
  )
  for (const wrong of ["", "0s", "x", "5", "400d", "-1m"])
    assert.equal(parseLifetime(wrong), undefined, wrong)
  assert.equal(lifetimeText({ unit: "seconds", amount: 5_400 }), "90 m")
  assert.deepEqual(aboutIntent("react", "👍 ❤️"), { type: "react", signs: ["👍", "❤️"] })
  assert.deepEqual(aboutIntent("react", "none"), { type: "react", signs: [] })
  assert.deepEqual(planAbout(null, [], null, { type: "copy", what: "id" }), {
    wrong: "Open a chat first: /open name.",
  })
})
