/**
 * Hostile text and hostile windows: what a peer writes never steers the terminal, and the screen equals the model after any
 * resize.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { FakeApi } from "./fake-api.ts"
import { hostileText, seeded } from "./random.ts"
import { start } from "./run.ts"
import { gardenApi } from "./scenes.ts"

/** The everyday suite keeps to its time; SOTTO_FUZZ_RESIZES=500 looks longer. */
const RESIZES = Number(process.env["SOTTO_FUZZ_RESIZES"] ?? 25)

// What we and Ink write: cursor, erase, modes, colours. No string command, no title, no link.
const OURS = /\x1b\[[?]?[0-9;]*[A-HJKchlmGsu]/g

test("no byte of a peer's making moves the cursor, sets a title, paints or links", async () => {
  const random = seeded(99)
  const api = new FakeApi()
  for (let i = 0; i < 300; i++) {
    const name = `n${i % 7}`
    api.contact(name, { name: hostileText(random, 6), theirName: hostileText(random, 6) })
    api.past(name, hostileText(random, 60))
  }
  for (const [id, thread] of api.threads)
    api.threads.set(id, { ...thread, title: hostileText(random, 6), unread: 3 })
  api.withStatus({
    peers: [],
    alone: { reason: hostileText(random, 20), retryInMs: 5000 },
    name: hostileText(random, 8),
    mesh: { name: hostileText(random, 8), meshId: "ab".repeat(32), validators: 1 },
  })
  const app = start(api, { columns: 120, rows: 40 })
  await app.tty.until("no peers")
  for (let chat = 1; chat <= 7; chat++) {
    app.tty.type(`\x1b${chat}`)
    app.tty.type("\x1b[5~\x1b[5~\x1b[F")
  }
  for (const page of ["/contacts\r", "/id\r"]) {
    app.tty.type(page)
    await app.tty.until("Esc back")
    app.tty.type("\x1b")
    await app.tty.until("no peers")
  }
  app.tty.type("\x04")
  await app.exited
  const rest = app.tty.written().replace(OURS, "")
  assert.ok(!rest.includes("\x1b"), "only sequences of ours")
  assert.doesNotMatch(
    rest,
    /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/,
  )
  assert.ok(!app.tty.written().includes("\x1b[31m"), "no colour that is not the theme's")
})

test("after any resize the screen is what a fresh screen of that size shows", async () => {
  const random = seeded(5)
  const api = gardenApi()
  await using app = start(api, { columns: 100, rows: 30 })
  await app.tty.until("Write to")
  app.tty.type("/open bob\r")
  await app.tty.until("see you there")
  let draft = "ship it 漢字 👋 today?"
  app.tty.type(draft)
  for (let round = 0; round < RESIZES; round++) {
    const columns = 40 + Math.floor(random() * 100)
    const rows = 10 + Math.floor(random() * 40)
    app.tty.resize(columns, rows)
    // The composer keeps its first row in sight: what is compared begins there.
    const more = draft.length > 60 ? "\x15ship it 漢字" : random() < 0.5 ? " 字x" : "👍"
    app.tty.type(more)
    draft = more.startsWith("\x15") ? more.slice(1) : draft + more
    const fresh = start(api, { columns, rows })
    await fresh.tty.until("Write to")
    fresh.tty.type("/open bob\r")
    await fresh.tty.until("see you there")
    fresh.tty.type(draft)
    await fresh.tty.until("> ship it")
    await app.tty.until(() => app.tty.text() === fresh.tty.text())
    fresh.tty.type("\x03\x03\x03")
    await fresh.exited
    fresh.tty.dispose()
  }
})

test("a window too small to draw in says so, and recovers", async () => {
  await using app = start(gardenApi())
  await app.tty.until("Write to")
  app.tty.resize(30, 8)
  await app.tty.until("Make this window")
  app.tty.resize(80, 24)
  await app.tty.until("Write to")
})

test("Ctrl-L paints over whatever else was written", async () => {
  const api = new FakeApi()
  api.past("bob", "nothing else happens here")
  await using app = start(api)
  const before = await app.tty.until("nothing else")
  app.tty.stdout.write("\x1b[5;5Hnode: warning, something happened")
  await app.tty.until((screen) => screen.includes("something happened"))
  app.tty.type("\x0c")
  await app.tty.until((screen) => screen === before)
})

test("NO_COLOR: no colour at all, and every state still tells itself apart", async () => {
  const app = start(gardenApi(), { env: { NO_COLOR: "1" } })
  await app.tty.until("Write to")
  app.tty.type("/open bob\r")
  await app.tty.until("see you there")
  const screen = app.tty.text()
  for (const mark of ["✓✓", " ✓ ", "◌", "!", "·"]) assert.ok(screen.includes(mark), mark)
  app.tty.type("/id\r")
  await app.tty.until("sotto-invite1")
  app.tty.type("\x1b")
  await app.tty.until("Write to")
  app.tty.type("\x04")
  await app.exited
  assert.doesNotMatch(app.tty.written(), /\x1b\[(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]/)
})

test("a locale without UTF-8 gets shapes of ASCII", async () => {
  await using app = start(gardenApi(), { env: { LANG: "C", LC_ALL: "POSIX" } })
  await app.tty.until("Write to")
  app.tty.type("/open bob\r")
  const screen = await app.tty.until("see you there")
  assert.match(screen, /\d \+\+\s+me \| draft/)
  assert.match(screen, /\* 5 peers/)
})
