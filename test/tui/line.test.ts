/** Line mode: words in, words out, each message once, and not one byte that redraws. */
import assert from "node:assert/strict"
import { PassThrough, Writable } from "node:stream"
import { test } from "node:test"
import { runLine } from "../../src/tui/line.ts"
import { ADDRESS, FakeApi, TICKET, addressOf } from "./fake-api.ts"

const DEADLINE_MS = 10_000

function begin(api: FakeApi) {
  const stdin = new PassThrough()
  let said = ""
  let look = () => {}
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said += chunk.toString()
      look()
      done()
    },
  })
  const exited = runLine(api, { stdin, stdout, userName: "alice", timeZone: "UTC" })
  return {
    exited,
    said: () => said,
    type: (line: string) => void stdin.write(`${line}\n`),
    end: () => void stdin.end(),
    until: (what: string | RegExp): Promise<void> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`waited for ${String(what)}:\n${said}`)),
          DEADLINE_MS,
        )
        look = () => {
          if (typeof what === "string" ? !said.includes(what) : !what.test(said)) return
          clearTimeout(timer)
          look = () => {}
          resolve()
        }
        look()
      }),
  }
}

test("a chat is opened, read, answered, and what was sent says how far it got", async () => {
  const api = new FakeApi()
  api.past("bob", "looks good")
  const line = begin(api)
  await line.until("/open name opens a chat.")
  line.type("/open bob")
  await line.until("09:12 bob: looks good")
  const sending = api.called("messages.send")
  line.type("thanks")
  await sending
  const sent = [...api.messages.values()][0]?.at(-1)
  assert.equal(sent?.text, "thanks")
  api.itIs(sent, "delivered")
  await line.until("(delivered: thanks)")
  api.theySay("bob", "\x1b[31mred\u202e")
  await line.until("bob: [31mred")
  line.type("/quit")
  assert.equal(await line.exited, 0)
  assert.ok(!line.said().includes("\x1b"), "nothing is redrawn")
  assert.equal(line.said().split("looks good").length, 2, "each message once")
  assert.equal(api.listeners, 0)
})

test("first run asks three questions and shows code and ticket", async () => {
  const api = new FakeApi("none")
  const line = begin(api)
  await line.until("Your name [alice]:")
  line.type("")
  await line.until("Passphrase (empty for none):")
  line.type("correct horse")
  await line.until("The same once more:")
  line.type("correct house")
  await line.until("The two were not the same.")
  line.type("")
  await line.until("Go on without a passphrase?")
  line.type("")
  await line.until(/Passphrase[^]*Passphrase[^]*Passphrase/)
  line.type("correct horse")
  line.type("correct horse")
  await line.until("Invite ticket (empty founds a new mesh):")
  line.type("nonsense")
  await line.until("That is not a complete invite ticket.")
  line.type("")
  await line.until(`Your code: ${ADDRESS}`)
  await line.until(`Invite ticket: ${TICKET}`)
  await line.until("No messages yet.")
  line.end()
  assert.equal(await line.exited, 0)
  assert.ok(!line.said().includes("correct horse"))
})

test("who joins is asked whether to add the one who invited them", async () => {
  const api = new FakeApi("none")
  const line = begin(api)
  for (const answer of ["", "correct horse", "correct horse", TICKET, ""]) line.type(answer)
  await line.until("is added.")
  await line.until("/open name opens a chat.")
  line.type("/quit")
  assert.equal(await line.exited, 0)
  assert.deepEqual(api.calls.find((call) => call.method === "contacts.add")?.params, {
    code: TICKET,
  })
})

test("unlocking is tried until it opens", async () => {
  const api = new FakeApi("locked")
  const line = begin(api)
  await line.until("Passphrase:")
  line.type("wrong")
  await line.until("does not open the vault")
  line.type("correct horse")
  await line.until("No messages yet.")
  line.type("/quit")
  assert.equal(await line.exited, 0)
})

