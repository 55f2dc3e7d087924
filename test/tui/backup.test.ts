/** Writing a backup and coming back from one, as a person goes through them on the screen and in lines. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { FakeApi } from "./fake-api.ts"
import { start } from "./run.ts"

test("/backup asks for a file and a passphrase twice, and says what is in it", async () => {
  const api = new FakeApi()
  await using app = start(api)
  await app.tty.until("F1 help")
  app.tty.type("/backup /tmp/my.backup\r")
  await app.tty.until("Write a backup")
  app.tty.type("\r")
  await app.tty.until("Passphrase")
  app.tty.type("correct horse\r")
  await app.tty.until("Once more")
  assert.ok(!app.tty.text().includes("horse"), "a secret is not shown")
  app.tty.type("correct house\r")
  await app.tty.until("The two were not the same.")
  app.tty.type("correct horse\rcorrect horse\r")
  await app.tty.until(/my\.backup holds 12 records, complete up to height 7/)
  assert.equal(api.backups.get("/tmp/my.backup"), "correct horse")
})

test("a file that cannot be written is a sentence, on the page where it can be mended", async () => {
  const api = new FakeApi()
  await using app = start(api)
  await app.tty.until("F1 help")
  app.tty.type("/backup\r")
  await app.tty.until("Write a backup")
  app.tty.type("\r")
  await app.tty.until("Which file? A path on this machine.")
  app.tty.type("/nowhere/my.backup\rcorrect horse\rcorrect horse\r")
  await app.tty.until("That file cannot be read or written.")
  assert.match(app.tty.text(), /File +\/nowhere\/my\.backup/)
  app.tty.type("\x1b")
  await app.tty.until("F1 help")
  assert.equal(api.backups.size, 0)
})

test("the first run comes back from a backup; a wrong passphrase changes nothing", async () => {
  const api = new FakeApi("none")
  api.backups.set("/tmp/my.backup", "correct horse")
  await using app = start(api)
  await app.tty.until("Write /restore in place of a name")
  app.tty.type("\x15/restore /tmp/my.backup\r")
  await app.tty.until("Come back from a backup")
  app.tty.type("\rcorrect house\r")
  await app.tty.until("That passphrase does not open the backup")
  assert.equal(api.status.identity, "none")
  app.tty.type("correct horse\r")
  await app.tty.until("You live here now")
  assert.equal(api.status.identity, "open")
  assert.ok(api.calls.every(({ method }) => method !== "profile.create"))
})

test("Esc leads from the backup to the name again", async () => {
  const api = new FakeApi("none")
  await using app = start(api)
  await app.tty.until("Name")
  app.tty.type("\x15/restore\r")
  await app.tty.until("Come back from a backup")
  app.tty.type("\x1b")
  await app.tty.until(/Name +\/restore/)
})
