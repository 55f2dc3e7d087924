/**
 * Whole screens as text: what a person sees at 80 by 24 and at 120 by 40, from the first frame to the help page.
 */
import { test } from "node:test"
import { FakeApi } from "./fake-api.ts"
import { golden, goldenFile } from "./golden.ts"
import { start } from "./run.ts"
import { gardenApi } from "./scenes.ts"
import { toSvg } from "./svg.ts"

const SIZES = [
  [80, 24],
  [120, 40],
] as const

for (const [columns, rows] of SIZES) {
  const size = `${columns}x${rows}`

  test(`the chat at ${size}`, async () => {
    await using app = start(gardenApi(), { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("/open bob\r")
    await app.tty.until("see you there")
    app.tty.type("ship it today?")
    golden(`chat-${size}`, await app.tty.until("ship it today?"))
  })

  test(`an empty profile at ${size}`, async () => {
    await using app = start(new FakeApi(), { columns, rows })
    golden(`empty-${size}`, await app.tty.until("F1"))
  })

  test(`a request at ${size}`, async () => {
    await using app = start(gardenApi(), { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("/open carol\r")
    golden(`request-${size}`, await app.tty.until("is this the right place"))
  })

  test(`the own code at ${size}`, async () => {
    await using app = start(gardenApi(), { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("/id\r")
    golden(`code-${size}`, await app.tty.until("sotto-invite1"))
  })

  test(`help at ${size}`, async () => {
    await using app = start(gardenApi(), { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("\x1bOP")
    golden(`help-${size}`, await app.tty.until("keys and commands"))
  })

  test(`first run at ${size}`, async () => {
    await using app = start(new FakeApi("none"), { columns, rows })
    golden(`setup-name-${size}`, await app.tty.until("Welcome"))
    app.tty.type("\r")
    await app.tty.until("Seals your keys")
    app.tty.type("correct horse")
    golden(`setup-passphrase-${size}`, await app.tty.until("●●●●●●●●●●●●●"))
    app.tty.type("\rcorrect horse\r")
    golden(`setup-ticket-${size}`, await app.tty.until("Paste an invite"))
    app.tty.type("\r")
    golden(`setup-code-${size}`, await app.tty.until("Invite ticket"))
  })
}

test("unlock, contacts, adding, and no peers at 80x24", async () => {
  const api = gardenApi()
  api.status = { ...api.status, identity: "locked" }
  await using app = start(api)
  golden("unlock-80x24", await app.tty.until("Passphrase"))
  app.tty.type("correct horse\r")
  await app.tty.until("Write to")
  app.tty.type("/contacts\r")
  golden("contacts-80x24", await app.tty.until("Contacts (6)"))
  app.tty.type("\x1b")
  await app.tty.until("Write to")
  app.tty.type("/add\r")
  golden("add-80x24", await app.tty.until("Add a contact"))
  app.tty.type("\x1b")
  await app.tty.until("Write to")
  api.withStatus({
    peers: [],
    alone: { reason: "none of 3 known addresses answers", retryInMs: 30_000 },
    waiting: 2,
    unprotected: true,
  })
  golden("alone-80x24", await app.tty.until("no peers"))
})

test("the picture in the documentation is what the program draws", async () => {
  await using app = start(gardenApi(), { columns: 104, rows: 26 })
  await app.tty.until("Write to")
  app.tty.type("/open bob\r")
  await app.tty.until("see you there")
  app.tty.type("ship it today?")
  await app.tty.until("ship it today?")
  goldenFile("docs/chat.svg", toSvg(app.tty, "The chat in a terminal"))
})
