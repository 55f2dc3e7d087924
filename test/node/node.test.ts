/** The composed node through its API: real store on a disk, real libp2p over loopback, several lives of one profile. */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { setTimeout as after } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { decodeTicket, encodeTicket } from "../../src/crypto/ticket.ts"
import { PASSPHRASE } from "../helpers/node-process.ts"
import { acquaint, newNode, TestNode } from "../helpers/nodes.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { until } from "../helpers/wait.ts"

const rejectsWith = (code: string, what: Promise<unknown>) => assert.rejects(what, { code })

const NOBODY = "/ip4/192.0.2.1/tcp/4001"

describe("a profile begins", () => {
  it("with nothing; each call says what it misses", async (t) => {
    const node = await newNode(t)
    const status = await node.call("status", {})
    assert.deepEqual([status.mesh, status.identity, status.address], [null, "none", null])
    await rejectsWith("NO_MESH", node.call("mesh.ticket", {}))
    await rejectsWith("NO_IDENTITY", node.call("id", {}))
    await rejectsWith("NO_IDENTITY", node.call("threads.list", {}))
    await rejectsWith("NO_IDENTITY", node.call("unlock", { passphrase: "anything" }))
  })

  it("and what is refused leaves nothing half made", async (t) => {
    const node = await newNode(t)
    const [founder, gone] = [await newNode(t), await newNode(t)]
    await founder.call("mesh.join", {})
    await gone.call("mesh.join", {})
    const unreachable = await gone.ticket()
    await gone.stop()

    await rejectsWith("BAD_TICKET", node.create("Alice", null, "sotto-invite1qqqqqq"))
    const ticket = await founder.ticket()
    await rejectsWith("BAD_TICKET", node.create("Alice", null, ticket.slice(0, -1)))
    await rejectsWith("UNREACHABLE", node.create("Alice", null, unreachable))
    await rejectsWith("WEAK_PASSPHRASE", node.create("Alice", "short"))
    await rejectsWith("BAD_PARAMS", node.create("  ", null))
    await rejectsWith("BAD_PARAMS", node.create("x".repeat(65), null))
    const status = await node.call("status", {})
    assert.deepEqual([status.mesh, status.identity], [null, "none"])
    assert(!existsSync(join(node.dataDir, "vault")), "no key file")

    // and none of it keeps the profile from the mesh that was meant
    await node.create("Alice", null, ticket)
    const made = await node.call("status", {})
    assert.deepEqual([made.identity, made.name, made.unprotected], ["open", "Alice", true])
    assert.equal(made.mesh?.meshId, (await founder.call("status", {})).mesh?.meshId)
    await rejectsWith("OTHER_MESH", node.call("mesh.join", { ticket: unreachable }))
    await rejectsWith("ALREADY_EXISTS", node.create("Bob", null))
    assert.equal((await node.call("id", {})).name, "Alice")
  })

  it("and whoever invited is told, not added; the ticket in capitals, as a QR code has it, does as well", async (t) => {
    const [alice, bob] = [await newNode(t), await newNode(t)]
    const { address } = await alice.create("Alice", null)
    const ticket = (await alice.ticket()).toUpperCase()
    assert.deepEqual((await bob.create("Bob", null, ticket)).inviter, { address, name: "Alice" })
    assert.deepEqual((await bob.call("contacts.list", {})).contacts, [])
    const { contact } = await bob.call("contacts.add", { code: ticket })
    assert.deepEqual([contact.address, contact.name], [address, "Alice"])
  })

  it("and a call that nobody waits for any more is let go", async (t) => {
    const [node, gone] = [await newNode(t), await newNode(t)]
    await gone.call("mesh.join", {})
    // An address that never answers: reserved for documentation (RFC 5737).
    const ticket = encodeTicket({ ...decodeTicket(await gone.ticket()), peers: [NOBODY] })
    const abort = new AbortController()
    const joining = node.api.call("mesh.join", { ticket }, { signal: abort.signal })
    abort.abort(new Error("enough"))
    await assert.rejects(joining, /enough/)
  })

  it("with a name as long as a name may be, which the mesh founded for it does not tell", async (t) => {
    const node = await newNode(t)
    const name = "Ä".repeat(32)
    await node.create(name, null)
    const { mesh } = await node.call("status", {})
    assert.equal(mesh?.name.includes("Ä"), false)
  })
})

