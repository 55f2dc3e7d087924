/** Groups in the chat: founded and opened, changed by whoever runs them, left only after a second yes. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { Contact, GroupView } from "../../src/node/api/types.ts"
import { COMMANDS, completions, interpret } from "../../src/tui/commands.ts"
import { membersText, planGroup } from "../../src/tui/groups.ts"
import { SENTENCES } from "../../src/tui/sentences.ts"
import { ADDRESS, FakeApi, addressOf } from "./fake-api.ts"
import { golden } from "./golden.ts"
import { start } from "./run.ts"
import type { Running } from "./run.ts"

const DAVE = addressOf("dave")

/** Alice's club with bob, mia and dave, who is no contact of hers. */
function clubApi(change: Partial<GroupView> = {}): { api: FakeApi; club: GroupView } {
  const api = new FakeApi()
  const people = ["bob", "mia", "dave"].map((name) => api.contact(name).address)
  api.contact("bob", { verified: true })
  const club = api.group("climbing club", people, change)
  const members = club.members.map((member) => ({
    ...member,
    here: member.me || member.name !== "mia",
    name: member.name === "dave" ? "Dave …dave" : member.name,
    vouched: member.name !== "dave",
  }))
  api.groups.set(club.thread, { ...club, members })
  api.contacts.delete(DAVE)
  return { api, club }
}

async function opened({ tty }: Running): Promise<void> {
  await tty.until("Write to")
  tty.type("/open climbing\r")
  await tty.until("climbing club · 4 people")
}

test("a group is founded with contacts, opened, and written to", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  api.contact("mia moon")
  await using app = start(api)
  await app.tty.until("hi")
  const founding = api.called("groups.create")
  app.tty.type('/group "climbing club" bob mia moon\r')
  assert.deepEqual((await founding).params, {
    name: "climbing club",
    members: [addressOf("bob"), addressOf("mia moon")],
    postQuantumSignatures: false,
  })
  await app.tty.until("climbing club · 3 people")
  await app.tty.until("climbing club is founded, and you run it.")
  const sending = api.called("messages.send")
  app.tty.type("first one up?\r")
  const [group] = api.groups.keys()
  assert.equal(((await sending).params as { to: string }).to, group)
})

test("a group with post-quantum signatures is founded by a command of its own, and says so wherever it is shown", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api, { columns: 120 })
  await app.tty.until("hi")
  const founding = api.called("groups.create")
  app.tty.type("/pq-group club bob\r")
  assert.deepEqual((await founding).params, {
    name: "club",
    members: [addressOf("bob")],
    postQuantumSignatures: true,
  })
  await app.tty.until("club · 2 people · post-quantum signatures")
  app.tty.type("/members\r")
  await app.tty.until("club (2) · post-quantum signatures")
})

test("a chat of two goes over to post-quantum signatures, and says what it waits for", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api, { columns: 120 })
  await app.tty.until("hi")
  const asking = api.called("contacts.add")
  app.tty.type("/pq bob\r")
  assert.deepEqual((await asking).params, { code: addressOf("bob"), postQuantumSignatures: true })
  await app.tty.until("sign with post-quantum signatures")
  await app.tty.until("· post-quantum signatures")
  const contact = { ...api.contacts.get(addressOf("bob")), lacksKey: true } as Contact
  api.tell({ type: "contact", contact })
  await app.tty.until("no key of theirs for post-quantum signatures yet: what you write waits")
  app.tty.type("/contacts\r")
  await app.tty.until(/bob.* no key of theirs/)
})

test("a mesh without an order says so, and nothing opens", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  api.failures.set("groups.create", "NO_LEDGER")
  await using app = start(api, { columns: 120 })
  await app.tty.until("hi")
  app.tty.type("/group club bob\r")
  await app.tty.until(SENTENCES.NO_LEDGER.what)
  app.tty.type("/group club nobody\r")
  await app.tty.until("There is no contact called nobody.")
  assert.equal(api.count("groups.create"), 1)
  assert.match(app.tty.text(), /hi/)
})

test("members: who runs it, who has not arrived, who is no contact, and what is not so yet", async () => {
  const { api, club } = clubApi()
  await using app = start(api)
  await opened(app)
  app.tty.type("/invite zoe\r")
  await app.tty.until("There is no contact called zoe.")
  app.tty.type("\x03/admin bob\r")
  await app.tty.until("Asked for: bob runs it too.")
  app.tty.type("/members\r")
  await golden("members-80x24", app.tty, "Not so yet: bob runs it too.")
  // The page follows the group while it is open.
  const members = club.members.map((member) => ({ ...member, admin: true, here: true }))
  api.itIsOrdered(club.thread, { members })
  await app.tty.until((text) => !text.includes("Not so yet") && /bob .*runs it/.test(text))
})

test("changes go to the group that is open, and to exactly the one who is named", async () => {
  const { api, club } = clubApi()
  const group = club.thread
  api.contact("zoe")
  await using app = start(api)
  await opened(app)
  for (const [line, method, params] of [
    ["/invite zoe", "groups.add", { group, members: [addressOf("zoe")] }],
    ["/remove mia", "groups.remove", { group, member: addressOf("mia") }],
    ["/admin bob off", "groups.admin", { group, member: addressOf("bob"), admin: false }],
    ["/title Climbers of the north", "groups.rename", { group, name: "Climbers of the north" }],
  ] as const) {
    const call = api.called(method)
    app.tty.type(`${line}\r`)
    assert.deepEqual((await call).params, params, line)
    await app.tty.until("Asked for:")
  }
  await app.tty.until("it is called Climbers of the north")
  // Half a name removes nobody: it goes to the node as it is, which knows no such member.
  const call = api.called("groups.remove")
  app.tty.type("/remove bo\r")
  assert.deepEqual((await call).params, { group, member: "bo" })
  await app.tty.until(SENTENCES.NOT_A_MEMBER.what)
  api.failures.set("groups.remove", "NOT_ADMIN")
  app.tty.type("/remove bob\r")
  await app.tty.until(SENTENCES.NOT_ADMIN.what)
})

