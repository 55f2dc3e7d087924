/** First run and unlocking, as a person goes through them. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { ADDRESS, FakeApi, TICKET, addressOf } from "./fake-api.ts"
import { start } from "./run.ts"

const created = (api: FakeApi) => api.calls.find((call) => call.method === "profile.create")?.params

test("first run: name, passphrase twice, a mesh of one's own, the code, a friend, the chat", async () => {
  const api = new FakeApi("none")
  await using app = start(api)
  await app.tty.until(/Name\s+alice/)
  app.tty.type("\x15Al\r")
  await app.tty.until("Passphrase")
  app.tty.type("correct horse\r")
  await app.tty.until("Once more")
  app.tty.type("correct horse\r")
  await app.tty.until("Ticket")
  app.tty.type("\r")
  await app.tty.until("Your identity is ready.")
  assert.deepEqual(created(api), { name: "Al", passphrase: "correct horse" })
  assert.ok(app.tty.text().replace(/\s/g, "").includes(ADDRESS.slice(0, 36)))
  app.tty.type(`\x1b[200~${addressOf("bob")}\x1b[201~\r`)
  await app.tty.until("Write to")
  app.tty.type("hello\r")
  await app.tty.until(/me │ hello/)
})

test("with a ticket one joins; a broken one is asked for again, and nothing else is", async () => {
  const api = new FakeApi("none")
  await using app = start(api)
  await app.tty.until("Name")
  app.tty.type("\rcorrect horse\rcorrect horse\r")
  await app.tty.until("Ticket")
  app.tty.type("sotto-inv\r")
  await app.tty.until("That is not a complete invite ticket.")
  // Copied over line breaks, as terminals do.
  app.tty.type(`\x15\x1b[200~${TICKET.slice(0, 70)}\r\n${TICKET.slice(70)}\x1b[201~\r`)
  await app.tty.until("Your identity is ready.")
  assert.deepEqual(api.calls.findLast((call) => call.method === "profile.create")?.params, {
    name: "alice",
    passphrase: "correct horse",
    ticket: TICKET,
  })
  await app.tty.until("Enter adds bob, who invited you.")
  app.tty.type("\r")
  await app.tty.until("Write to")
  assert.deepEqual(api.calls.findLast((call) => call.method === "contacts.add")?.params, {
    code: TICKET,
  })
})

test("a ticket that names nobody offers nobody", async () => {
  const api = new FakeApi("none")
  api.inviter = null
  await using app = start(api)
  await app.tty.until("Name")
  app.tty.type("\rcorrect horse\rcorrect horse\r")
  await app.tty.until("Ticket")
  app.tty.type(`${TICKET}\r`)
  await app.tty.until("Paste a friend's code")
  app.tty.type("\r")
  await app.tty.until("Your code is ready")
  assert.ok(api.calls.every(({ method }) => method !== "contacts.add"))
})

test("an inviter who cannot be added is offered once", async () => {
  const api = new FakeApi("none")
  await using app = start(api)
  await app.tty.until("Name")
  app.tty.type("\rcorrect horse\rcorrect horse\r")
  await app.tty.until("Ticket")
  api.failures.set("contacts.add", "QUEUE_FULL")
  app.tty.type(`${TICKET}\r`)
  await app.tty.until("Enter adds bob, who invited you.")
  app.tty.type("\r")
  await app.tty.until("Too many messages")
  app.tty.type("\r")
  await app.tty.until("Your code is ready")
})

test("leaving the passphrase out takes a second, deliberate key; Enter goes back", async () => {
  const api = new FakeApi("none")
  await using app = start(api)
  await app.tty.until("Name")
  app.tty.type("\r\r")
  await app.tty.until("whoever can read this disk")
  app.tty.type("\r")
  await app.tty.until("Seals your keys")
  app.tty.type("\r")
  await app.tty.until("whoever can read this disk")
  app.tty.type("s")
  await app.tty.until("Ticket")
  app.tty.type("\r")
  await app.tty.until("Your identity is ready.")
  assert.deepEqual(created(api), { name: "alice", passphrase: null })
  app.tty.type("\r")
  await app.tty.until("! no passphrase")
})

test("two passphrases that differ, and one that is too weak, are both begun again", async () => {
  const api = new FakeApi("none")
  await using app = start(api)
  await app.tty.until("Name")
  app.tty.type("\rcorrect horse\rcorrect house\r")
  await app.tty.until("The two were not the same.")
  app.tty.type("abc\rabc\r")
  await app.tty.until("Ticket")
  app.tty.type("\r")
  await app.tty.until("too easy to guess")
  assert.match(app.tty.text(), /step 2 of 3/)
})

test("a peer that carries for others already is in a mesh: no ticket is asked for", async () => {
  const api = new FakeApi("none")
  api.status = { ...api.status, mesh: { name: "garden", meshId: "ab".repeat(32), validators: 1 } }
  await using app = start(api)
  await app.tty.until("Name")
  app.tty.type("\rcorrect horse\rcorrect horse\r")
  await app.tty.until("Your identity is ready.")
})

test("what takes long shows how far it is", async () => {
  const api = new FakeApi("none")
  await using app = start(api)
  await app.tty.until("Name")
  api.tell({ type: "progress", what: "making keys", done: 3, total: 10 })
  api.failures.set("profile.create", "DISK_FULL")
  app.tty.type("\rcorrect horse\rcorrect horse\r")
  await app.tty.until("Ticket")
  app.tty.type("\r")
  await app.tty.until("The disk is full.")
})

test("unlocking: a wrong passphrase says so and can be tried again", async () => {
  const api = new FakeApi("locked")
  api.past("bob", "hi")
  await using app = start(api)
  await app.tty.until("Passphrase")
  app.tty.type("wrong battery\r")
  await app.tty.until("That passphrase does not open the vault.")
  app.tty.type("correct horse")
  await app.tty.until("●●●●●●●●●●●●●")
  app.tty.type("\r")
  await app.tty.until("hi")
})

test("a pasted passphrase is taken to the letter", async () => {
  const api = new FakeApi("locked")
  api.passphrase = "  correct  horse "
  api.past("bob", "hi")
  await using app = start(api)
  await app.tty.until("Passphrase")
  app.tty.type("\x1b[200~  correct  horse \n\x1b[201~\r")
  await app.tty.until("hi")
})

test("a passphrase is in the one call that needs it, and in nothing that was ever written", async () => {
  const api = new FakeApi("locked")
  api.past("bob", "hi")
  const app = start(api)
  await app.tty.until("Passphrase")
  app.tty.type("wrong battery\r")
  await app.tty.until("does not open")
  app.tty.type("correct horse\r")
  await app.tty.until("hi")
  app.tty.type("\x04")
  await app.exited
  for (const secret of ["wrong battery", "correct horse", "battery", "horse"])
    assert.ok(!app.tty.written().includes(secret))
  const holders = api.calls.filter((call) => JSON.stringify(call.params).includes("horse"))
  assert.deepEqual(
    holders.map((call) => call.method),
    ["unlock"],
  )
})
