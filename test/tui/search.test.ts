/** Searching on the screen: the question, what is found, and the way there and back. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { FakeApi } from "./fake-api.ts"
import { start } from "./run.ts"

const UP = "\x1b[A"
const DOWN = "\x1b[B"
const END = "\x1b[F"
const PAGE_DOWN = "\x1b[6~"
const ESC = "\x1b"
const CTRL_G = "\x07"

/** A long talk with bob, a short one with mia. */
function history(): FakeApi {
  const api = new FakeApi()
  for (let n = 1; n <= 1_000; n++)
    api.past("bob", n % 250 === 0 ? `a lantern, number ${n}` : `line ${n}`)
  api.past("mia", "hello, mia")
  api.past("mia", "no lantern here")
  return api
}

test("what is found is shown with where and when, and Enter goes to it, far from where one was", async () => {
  const api = history()
  await using app = start(api)
  await app.tty.until("number 1000")
  app.tty.type("/search lantern\r")
  await app.tty.until(
    /> .*mia .*no lantern here\n.*number 1000\n.*number 750\n.*number 500\n.*bob .*number 250\n/,
  )
  await app.tty.until("Enter goes there")
  app.tty.type(DOWN + DOWN + DOWN)
  await app.tty.until(/ > .* bob .*a lantern, number 500/)
  app.tty.type("\r")
  await app.tty.until(/line 499\n.*a lantern, number 500\n.*line 501\n.*line 502\n.*line 503\n/)
  assert.match(app.tty.text(), /bob/)
})

test("from there one scrolls on to the newest, page by page, and End leads back", async () => {
  const api = history()
  await using app = start(api)
  await app.tty.until("number 1000")
  app.tty.type("/search number 500\r")
  await app.tty.until("Enter goes there")
  app.tty.type("\r")
  await app.tty.until("line 503")
  // Until the end: all of it comes in pages, none is left out.
  for (let n = 520; n < 1_000; n += 20) {
    const wanted = n % 250 === 0 ? `number ${n}` : `line ${n}`
    for (let i = 0; i < 4 && !app.tty.text().includes(wanted); i++) {
      const before = app.tty.text()
      app.tty.type(PAGE_DOWN)
      await app.tty.until(() => app.tty.text() !== before)
    }
    await app.tty.until(wanted)
  }
  app.tty.type(UP.repeat(30) + END)
  await app.tty.until("a lantern, number 1000")
  app.tty.type("back again\r")
  await app.tty.until(/number 1000\n.*me │ back again/)
})

test("the key opens an empty question; a failure says why, and Esc leads back to what one wrote", async () => {
  const api = history()
  await using app = start(api)
  await app.tty.until("number 1000")
  app.tty.type("half a thought")
  app.tty.type(CTRL_G)
  await app.tty.until("from:name in:chat has:file")
  app.tty.type("zebra\r")
  await app.tty.until("Nothing found.")
  api.failures.set("messages.search", "BAD_QUERY")
  app.tty.type(" has:wings\r")
  await app.tty.until("That cannot be searched for.")
  app.tty.type(ESC)
  await app.tty.until("> half a thought")
})

test("what others wrote and called themselves is harmless on the page too", async () => {
  const api = history()
  api.past("eve", "lantern \x1b[31m\u202ered\x1b]0;title\x07\nsecond line")
  await using app = start(api)
  await app.tty.until(/\d \w/)
  app.tty.type("/search lantern\r")
  await app.tty.until(/eve .*lantern \[31mred\]0;title sec/)
})