describe("a profile with a passphrase", () => {
  it("is locked at the start, opens to its passphrase alone, and stays open", async (t) => {
    const node = await newNode(t)
    const { address } = await node.create("Alice", PASSPHRASE)
    await node.stop()
    await node.start()
    const status = await node.call("status", {})
    assert.deepEqual(
      [status.identity, status.address, status.name, status.unprotected],
      ["locked", null, null, false],
    )
    await rejectsWith("LOCKED", node.call("id", {}))
    await rejectsWith("LOCKED", node.call("threads.list", {}))
    await rejectsWith("WRONG_PASSPHRASE", node.call("unlock", { passphrase: "incorrect horse" }))
    await rejectsWith("WRONG_PASSPHRASE", node.call("unlock", { passphrase: "" }))
    assert.equal((await node.call("status", {})).identity, "locked")
    assert.deepEqual(await node.call("unlock", { passphrase: PASSPHRASE }), { address })
    assert.deepEqual(await node.call("unlock", { passphrase: "whatever" }), { address })
    await node.stop()
    await rejectsWith(
      "WRONG_PASSPHRASE",
      new TestNode(t, { dataDir: node.dataDir }).start({ passphrase: new Uint8Array(9).fill(65) }),
    )
    await node.start({ passphrase: new TextEncoder().encode(PASSPHRASE) })
    assert.equal((await node.call("id", {})).address, address)
  })
})

describe("two people", () => {
  it("chat; a restart keeps everything; a locked node between them carries what it cannot read", async (t) => {
    const carrier = await newNode(t)
    await carrier.create("Carl", PASSPHRASE)
    await carrier.stop()
    await carrier.start()
    const ticket = await carrier.ticket()
    const [alice, bob] = [await newNode(t), await newNode(t)]
    await alice.create("Alice", null, ticket)
    await bob.create("Bob", PASSPHRASE, ticket)
    await acquaint(alice, bob, { one: "alice", other: "bob" })
    await alice.call("messages.send", { to: "bob", text: "hello Bob" })
    await bob.untilText("alice", "hello Bob")
    await bob.call("messages.send", { to: "alice", text: "hello Alice" })
    await alice.untilText("bob", "hello Alice")
    for (const [node, thread] of [
      [alice, "bob"],
      [bob, "alice"],
    ] as const)
      await until("delivery, and a place in the order", async () =>
        (await node.messages(thread)).every(
          ({ state, place }) => state === "delivered" && place !== null,
        ),
      )
    const before = {
      messages: await bob.messages("alice"),
      contacts: await bob.call("contacts.list", {}),
      threads: await bob.call("threads.list", {}),
      id: await bob.call("id", {}),
    }
    assert.equal(before.threads.threads[0]?.unread, 1)

    // Bob is gone; what Alice writes lies with the carrier; Alice is gone as well; Bob comes back.
    await bob.stop()
    const { message } = await alice.call("messages.send", { to: "bob", text: "while you were out" })
    await until("the carrier to have it", async () => {
      const mine = (await alice.messages("bob")).find(({ id }) => id === message.id)
      // the founder orders what it gets, so the next state may be there already
      return mine?.state === "gossiped" || mine?.state === "ordered"
    })
    const kept = async () => (await carrier.call("status", {})).envelopes
    const all = (await alice.call("status", {})).envelopes
    await until("the carrier to hold as much as Alice", async () => (await kept()) >= all)
    await alice.stop()
    assert.equal((await carrier.call("status", {})).identity, "locked")
    await bob.start({ passphrase: new TextEncoder().encode(PASSPHRASE) })
    await bob.untilText("alice", "while you were out")
    const [first, second, third] = await bob.messages("alice")
    assert.deepEqual([first, second], before.messages)
    assert.equal(third?.text, "while you were out")
    assert.deepEqual(await bob.call("contacts.list", {}), before.contacts)
    assert.deepEqual(await bob.call("id", {}), before.id)
    assert.equal((await bob.call("threads.list", {})).threads[0]?.unread, 2)
    await rejectsWith("LOCKED", carrier.call("threads.list", {}))
  })

  it("who removed one another and start over read each other again, and nothing old is sent", async (t) => {
    const alice = await newNode(t)
    await alice.create("Alice", null)
    const bob = await newNode(t)
    await bob.create("Bob", null, await alice.ticket())
    await acquaint(alice, bob, { one: "alice", other: "bob" })
    await bob.call("messages.send", { to: "alice", text: "before" })
    await alice.untilText("bob", "before")
    await alice.call("contacts.remove", { contact: "bob" })
    assert.deepEqual((await alice.call("threads.list", {})).threads, [])
    const { address } = await bob.call("id", {})
    await alice.call("contacts.add", { code: address, name: "bob" })
    await alice.call("messages.send", { to: "bob", text: "let us start over" })
    await bob.untilText("alice", "let us start over")
    await bob.call("messages.send", { to: "alice", text: "gladly" })
    await alice.untilText("bob", "gladly")
    assert.deepEqual(await alice.texts("bob"), ["let us start over", "gladly"])
  })
})

