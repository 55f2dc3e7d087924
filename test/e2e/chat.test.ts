import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { nodeOf } from "../../scripts/testnet/cluster.ts"
import { onTerminal } from "../helpers/pty.ts"
import { REAL } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { mesh, received, until } from "./mesh.ts"

describe("e2e: the chat in a real terminal", () => {
  it("goes from nothing to one message sent and one received, and one that disappears, against a mesh of real peers", async (t) => {
    const { cluster, gone } = await mesh(["bob", null, null])
    t.after(gone)
    const bob = await nodeOf(cluster, 0).api()
    const { address } = await bob.call("id", {})
    const data = join(temporaryDirectory(t), "alice")
    const size = { columns: 110, rows: 40 }
    const terminal = onTerminal(process.execPath, [REAL, "--data", data], {}, size)
    t.after(() => terminal.kill("SIGKILL"))

    await terminal.shows(/step 1 of 3/)
    terminal.type("\u0015alice\r")
    await terminal.shows(/Passphrase/)
    terminal.type("\r")
    await terminal.shows(/no passphrase/)
    terminal.type("s")
    await terminal.shows(/Paste an invite ticket/)
    terminal.type(`\u001b[200~${cluster.ticket}\u001b[201~\r`)
    await terminal.shows(/Your identity is ready/, 40_000)
    // The one whose ticket it was is offered first; this ticket names nobody, and bob is known by his address.
    terminal.type(`\u0015\u001b[200~${address}\u001b[201~\r`)
    await terminal.shows(/F1/)

    const requests = async () =>
      (await bob.call("contacts.list", {})).contacts.filter(({ state }) => state === "request")
    const [alice] = await until(bob, requests, (found) => found.length > 0, {
      act: async () => {
        terminal.type("hello bob, from a terminal\r")
        await terminal.shows(/hello bob, from a terminal/)
      },
    })
    assert(alice !== undefined)
    await bob.call("contacts.accept", { contact: alice.address })
    await bob.call("contacts.rename", { contact: alice.address, name: "alice" })
    await received(bob, "alice", ["hello bob, from a terminal"])
    await bob.call("messages.send", { to: "alice", text: "I can read you" })
    await terminal.shows(/I can read you/, 30_000)
    await terminal.shows(/✓✓/, 30_000)

    await wordsThatGo()

    terminal.type("\u0003\u0003")
    assert.equal((await terminal.ended).exitCode, 0)
    assert(!existsSync(join(data, "run", "node.sock")), "the node it ran has ended with it")
    const again = onTerminal(process.execPath, [REAL, "--data", data], {}, size)
    t.after(() => again.kill("SIGKILL"))
    await again.shows(/I can read you/, 30_000)
    assert.doesNotMatch(
      again.screen(),
      /this one burns/,
      "nor does it come back with the next start",
    )
    again.type("\u0003\u0003")
    assert.equal((await again.ended).exitCode, 0)

    /** She sets it, he is told and writes; what he wrote goes from both some seconds later. */
    async function wordsThatGo(): Promise<void> {
      terminal.type("/disappear 4s\r")
      await terminal.shows(/from now on messages disappear/)
      const thread = async () => (await bob.call("threads.list", {})).threads[0]
      await until(bob, thread, (it) => it?.lifetime?.amount === 4)
      await bob.call("messages.send", { to: "alice", text: "this one burns" })
      await terminal.shows(/this one burns/)
      await terminal.shows(/disappears after/)
      await terminal.hides(/this one burns/)
      const found = async () =>
        (await bob.call("messages.search", { query: "burns", limit: 9 })).hits.length
      await until(bob, found, (hits) => hits === 0)
    }
  })
})