test("commands answer in sentences", async () => {
  const api = new FakeApi()
  api.contact("carol", { state: "request" })
  api.past("carol", "hello?")
  api.past("mia", "news")
  for (const thread of api.threads.values())
    if (thread.title === "mia") api.threads.set(thread.id, { ...thread, unread: 2 })
  const line = begin(api)
  await line.until("carol: wants to write to you")
  const answers: [string, string | RegExp][] = [
    ["/accept carol", "carol is accepted."],
    ["/block carol", "carol is blocked."],
    ["/rename mia Mia M.", "They are called Mia M. here now."],
    ["/next", /Chat with Mia M\.: 2 unread[^]*news/],
    ["/next", "Nothing unread."],
    [`/add ${addressOf("zoe")} Zoe`, "Zoe is added."],
    ["/add nonsense", "That is not a complete code."],
    ["/contacts", "Zoe: pending"],
    ["/id", `Your code: ${ADDRESS}`],
    ["/ticket", `Invite ticket: ${TICKET}`],
    ["/retry", "Nothing has failed in this chat."],
    ["/hlep", "Did you mean /help?"],
    ["/help", "/accept [name]: "],
    ["/open nobody", "There is no chat of that name."],
  ]
  for (const [typed, answer] of answers) {
    line.type(typed)
    await line.until(answer)
  }
  line.type("/open Zoe")
  await line.until("Chat with Zoe")
  const sending = api.called("messages.send")
  line.type("first words")
  await sending
  line.type("/quit")
  assert.equal(await line.exited, 0)
})

test("a node that goes away ends it, and says so", async () => {
  const api = new FakeApi()
  const line = begin(api)
  await line.until("No messages yet.")
  api.goAway("stopped")
  assert.equal(await line.exited, 0)
  assert.ok(line.said().includes("The node has gone away. stopped"))
})

test("a node that never comes says why", async () => {
  const said: Buffer[] = []
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said.push(chunk)
      done()
    },
  })
  const busy = Promise.reject(Object.assign(new Error("held"), { code: "BUSY" }))
  assert.equal(await runLine(busy, { stdin: new PassThrough(), stdout }), 1)
  assert.match(Buffer.concat(said).toString(), /Another process holds this profile\./)
})

test("files are sent, named in words when they come, and saved", async () => {
  const api = new FakeApi()
  const file = { name: "photo.jpg", size: 3_100_000, type: "image/jpeg" }
  const { id } = api.past("bob", "the garden", { file })
  const line = begin(api)
  await line.until("/open name opens a chat.")
  line.type("/open bob")
  await line.until(`bob: [photo.jpg · 3.1 MB · JPEG image · ${id.slice(0, 8)}] the garden`)
  const sending = api.called("files.send")
  line.type("/file /tmp/a.png")
  await sending
  await line.until("a.png is on its way.")
  api.tell({ type: "transfer", transfer: api.transfer({ name: "a.png", state: "done" }) })
  await line.until("a.png is with its keepers: you may leave.")
  const saving = api.called("files.save")
  line.type(`/save ${id.slice(0, 8)} /tmp`)
  assert.deepEqual((await saving).params, { id, directory: "/tmp" })
  await line.until("photo.jpg is being saved into /tmp.")
  line.type("/quit")
  assert.equal(await line.exited, 0)
})

test("a group is founded, looked at, and left only when that is said in so many words", async () => {
  const api = new FakeApi()
  api.contact("bob")
  api.contact("mia")
  const line = begin(api)
  await line.until("/open name opens a chat.")
  line.type("/members")
  await line.until("Open a chat first: /open name.")
  line.type("/group club bob")
  await line.until("club is founded, and you run it.")
  line.type("/invite mia")
  await line.until("Asked for: mia is in it.")
  line.type("/members")
  await line.until(
    /club: 2 people\.\nyou: runs it\nbob: added, not arrived yet\nNot so yet: mia is in/,
  )
  line.type("/leave")
  await line.until("Leave club?")
  line.type("yes")
  await line.until("Nothing was changed.")
  assert.equal(api.count("groups.leave"), 0)
  line.type("/leave")
  line.type("leave")
  await line.until("You are out of club")
  line.type("/hide")
  line.type("hide")
  await line.until("It is erased here.")
  api.failures.set("groups.create", "NO_LEDGER")
  line.type("/group other bob")
  await line.until("a group needs that")
  line.end()
  assert.equal(await line.exited, 0)
})

test("who cannot read any more what we said is heard of, and again when their chat is opened", async () => {
  const api = new FakeApi()
  api.past("bob", "looks good")
  const line = begin(api)
  await line.until("/open name opens a chat.")
  api.lack("bob", 2)
  await line.until("! bob went on from a backup and cannot read up to 2 of your messages any more.")
  line.type("/open bob")
  await line.until(/Chat with bob\n! bob went on from a backup/)
  line.type("/again")
  await line.until("2 of your messages are said again.")
  line.type("/again")
  await line.until("Nobody asks here")
  line.end()
  assert.equal(await line.exited, 0)
})