describe("an ephemeral node", () => {
  it("writes nothing into its data directory, and is gone when it stops", async (t) => {
    const base = temporaryDirectory(t)
    const dataDir = join(base, "profile")
    const socketPath = join(temporaryDirectory(t), "node.sock")
    const node = await newNode(t, { dataDir, socketPath, ephemeral: true })
    const { address } = await node.create("Alice", null)
    await node.call("contacts.list", {})
    await node.stop()
    assert.deepEqual(readdirSync(base), [])
    await node.start()
    assert.equal((await node.call("status", {})).identity, "none")
    await node.create("Alice", null)
    assert.notEqual((await node.call("id", {})).address, address)
  })

  it("keeps so many texts, the newest, and still sends those it no longer shows", async (t) => {
    const [alice, bob] = [await newNode(t, { ephemeral: true, messagesMax: 5 }), await newNode(t)]
    await bob.create("Bob", null)
    await alice.create("Alice", null, await bob.ticket())
    await acquaint(alice, bob, { one: "alice", other: "bob" })
    const texts = Array.from({ length: 12 }, (_, i) => `text ${i}`)
    for (const text of texts) await alice.call("messages.send", { to: "bob", text })
    await bob.untilText("alice", "text 11")
    assert.deepEqual(await alice.texts("bob"), texts.slice(-5))
    assert.deepEqual((await bob.texts("alice")).sort(), texts.sort())
  })
})

const SCRIPT = fileURLToPath(new URL("../helpers/node-process.js", import.meta.url))
const life = (dataDir: string) =>
  spawn(process.execPath, [SCRIPT, dataDir], { stdio: ["ignore", "pipe", "inherit"] })

/** A small generator with a seed: the moments of death are the same in every run. */
function* moments(seed: number, maxMs: number): Generator<number, never> {
  let state = seed
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state % maxMs
  }
}

describe("the process", () => {
  it("ends by itself when the node has stopped: no socket, timer or thread is left", async (t) => {
    const child = life(join(temporaryDirectory(t), "profile"))
    const deadline = AbortSignal.timeout(60_000)
    const [code] = (await once(child, "exit", { signal: deadline })) as [number]
    assert.equal(code, 0)
  })

  it("killed anywhere while it makes an identity leaves a profile that starts again", async (t) => {
    const dataDir = join(temporaryDirectory(t), "profile")
    const moment = moments(20_261_120, 1_500)
    for (let i = 0; i < 6; i++) {
      const child = life(dataDir)
      const ended = once(child, "exit")
      await Promise.race([once(child.stdout, "data"), ended])
      await after(moment.next().value)
      child.kill("SIGKILL")
      await ended
      const node = await new TestNode(t, { dataDir }).start()
      const { identity } = await node.call("status", {})
      if (identity === "locked") await node.call("unlock", { passphrase: PASSPHRASE })
      else assert.equal(identity, "none")
      await node.stop()
    }
    const last = life(dataDir)
    const [code] = (await once(last, "exit")) as [number]
    assert.equal(code, 0, "the last one is left alone, and finds or makes the identity")
  })

  it("that finds the profile in use says so and leaves it alone", async (t) => {
    const node = await newNode(t)
    await node.create("Alice", null)
    await rejectsWith("BUSY", new TestNode(t, { dataDir: node.dataDir }).start())
    assert.equal((await node.call("id", {})).name, "Alice")
  })
})
