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
    await golden(`chat-${size}`, app.tty, "ship it today?")
  })

  test(`an empty profile at ${size}`, async () => {
    await using app = start(new FakeApi(), { columns, rows })
    await golden(`empty-${size}`, app.tty, "F1")
  })

  test(`a request at ${size}`, async () => {
    await using app = start(gardenApi(), { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("/open carol\r")
    await golden(`request-${size}`, app.tty, "is this the right place")
  })

  test(`the own code at ${size}`, async () => {
    await using app = start(gardenApi(), { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("/id\r")
    await golden(`code-${size}`, app.tty, "sotto-invite1")
    app.tty.type("t")
    await golden(`ticket-${size}`, app.tty, "QR of the code")
  })

  test(`help at ${size}`, async () => {
    await using app = start(gardenApi(), { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("\x1bOP")
    await golden(`help-${size}`, app.tty, "keys and commands")
  })

  test(`first run at ${size}`, async () => {
    await using app = start(new FakeApi("none"), { columns, rows })
    await golden(`setup-name-${size}`, app.tty, "Welcome")
    app.tty.type("\r")
    await app.tty.until("Seals your keys")
    app.tty.type("correct horse")
    await golden(`setup-passphrase-${size}`, app.tty, "●●●●●●●●●●●●●")
    app.tty.type("\rcorrect horse\r")
    await golden(`setup-ticket-${size}`, app.tty, "Paste an invite")
    app.tty.type("\r")
    await golden(`setup-code-${size}`, app.tty, "Invite ticket")
  })
}

test("unlock, contacts, adding, and no peers at 80x24", async () => {
  const api = gardenApi()
  api.status = { ...api.status, identity: "locked" }
  await using app = start(api)
  await golden("unlock-80x24", app.tty, "Passphrase")
  app.tty.type("correct horse\r")
  await app.tty.until("Write to")
  app.tty.type("/contacts\r")
  await golden("contacts-80x24", app.tty, "Contacts (6)")
  app.tty.type("\x1b")
  await app.tty.until("Write to")
  app.tty.type("/add\r")
  await golden("add-80x24", app.tty, "Add a contact")
  app.tty.type("\x1b")
  await app.tty.until("Write to")
  api.withStatus({
    peers: [],
    alone: { reason: "none of 3 known addresses answers", retryInMs: 30_000 },
    waiting: 2,
    unprotected: true,
  })
  await golden("alone-80x24", app.tty, "no peers")
})

test("the picture in the documentation is what the program draws", async () => {
  await using app = start(gardenApi(), { columns: 104, rows: 26 })
  await app.tty.until("Write to")
  app.tty.type("/open bob\r")
  await app.tty.until("see you there")
  app.tty.type("ship it today?")
  await goldenFile("docs/chat.svg", app.tty, "ship it today?", () =>
    toSvg(app.tty, "The chat in a terminal"),
  )
})

/** Also where there is hardly room: what is cut off there could be the half that warns. */
for (const [columns, rows] of [...SIZES, [40, 12] as const]) {
  const size = `${columns}x${rows}`

  test(`comparing safety numbers, and an identity under a known name, at ${size}`, async () => {
    const api = gardenApi()
    const bob = api.contact("bob", { verified: true })
    api.contact("bob 2", { state: "request", claims: bob.address, theirName: "bob" })
    api.past("bob 2", "I lost my phone, this is me now")
    await using app = start(api, { columns, rows })
    await app.tty.until("Write to")
    app.tty.type("/verify zoe\r")
    await golden(`verify-${size}`, app.tty, "03528  03528")
    app.tty.type("\x1b")
    await app.tty.until("Write to")
    app.tty.type("/open bob 2\r")
    await golden(
      `claim-${size}`,
      app.tty,
      columns < 76 ? "Not the bob" : "another identity than bob",
    )
  })
}

test("an empty profile on the smallest screen is told everything, in whole sentences", async () => {
  await using app = start(new FakeApi(), { columns: 40, rows: 12 })
  for (const end of ["code is ready:", "somebody new", "of a friend", "keys and commands"])
    await app.tty.until(end)
})
