import assert from "node:assert/strict"
import { closeSync, openSync, statSync, writeFileSync } from "node:fs"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { addressOf, NUMBER, startDouble, TICKET } from "../helpers/node-double.ts"
import { DOUBLE, ended, lines, sotto, start } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"

/** A profile with a running node inside this process, which the commands attach to. */
async function profile(t: TestContext, options: { reach?: "queued" | "delivered" } = {}) {
  const data = join(temporaryDirectory(t), "data")
  const socketPath = join(data, "run", "node.sock")
  const node = await startDouble({ dataDir: data, socketPath, ...options })
  t.after(() => node.stop())
  const run = (...args: string[]) => sotto(["--data", data, ...args])
  const json = async (...args: string[]) => {
    const { exit, out, err } = await run("--json", ...args)
    assert.equal(exit, 0, err)
    const value = JSON.parse(out) as Record<string, unknown>
    assert.equal(value["v"], 1)
    return value
  }
  return { data, node: node.api, run, json }
}

async function alice(t: TestContext, options: { reach?: "queued" | "delivered" } = {}) {
  const made = await profile(t, options)
  await made.node.call("profile.create", { name: "alice", passphrase: null })
  await made.node.call("contacts.add", { code: addressOf("bob"), name: "bob" })
  return made
}

describe("cli: a message as proof for others", () => {
  it("is written where it was asked for, and says what the file shows", async (t) => {
    const { run, json, data } = await alice(t)
    const { message } = (await json("send", "bob", "hello")) as { message?: { id: string } }
    const { messages } = (await json("read", "bob")) as { messages?: { id: string }[] }
    const id = message?.id ?? messages?.at(-1)?.id ?? ""
    const file = join(data, "proof")
    const made = await run("export", id, file)
    assert.equal(made.exit, 0, made.err)
    assert.deepEqual([made.out, /stands in block 7/.test(made.err)], [`${file}\n`, true])
    const { place } = await json("export", id, file, "--without-order")
    assert.equal(place, null)
    assert.equal((await run("export", "abcd", file)).exit, 2)
  })

  it("that is none is refused, without a profile", async (t) => {
    const data = temporaryDirectory(t)
    const file = join(data, "none")
    writeFileSync(file, "not an export at all")
    const { exit, err } = await sotto([
      "export",
      "verify",
      file,
      "--data",
      join(data, "x"),
      "--json",
    ])
    assert.equal(exit, 7)
    assert.equal(failure(err).code, "BAD_EXPORT")
    assert.equal((await sotto(["export", "verify", join(data, "nowhere")])).exit, 2)
  })
})

const failure = (err: string) => {
  const { v, error } = JSON.parse(err) as { v: number; error: { code: string; hint?: string } }
  assert.equal(v, 1)
  return error
}

