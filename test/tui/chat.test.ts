import assert from "node:assert/strict"
import { test } from "node:test"
import { FakeApi } from "./fake-api.ts"
import { start } from "./run.ts"

test("a message is written, sent and seen through its states", async () => {
  const api = new FakeApi()
  api.past("bob", "looks good")
  await using app = start(api)
  await app.tty.until("looks good")
  app.tty.type("ship it today?\r")
  await app.tty.until(/·\s+me │ ship it today\?/)
  const sent = api.messages.values().next().value?.at(-1)
  assert.ok(sent)
  api.itIs(sent, "gossiped")
  await app.tty.until(/◌\s+me │ ship it today\?/)
  api.itIs(sent, "ordered")
  await app.tty.until(/ ✓\s+me │ ship it today\?/)
  api.itIs(sent, "delivered")
  await app.tty.until(/✓✓\s+me │ ship it today\?/)
  console.error(app.tty.text())
})