test("leaving and hiding take a letter besides the command, and Enter is not it", async () => {
  const { api } = clubApi()
  await using app = start(api)
  await opened(app)
  app.tty.type("/leave\r")
  await app.tty.until("Leave climbing club?")
  app.tty.type("\r")
  await app.tty.until("Write to climbing club")
  assert.equal(api.count("groups.leave"), 0)
  app.tty.type("/leave\r")
  await app.tty.until("Leave climbing club?")
  app.tty.type("y")
  await app.tty.until("You are out of climbing club: your keys of it are destroyed.")
  await app.tty.until("you are out of it")
  app.tty.type("still there?\r")
  await app.tty.until("You are out of this group. /hide takes it away.")
  assert.equal(api.count("messages.send"), 0)
  app.tty.type("\x03/hide\r")
  await app.tty.until("There is no way back.")
  assert.equal(api.count("threads.hide"), 0)
  app.tty.type("y")
  await app.tty.until((text) => text.includes("erased here") && !text.includes("climbing club"))
})

test("a stranger's group is stayed in by a letter or by /accept, and nothing is written before", async () => {
  const { api, club } = clubApi({ state: "request" })
  await using app = start(api)
  app.tty.type("/open climbing\r")
  await app.tty.until('A stranger added you to "climbing club".')
  app.tty.type("hello\r")
  await app.tty.until("Stay in it first: /accept, or /leave.")
  app.tty.type("\x03")
  const accepting = api.called("groups.accept")
  app.tty.type("a")
  assert.deepEqual((await accepting).params, { group: club.thread })
  await app.tty.until("You stay in climbing club.")
})

test("texts bear their authors' names; who is no contact is marked", async () => {
  const { api, club } = clubApi()
  const other = { thread: club.thread, id: "e".repeat(32), receipts: null } as const
  await using app = start(api)
  await opened(app)
  const bob = { ...api.past("bob", "on my way"), ...other }
  const dave = {
    ...bob,
    id: "f".repeat(32),
    author: DAVE,
    authorName: "Dave …dave",
    text: "me too",
  }
  api.tell({ type: "message", message: bob })
  api.tell({ type: "message", message: { ...dave, position: `${bob.position}1` } })
  await app.tty.until(/ bob │ on my way/)
  await app.tty.until(/ ~Dave.*│ me too/)
})

test("a group of two is no chat with its other member", async () => {
  const api = new FakeApi()
  const bob = api.contact("bob")
  api.group("duo", [bob.address])
  await using app = start(api, { columns: 120 })
  await app.tty.until("duo")
  app.tty.type("/open bob\r")
  await app.tty.until("Write to bob")
  app.tty.type("/members\r")
  await app.tty.until(SENTENCES.NOT_A_GROUP.what)
})

test("commands about groups mean what they say", () => {
  const known = ["bob", "mia", "mia moon"]
  assert.deepEqual(interpret("/group club mia moon bob", known), {
    type: "group",
    name: "club",
    people: ["mia moon", "bob"],
  })
  assert.deepEqual(interpret('/invite "mia moon" bob', known), {
    type: "invite",
    people: ["mia moon", "bob"],
  })
  assert.deepEqual(interpret("/admin mia moon off", known), {
    type: "admin",
    member: "mia moon",
    admin: false,
  })
  assert.deepEqual(interpret('/remove "mia moon"', known), { type: "remove", member: "mia moon" })
  for (const line of ["/group", "/invite", "/remove", "/admin", "/title"])
    assert.equal(interpret(line, known).type, "wrong", line)
  assert.deepEqual(completions("/invite bob mi", known), [
    "/invite bob mia",
    "/invite bob mia moon",
  ])
  assert.deepEqual(completions("/invite mia mo", known), ["/invite mia moon"])
  assert.deepEqual(completions("/group club ", ["bob"]), ["/group club bob"])
  assert.deepEqual(completions("/admin b", known), ["/admin bob"])
})

test("two in a group who are called the same are not guessed between, and oneself is not removed", () => {
  const { api, club } = clubApi()
  api.contact("mia", { name: "bob" })
  const known = { threads: api.threads, contacts: api.contacts, status: api.status }
  const remove = (member: string) => planGroup(known, club.thread, { type: "remove", member })
  assert.ok("wrong" in remove("bob"))
  assert.deepEqual(remove(ADDRESS), { wrong: "That is you: /leave." })
})

test("a list of members draws no name that could be taken for ours", () => {
  const { api, club } = clubApi()
  const [me, first] = api.groups.get(club.thread)?.members ?? []
  assert.ok(me !== undefined && first !== undefined)
  const text = membersText({
    ...club,
    members: [me, { ...first, name: "x\x1b[2J\n✓ you: runs it" }],
  })
  assert.deepEqual(text.split("\n"), [
    "climbing club: 2 people.",
    "you: runs it",
    "x[2J you: runs it",
  ])
})

test("no sentence names a command that does not exist", () => {
  const names = new Set(COMMANDS.map(({ name }) => name))
  for (const [code, { what, next }] of Object.entries(SENTENCES))
    for (const [, name = ""] of `${what} ${next}`.matchAll(/(?<=^|\s)\/([a-z-]+)/g))
      assert.ok(names.has(name), `${code}: /${name}`)
})