describe("cli: a profile from nothing, with no node running", () => {
  it("makes an identity, adds a contact, sends, and reads it back, each command by itself", async (t) => {
    const data = temporaryDirectory(t)
    const run = (...args: string[]) => sotto(["--data", data, ...args])
    const before = await run("id")
    assert.equal(before.exit, 3)
    assert.match(before.err, /sotto init/)
    const made = await run("init", "--name", "alice", "--no-passphrase")
    assert.equal(made.exit, 0, made.err)
    assert.deepEqual(made.out.split("\n"), [addressOf("alice"), TICKET, ""])
    const again = await run("init", "--name", "alice", "--no-passphrase")
    assert.equal(again.exit, 2)
    assert.equal((await run("contact", "add", addressOf("bob"), "--name", "bob")).exit, 0)
    const sent = await run("send", "bob", "hello", "there", "--json")
    assert.equal(sent.exit, 0, sent.err)
    assert.equal((JSON.parse(sent.out) as { state: string }).state, "gossiped")
    const read = await run("read", "bob")
    assert.match(read.out, /^\d{4}-\d\d-\d\d \d\d:\d\d {2}me {2}hello there/)
    const status = await run("status")
    assert.equal(status.exit, 6, "no node is left behind")
  })

  it("needs a name and a passphrase or its refusal, and never asks without a terminal", async (t) => {
    const data = temporaryDirectory(t)
    const run = (...args: string[]) => sotto(["--data", data, "--json", ...args])
    for (const args of [["init"], ["init", "--name", "alice"]]) {
      const { exit, err } = await run(...args)
      assert.equal(exit, 2)
      assert.equal(failure(err).code, "NO_INPUT")
    }
  })

  it("takes the passphrase from a file or a descriptor, and opens a locked vault with it", async (t) => {
    const data = temporaryDirectory(t)
    const file = join(data, "passphrase")
    writeFileSync(file, "correct horse\n")
    const run = (...args: string[]) => sotto(["--data", data, ...args])
    const made = await run("init", "--name", "alice", "--passphrase-file", file)
    assert.equal(made.exit, 0, made.err)
    const locked = await run("id", "--json")
    assert.equal(locked.exit, 3)
    assert.equal(failure(locked.err).code, "LOCKED")
    assert.equal((await run("id", "--passphrase-file", file)).out, `${addressOf("alice")}\n`)
    const fd = openSync(file, "r")
    const child = spawn(process.execPath, [DOUBLE, "--data", data, "id", "--passphrase-fd", "3"], {
      stdio: ["ignore", "pipe", "pipe", fd],
    })
    closeSync(fd)
    const [code] = (await once(child, "close")) as [number]
    assert.equal(code, 0)
    writeFileSync(file, "wrong")
    const wrong = await run("id", "--passphrase-file", file)
    assert.equal(wrong.exit, 7)
    assert(!wrong.err.includes("wrong"), "a passphrase is never repeated")
    assert.equal((await run("id", "--passphrase-file", `${file}.none`)).exit, 2)
  })

  it("waits for another process that holds the profile and then goes on", async (t) => {
    const data = temporaryDirectory(t)
    const run = (...args: string[]) => sotto(["--data", data, ...args])
    await run("init", "--name", "alice", "--no-passphrase")
    const all = await Promise.all([run("id"), run("id"), run("id")])
    for (const { exit, out, err } of all)
      assert.equal(exit === 0 ? out : err, `${addressOf("alice")}\n`)
  })
})

describe("cli: every command with a node running", () => {
  it("init, id, ticket, join", async (t) => {
    const { json, run } = await profile(t)
    assert.equal(
      (await json("join", "--name", "home"))["meshId"],
      (await json("join", TICKET))["meshId"],
    )
    assert.equal((await run("join")).exit, 2)
    assert.deepEqual(await json("init", "--name", "alice", "--no-passphrase"), {
      v: 1,
      name: "alice",
      address: addressOf("alice"),
      ticket: TICKET,
      inviter: null,
      added: false,
      membership: null,
    })
    assert.deepEqual(await json("id"), { v: 1, address: addressOf("alice"), name: "alice" })
    assert.deepEqual(await json("ticket"), { v: 1, ticket: TICKET })
    const qr = await run("id", "--qr")
    assert.match(qr.out, /^sotto1[^\n]*\n\u001b\[38;5;231;48;5;16m█/)
  })

  it("mesh invite, members, join, revoke: what an operator and a member see", async (t) => {
    const { json, run } = await profile(t)
    await run("join", "--name", "home")
    const { tickets } = await json("mesh", "invite", "--count", "10")
    assert.equal((tickets as unknown[]).length, 10)
    assert.match((await run("mesh", "invite")).out, /^[0-9a-f]{12} {2}sotto-invite1\S+\n$/)
    assert.equal((await run("mesh", "invite", "--count", "0")).exit, 2)
    const listed = await run("mesh", "members")
    assert.match(listed.out, /^0 {2}[0-9a-f]{12} {2}joined by [0-9a-f]{12} {2}this installation\n$/)
    assert.match(listed.err, /is a member/)
    assert.match((await run("mesh", "join", TICKET)).out, /counts after two periods/)
    assert.equal((await run("mesh", "join")).exit, 7)
    assert.equal((await run("mesh", "revoke", "nobody")).exit, 4)
  })

  it("mesh create: once a profile, with what excludes each other refused", async (t) => {
    const { run } = await profile(t)
    const none = await run("mesh", "create", "home", "--no-validators", "--open")
    assert.equal(none.exit, 2)
    assert.match(none.err, /no members/)
    const made = await run("mesh", "create", "home", "--tickets", "2", "--work-bits", "12")
    assert.equal(made.exit, 0, made.err)
    assert.match(made.out, /^[0-9a-f]{32,64}\n([0-9a-f]{12} {2}sotto-invite1\S+\n){2}$/)
    const again = await run("mesh", "create", "home")
    assert.equal(again.exit, 2)
    assert.match(again.err, /in a mesh already/)
  })

  it("validators add, remove, proposals, approve: how far a change has come, and who is next", async (t) => {
    const { run } = await profile(t)
    await run("join", "--name", "home")
    const added = await run("validators", "add", "sotto-validator1x")
    assert.match(added.out, /add [0-9a-f]{32,64} {2}\(has not proved yet/)
    assert.match(added.out, /approvals: 1 of 1, this peer's among them/)
    assert.match(added.err, /proves then that it holds its keys/)
    assert.match((await run("validators", "remove", "abcdef012345")).out, /remove abcdef012345/)
    assert.match((await run("validators", "proposals")).err, /Nothing is proposed/)
    assert.equal((await run("validators", "approve", "abcdef01")).exit, 4)
    assert.equal((await run("validators", "add", "/nowhere/at/all")).exit, 2)
  })

  it("join and init say who invited, and add them only when that is wanted", async (t) => {
    const { node, run } = await profile(t)
    const joined = await run("join", TICKET)
    assert.match(joined.err, /Invited by bob\[2J: `sotto contact add TICKET`/)
    const made = await run("init", "--name", "alice", "--no-passphrase", "--ticket", TICKET)
    assert.match(made.err, /Invited by bob\[2J: `sotto contact add TICKET`/)
    assert(![joined, made].some(({ err }) => err.includes("\u001b")), "a name is text only")
    assert.deepEqual((await node.call("contacts.list", {})).contacts, [])

    const other = await profile(t)
    const init = ["init", "--name", "carol", "--no-passphrase", "--ticket", TICKET, "--add-inviter"]
    const { added, inviter } = await other.json(...init)
    assert.equal(added, true)
    assert.equal((inviter as { address: string }).address, addressOf("bob"))
    assert.equal((await other.node.call("contacts.list", {})).contacts.length, 1)
  })

  it("contact add and group create take post-quantum signatures, and say where they hold and what they wait for", async (t) => {
    const { run } = await alice(t)
    const added = await run("contact", "add", addressOf("mia"), "--post-quantum-signatures")
    assert.match(added.out, /, post-quantum signatures {2}sotto1/)
    const { out } = await run("contact", "list")
    assert.match(out, /bob +not verified +sotto1/)
    const founded = await run("group", "create", "vault", "bob", "--post-quantum-signatures")
    assert.match(founded.out, /^vault {2}[0-9a-f]{32} {2}post-quantum signatures\n/)
    assert.match(founded.err, /Not so yet: bob is in it\.\n.*No key for post-quantum signatures/)
    const plain = await run("group", "create", "crew", "bob")
    assert.doesNotMatch(plain.out + plain.err, /post-quantum/)
  })

  it("contact add, list, rename, block, accept, remove", async (t) => {
    const { json, run } = await profile(t)
    await json("init", "--name", "alice", "--no-passphrase")
    assert.equal((await json("contact", "add", addressOf("bob"), "--name", "bob"))["name"], "bob")
    assert.equal((await run("contact", "add", "nonsense")).exit, 2)
    const { contacts } = await json("contact", "list")
    assert.equal((contacts as unknown[]).length, 1)
    assert.match((await run("contact", "list")).out, /^bob {2}not verified {2}sotto1/)
    assert.equal((await json("contact", "rename", "bo", "rob"))["name"], "rob")
    assert.equal((await json("contact", "block", "rob"))["state"], "blocked")
    const refused = await run("send", "rob", "hello")
    assert.equal(refused.exit, 7)
    assert.match(refused.err, /contact accept/)
    assert.equal((await json("contact", "accept", "rob"))["state"], "accepted")
    assert.deepEqual(await json("contact", "remove", "rob"), { v: 1, removed: "rob" })
    assert.equal((await run("contact", "remove", "rob")).exit, 4)
    await json("contact", "add", addressOf("ann"), "--name", "ann")
    await json("contact", "add", addressOf("anna"), "--name", "anna")
    assert.equal((await run("contact", "block", "ann")).exit, 2)
  })

  it("send: text from words, -m and standard input", async (t) => {
    const { data, node, run } = await alice(t)
    await run("send", "bob", "from", "words")
    await run("send", "bob", "-m", "from -m")
    await sotto(["--data", data, "send", "bob"], { input: "from standard input\n" })
    await sotto(["--data", data, "send", "bob"], { input: "two\nlines\n" })
    await run("send", "bob", "--", "--dashes")
    const { messages } = await node.call("messages.page", { thread: "bob", limit: 9 })
    assert.deepEqual(
      messages.map(({ text }) => text),
      ["from words", "from -m", "from standard input", "two\nlines", "--dashes"],
    )
    assert.equal((await run("send", "bob", "twice", "-m", "said")).exit, 2)
    assert.equal((await run("send", "bob")).exit, 2)
    assert.equal((await run("send", "nobody", "hello")).exit, 4)
  })

  it("send --file, files, save: a file goes out with its words and comes in under a safe name", async (t) => {
    const { node, run, json } = await alice(t)
    const sent = await json("send", "bob", "--file", "pictures/photo.png", "look", "here")
    const { messages } = await node.call("messages.page", { thread: "bob", limit: 9 })
    assert.deepEqual(
      [messages.length, messages[0]?.text, messages[0]?.id],
      [1, "look here", sent["id"]],
    )
    assert.equal((await run("send", "bob", "--file", "none")).exit, 2)

    const { id } = node.receiveFile("bob", "there.png")
    const listed = await run("files", "bob")
    assert.match(listed.out, new RegExp(`${id.slice(0, 8)}.*bob.*3\\.0 MB.*there\\.png`))
    assert.match((await run("read", "bob")).out, /\[there\.png · 3\.0 MB · [0-9a-f]{8}\]/)

    const there = await run("save", id.slice(0, 8), "/tmp")
    assert.equal(there.exit, 2)
    assert.match(there.err, /--as NAME/)
    assert.equal((await run("save", id, "/tmp", "--overwrite")).out, "/tmp/there.png\n")
    assert.equal((await json("save", id, "/tmp", "--as", "b.png"))["path"], "/tmp/b.png")
    assert.equal((await run("save", "ffff", "/tmp")).exit, 2)
    assert.equal((await run("save", "f".repeat(32), "/tmp")).exit, 4)
  })

  it("send: returns when queued, or when it is as far as one waits for", async (t) => {
    const { json, node } = await alice(t)
    assert.equal((await json("send", "bob", "hello"))["state"], "queued")
    const states = ["gossiped", "ordered", "delivered"]
    for (const [at, state] of states.entries()) {
      const sent = await json("send", "bob", "hello", "--wait", state)
      assert(states.indexOf(String(sent["state"])) >= at, `${state} or further`)
    }
    const id = "0123456789abcdef0123456789abcdef"
    for (let i = 0; i < 2; i++) await json("send", "bob", "once", "--id", id)
    const { messages } = await node.call("messages.page", { thread: "bob", limit: 9 })
    assert.equal(messages.filter((message) => message.id === id).length, 1)
  })

  it("send: exits 6 with the state when the time is up, and says that nothing is lost", async (t) => {
    const { run } = await alice(t, { reach: "queued" })
    const late = await run(
      "send",
      "bob",
      "hi",
      "--wait",
      "delivered",
      "--timeout",
      "50ms",
      "--json",
    )
    assert.equal(late.exit, 6)
    assert.equal((JSON.parse(late.out) as { state: string }).state, "queued")
    assert.equal(failure(late.err).code, "TIMEOUT")
    assert.equal((await run("send", "bob", "hi", "--wait", "never")).exit, 2)
    assert.equal((await run("send", "bob", "hi", "--timeout", "soon")).exit, 2)
  })

  it("read: pages, all threads, and what is marked as read", async (t) => {
    const { json, node, run } = await alice(t)
    await node.call("contacts.add", { code: addressOf("mia"), name: "mia" })
    for (const text of ["one", "two", "three"]) node.receive("bob", text)
    node.receive("mia", "four")
    const texts = (page: Record<string, unknown>) =>
      (page["messages"] as { text: string }[]).map(({ text }) => text)
    const page = await json("read", "bob", "--limit", "2")
    assert.deepEqual(texts(page), ["two", "three"])
    const before = page["before"]
    assert(typeof before === "string")
    assert.deepEqual(texts(await json("read", "bob", "--before", before)), ["one"])
    assert.deepEqual(texts(await json("read", "--limit", "2")), ["three", "four"])
    assert.match(
      (await run("read", "--mark-read")).out,
      /bob {2}one\n.*bob {2}two\n.*bob {2}three\n.*mia {2}four\n/,
    )
    assert.equal(node.calls.filter(({ method }) => method === "threads.read").length, 2)
    assert.equal((await run("read", "--before", "1")).exit, 2)
    assert.equal((await run("read", "bob", "--limit", "0")).exit, 2)
    assert.equal((await run("read", "nobody")).exit, 4)
  })

  it("read: prints everything to a reader slower than it, before it exits", async (t) => {
    const { json, node } = await alice(t)
    for (let i = 0; i < 100; i++) node.receive("bob", "x".repeat(20_000))
    assert.equal(((await json("read", "bob", "--limit", "100"))["messages"] as []).length, 100)
  })

  it("search: what was found, where, and how a query may look", async (t) => {
    const { node, run, json } = await alice(t)
    for (const text of ["the first lantern", "no light", "the last lantern"])
      await node.call("messages.send", { to: "bob", text })
    assert.match((await run("search", "lantern")).out, /a chat\n.*the first lantern.*\n.*the last/)
    assert.match((await run("search", "lantern", "--limit", "1")).err, /There is more/)
    assert.match((await run("search", "nothing", "at", "all")).err, /Nothing found/)
    const { hits } = await json("search", "last", "lantern")
    assert.equal((hits as { message: { text: string } }[])[0]?.message.text, "the last lantern")
    const refused = await run("search", "has:wings")
    assert.deepEqual([refused.exit, /from:NAME/.test(refused.err)], [2, true])
    assert.equal((await run("search")).exit, 2)
  })

  it("threads: with what is unread", async (t) => {
    const { json, node, run } = await alice(t)
    node.receive("bob", "hello")
    const { threads, unread } = await json("threads")
    assert.equal((threads as unknown[]).length, 1)
    assert.equal(unread, 1)
    assert.match((await run("threads")).out, /bob {2}1 unread {2}hello/)
  })

  it("tail: prints what was, then what comes, once each, and ends by count", async (t) => {
    const { data, node } = await alice(t)
    node.receive("bob", "before")
    const child = start(["--data", data, "tail", "bob", "--json", "-n", "1", "--count", "3"])
    const next = lines(child)
    const text = async () =>
      (JSON.parse(await next()) as { message: { text: string } }).message.text
    assert.equal(await text(), "before")
    node.tell({ type: "message", message: node.receive("bob", "after") })
    assert.equal(await text(), "after")
    node.receive("bob", "last")
    assert.equal(await text(), "last")
    assert.equal((await ended(child)).exit, 0)
  })

  it("again: nothing without a request, which threads tells of, and once", async (t) => {
    const { node, run, json } = await alice(t)
    node.receive("bob", "it is me, elsewhere")
    assert.match((await run("again", "bob")).err, /Nobody asks/)
    node.lacks.set(addressOf("bob"), 37)
    const { out, err } = await run("threads")
    assert.match(out, /bob/)
    assert.match(err, /bob went on from a backup and cannot read up to 37 messages of yours/)
    assert.deepEqual(await json("again", "bob"), { v: 1, said: 37 })
    assert.deepEqual(await json("again", "bob"), { v: 1, said: 0 })
    assert.equal((await run("again", "nobody")).exit, 4)
  })

  it("tail: time, signal, a reader that has had enough, and the node's end", async (t) => {
    const { data, node, run } = await alice(t)
    assert.equal((await run("tail", "--timeout", "50ms")).exit, 0)
    assert.equal((await run("tail", "--count", "1", "--timeout", "50ms")).exit, 6)
    assert.equal((await run("tail", "nobody")).exit, 4)
    node.receive("bob", "here")
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const child = start(["--data", data, "tail", "-n", "1"])
      await lines(child)()
      child.kill(signal)
      assert.equal((await ended(child)).exit, code)
    }
    const child = start(["--data", data, "tail", "-n", "1", "--json"])
    await lines(child)()
    child.stdout.destroy()
    node.receive("bob", "nobody reads this")
    const [code] = (await once(child, "exit")) as [number]
    assert.equal(code, 0)
  })

  it("tail: a bot hears of everything with --all", async (t) => {
    const { data, node } = await alice(t)
    node.receive("bob", "here")
    const child = start(["--data", data, "tail", "--json", "--all", "-n", "1"])
    const next = lines(child)
    await next()
    await node.call("messages.send", { to: "bob", text: "hello" })
    const seen = []
    for (let i = 0; i < 3; i++) {
      const { type, state } = JSON.parse(await next()) as { type: string; state: string }
      seen.push([type, state])
    }
    assert.deepEqual(seen, [
      ["delivery", "gossiped"],
      ["delivery", "ordered"],
      ["delivery", "delivered"],
    ])
    child.kill("SIGTERM")
    await once(child, "close")
  })

  it("status, peers, node status, doctor", async (t) => {
    const { json, run } = await alice(t)
    const status = await json("status")
    assert.equal(status["name"], "alice")
    assert.match((await run("status")).out, /identity {2}alice \(open\)/)
    assert.equal(((await json("peers"))["peers"] as unknown[]).length, 1)
    assert.match((await run("peers")).out, /12D3KooWDouble {2}outbound {2}X25519MLKEM768 {2}gossip/)
    assert.deepEqual(await json("node", "status"), {
      v: 1,
      running: true,
      pid: process.pid,
      version: "0.0.0-double",
      peers: 1,
      alone: null,
    })
    const doctor = await run("doctor", "--json")
    assert.equal(doctor.exit, 6, "the double is of another version")
    const { findings } = JSON.parse(doctor.out) as { findings: { check: string; ok: boolean }[] }
    assert.deepEqual(
      findings.filter(({ ok }) => !ok).map(({ check }) => check),
      ["node"],
    )
    assert.equal(findings.find(({ check }) => check === "proofs")?.ok, true)
  })

  it("without a node: status, peers, unlock and node stop are 6, doctor only says so", async (t) => {
    const run = (...args: string[]) => sotto(["--data", temporaryDirectory(t), ...args])
    for (const command of [
      ["status"],
      ["peers"],
      ["unlock"],
      ["node", "status"],
      ["node", "stop"],
    ]) {
      const { exit, err } = await run(...command, "--json")
      assert.equal(exit, 6)
      assert.equal(failure(err).code, "OFFLINE")
    }
    assert.equal((await run("doctor")).exit, 0)
  })

  it("unlock opens the running node's vault", async (t) => {
    const data = join(temporaryDirectory(t), "data")
    const file = `${data}.passphrase`
    const run = (...args: string[]) => sotto(["--data", data, ...args])
    writeFileSync(file, "correct horse")
    await run("init", "--name", "alice", "--passphrase-file", file)
    const socketPath = join(data, "run", "node.sock")
    const node = await startDouble({ dataDir: data, socketPath })
    t.after(() => node.stop())
    assert.equal((await run("id")).exit, 3)
    assert.equal((await run("unlock", "--passphrase-file", file)).exit, 0)
    assert.equal((await run("id")).exit, 0)
  })
})

describe("cli: sotto node", () => {
  const running = async (t: TestContext, ...args: string[]) => {
    const data = join(temporaryDirectory(t), "data")
    const child = start(["--data", data, "node", "--log", "json", ...args])
    t.after(() => child.kill("SIGKILL"))
    const next = lines(child)
    const ready = JSON.parse(await next()) as { ready: true; pid: number; metrics: number }
    return { data, child, ready }
  }

  it("says when it is ready, and drains on SIGTERM", async (t) => {
    const { data, child, ready } = await running(t)
    assert.deepEqual(ready, {
      v: 1,
      ready: true,
      pid: child.pid,
      listen: ["/ip4/127.0.0.1/tcp/4001"],
      identity: "none",
      socket: join(data, "run", "node.sock"),
    })
    assert.equal(statSync(join(data, "run", "node.sock")).mode & 0o777, 0o600)
    const second = await sotto(["--data", data, "node", "--json"])
    assert.equal(second.exit, 5)
    assert.equal(failure(second.err).code, "BUSY")
    child.kill("SIGTERM")
    assert.equal((await ended(child)).exit, 0)
    assert.equal((await sotto(["--data", data, "node", "status"])).exit, 6)
  })

  it("ends by `sotto node stop`, which returns when the process is gone", async (t) => {
    const { data, child } = await running(t)
    const end = ended(child)
    const stop = await sotto(["--data", data, "node", "stop", "--json"])
    assert.equal(stop.exit, 0, stop.err)
    assert.deepEqual(JSON.parse(stop.out), { v: 1, stopped: child.pid })
    assert.equal((await end).exit, 0)
  })

  it("ends with its parent when it was started for one", async (t) => {
    const { child } = await running(t, "--with-parent")
    child.stdin.end()
    assert.equal((await ended(child)).exit, 0)
  })

  it("serves health and metrics on loopback, to loopback's own name only", async (t) => {
    const { ready } = await running(t, "--metrics", "0")
    const at = `http://127.0.0.1:${ready.metrics}`
    const metrics = await (await fetch(`${at}/metrics`)).text()
    assert.match(metrics, /^# TYPE sotto_peers gauge\nsotto_peers 1$/m)
    assert(!metrics.includes("12D3Koo"), "no peer is named")
    assert.deepEqual(await (await fetch(`${at}/health`)).json(), { peers: 1, alone: null })
    assert.equal((await fetch(`${at}/`)).status, 404)
    assert.equal((await fetch(`${at}/health`, { method: "POST" })).status, 405)
    const { request } = await import("node:http")
    const rebound = request(`${at}/metrics`, { headers: { host: "evil.example" } }).end()
    const [response] = (await once(rebound, "response")) as [{ statusCode: number }]
    assert.equal(response.statusCode, 403)
    assert.equal((await sotto(["node", "--metrics", "x"])).exit, 2)
  })
})

describe("cli: what it was told", () => {
  it("is usage, exit 2, with what was perhaps meant", async () => {
    for (const [args, hint] of [
      [["sned"], /did you mean `sotto send`/],
      [["contact"], /contact add, contact list/],
      [["contact", "delete"], /there is no command `contact delete`/],
      [["send", "--wiat", "queued"], /did you mean `--wait`/],
      [["send"], /CONTACT is missing/],
      [["id", "extra"], /too many arguments: extra/],
      [["read", "--limit"], /argument missing/],
      [["--profile", "../x", "status"], /a profile is called by/],
      [["completion", "tcsh"], /bash, zsh or fish/],
    ] as const) {
      const { exit, err, out } = await sotto(args)
      assert.equal(exit, 2, args.join(" "))
      assert.match(err, hint)
      assert.equal(out, "", "talk is on standard error")
    }
  })

  it("opens the chat in lines where there is no screen, and not at all without input", async (t) => {
    const data = temporaryDirectory(t)
    assert.equal((await sotto(["--data", data])).out, "the line of nobody\n")
    const { exit, err } = await sotto(["--no-input"])
    assert.equal(exit, 2)
    assert.match(err, /`sotto help` lists the commands for scripts/)
  })

  it("may put options before the command, and prints version and help", async () => {
    const version = await sotto(["--json", "version"])
    assert.match(version.out, /^\{"v":1,"version":"\d+\.\d+\.\d+"/)
    assert.match((await sotto(["--version"])).out, /^sotto \d/)
    assert.match((await sotto(["help", "send"])).out, /^sotto send CONTACT \[TEXT\.\.\.\]/)
    assert.equal((await sotto(["send", "--help"])).out, (await sotto(["help", "send"])).out)
    assert.equal((await sotto(["contact", "--help"])).exit, 0)
    assert.equal((await sotto(["--help"])).exit, 0)
  })

  it("finds its profile by XDG, SOTTO_PROFILE and --profile alike", async (t) => {
    const directory = temporaryDirectory(t)
    const env = { XDG_DATA_HOME: join(directory, "data"), XDG_RUNTIME_DIR: join(directory, "run") }
    await sotto(["init", "--name", "a", "--no-passphrase", "--profile", "office"], { env })
    assert(statSync(join(directory, "data/sotto/office/double.json")).isFile())
    const found = await sotto(["id"], { env: { ...env, SOTTO_PROFILE: "office" } })
    assert.equal(found.out, `${addressOf("a")}\n`)
    assert.equal((await sotto(["id"], { env })).exit, 3)
  })
})

describe("cli: other people's text", () => {
  const hostile = "a\u001b[31mred\u001b]0;title\u0007\u202eevil\u200b\u009b1m\u{e0041}\rend"

  it("never reaches the terminal as anything but text", async (t) => {
    const { node, run } = await alice(t)
    node.receive("bob", `${hostile}\n2026-01-01 00:00  me  forged`)
    for (const out of [(await run("read")).out, (await run("threads")).out]) {
      assert.match(out, /a\[31mred\]0;titleevil1m/)

      assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u200b]/)
      assert.doesNotMatch(out, /^2026-01-01 00:00 {2}me/m)
    }
  })

  it("is whole in JSON, and harmless on the way", async (t) => {
    const { node, run } = await alice(t)
    node.receive("bob", hostile)
    const { out } = await run("read", "--json")

    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u200b]/)
    const { messages } = JSON.parse(out) as { messages: { text: string }[] }
    assert.equal(messages[0]?.text, hostile)
  })
})

describe("cli: verification and other identities under a known name", () => {
  it("shows the number, marks with it or with --yes, and takes the mark back", async (t) => {
    const { run, json, node } = await alice(t)
    const shown = await run("verify", "bob")
    assert.equal(shown.exit, 0, shown.err)
    assert.equal(shown.out.replace(/\s/g, ""), NUMBER)
    assert.match(shown.err, /--yes/)
    assert.equal(((await json("verify", "bob")) as { number: string }).number, NUMBER)
    const qr = await run("verify", "bob", "--qr")
    assert.match(qr.out, /█/)

    const wrong = await run("--json", "verify", "bob", "--digits", "1".repeat(60))
    assert.equal(wrong.exit, 7)
    assert.equal(failure(wrong.err).code, "NUMBER_DIFFERS")
    assert.equal((await run("verify", "bob", "--digits", "123")).exit, 2)
    assert.equal((await run("verify", "bob", "--yes", "--undo")).exit, 2)
    const grouped = NUMBER.match(/.{5}/g)?.join(" ") ?? ""
    assert.equal((await json("verify", "bob", "--digits", grouped))["verified"], true)
    assert.equal((await json("verify", "bob", "--undo"))["verified"], false)
    assert.equal((await json("verify", "bob", "--yes"))["verified"], true)
    const { contacts } = await node.call("contacts.list", {})
    assert.equal(contacts[0]?.verified, true)
  })

  it("warns, refuses to send and to accept with code 7, and lets in when told so", async (t) => {
    const { run, node } = await alice(t)
    const added = await run("contact", "add", addressOf("bob, again"), "--name", "bob")
    assert.equal(added.exit, 0)
    assert.match(added.err, /warning: .*with another identity/)
    const second = addressOf("bob, again")
    const sent = await run("--json", "send", second, "hello")
    assert.equal(sent.exit, 7)
    assert.equal(failure(sent.err).code, "IDENTITY_CHANGED")
    const accept = await run("contact", "accept", second)
    assert.equal(accept.exit, 7)
    assert.match(accept.err, /sotto verify/)
    assert.match((await run("contact", "list")).out, /OTHER IDENTITY/)
    assert.equal((await run("contact", "accept", second, "--anyway")).exit, 0)
    const { contacts } = await node.call("contacts.list", {})
    assert(contacts.every(({ claims }) => claims === null))
  })
})

describe("cli: the keys behind an address", () => {
  it("tells how old they are, and replaces them", async (t) => {
    const { run, json } = await alice(t)
    const shown = await run("identity")
    assert.equal(shown.exit, 0, shown.err)
    assert.match(shown.out, /made 2026-11-01, replaced 2026-12-01/)
    assert.match(shown.out, /earlier keys until 2027-01-30/)
    const rotated = await json("identity", "rotate")
    assert.equal(rotated["sequence"], 3)
    assert.deepEqual((await json("identity", "rotate", "--forget-old"))["oldUntilMs"], [])
  })
})
