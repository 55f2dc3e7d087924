/** Moving house with real processes and commands: an old backup, a long talk after it, another machine, and the old one gone. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { nodeOf } from "../../scripts/testnet/cluster.ts"
import { connectApi } from "../../src/node/api/client.ts"
import type { Api, Message } from "../../src/node/api/types.ts"
import { lines, REAL, sotto, start } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { befriend, history, mesh, received, theirTexts, until } from "./mesh.ts"

const hasText =
  (wanted: string) =>
  (seen: readonly Message[]): boolean =>
    seen.some(({ text }) => text === wanted)

const groupsOf = async (api: Api): Promise<string[]> =>
  (await api.call("threads.list", {})).threads.flatMap(({ kind, title, left }) =>
    kind === "group" && !left ? [title] : [],
  )

describe("e2e: moving house", () => {
  it("from an old backup, with the other side far ahead: both directions go on, nothing is said twice", async (t) => {
    const { cluster, gone } = await mesh([null, "bob", "alice"])
    t.after(gone)
    const [bobNode, aliceNode] = [nodeOf(cluster, 1), nodeOf(cluster, 2)]
    await befriend(aliceNode, bobNode)
    const [bob, alice] = [await bobNode.api(), await aliceNode.api()]
    const { address } = await alice.call("id", {})
    // A group in which nobody but her may change anything.
    await alice.call("groups.create", { name: "crew", members: ["bob"] })
    await until(
      bob,
      () => groupsOf(bob),
      (groups) => groups.includes("crew"),
    )
    await until(
      alice,
      async () => (await alice.call("groups.show", { group: "crew" })).group,
      ({ members, pending }) => pending.length === 0 && members.every(({ here }) => here),
    )
    const directory = temporaryDirectory(t)
    const [file, secret] = [join(directory, "alice.backup"), join(directory, "secret")]
    writeFileSync(secret, "a passphrase for the road\n")
    const run = (...args: string[]) => sotto(args, { script: REAL })

    const written = await run(
      ...aliceNode.arguments,
      ...["backup", file, "--backup-passphrase-file", secret, "--json"],
    )
    assert.equal(written.exit, 0, written.err)
    const { height } = JSON.parse(written.out) as { height: number }
    assert(height > 0, "the mesh has put something in order")

    for (let i = 0; i < 15; i++) {
      await alice.call("messages.send", { to: "bob", text: `alice ${i}` })
      await bob.call("messages.send", { to: "alice", text: `bob ${i}` })
    }
    await received(bob, "alice", ["alice 14"])
    await received(alice, "bob", ["bob 14"])
    // New keys, which the backup does not have: what is said under them only its author can say to her once more.
    await alice.call("identity.rotate", {})
    const under = Array.from({ length: 2 }, (_, i) => `under keys that are gone ${i}`)
    for (const text of under) {
      await alice.call("messages.send", { to: "bob", text: `${text}?` })
      // By the time it has its place at both, so has what was done before it.
      for (const [api, thread] of [
        [bob, "alice"],
        [alice, "bob"],
      ] as const)
        await until(
          api,
          () => history(api, thread),
          (seen) => seen.some((message) => message.text === `${text}?` && message.place !== null),
        )
      await received(alice, "bob", [text], () => bob.call("messages.send", { to: "alice", text }))
    }
    await until(
      bob,
      () => history(bob, "alice"),
      (seen) => seen.every(({ mine, state }) => !mine || state === "delivered"),
    )
    await bob.call("messages.send", { to: "crew", text: "all of us" })
    await until(alice, () => history(alice, "crew"), hasText("all of us"))
    await alice.call("groups.rename", { group: "crew", name: "team" })
    await until(
      bob,
      () => groupsOf(bob),
      (groups) => groups.includes("team"),
    )
    await aliceNode.kill9()

    const elsewhere = join(directory, "elsewhere")
    const wrong = await sotto(["--data", elsewhere, "restore", file, "--passphrase-fd", "0"], {
      script: REAL,
      input: "not the passphrase\n",
    })
    assert.equal(wrong.exit, 7)
    const whole = readFileSync(file)
    const altered = Uint8Array.from(whole)
    altered[whole.length >> 1]! ^= 1
    for (const bad of [altered, whole.subarray(0, whole.length - 1)]) {
      writeFileSync(join(directory, "bad.backup"), bad)
      const refused = await run(
        ...["--data", elsewhere, "restore", join(directory, "bad.backup")],
        ...["--passphrase-file", secret],
      )
      assert.notEqual(refused.exit, 0)
      assert.match(refused.err, /backup/)
    }
    rmSync(join(directory, "bad.backup"))
    assert.deepEqual(readdirSync(directory).sort(), ["alice.backup", "secret"])
    const restored = await run(
      ...["--data", elsewhere, "restore", file, "--passphrase-file", secret, "--json"],
    )
    assert.equal(restored.exit, 0, restored.err)
    const { v, ...facts } = JSON.parse(restored.out) as Record<string, unknown>
    assert.deepEqual(facts, { address, name: "alice", height, standing: "certified" })
    assert.equal(v, 1)

    // What was, without a network: no node runs for it.
    const before = await run(
      ...["--data", elsewhere, "read", "bob", "--passphrase-file", secret, "--json"],
    )
    assert.match(before.out, /hello to you/)
    assert(!before.out.includes("bob 0"))

    const child = start(
      [
        ...["--data", elsewhere, "node", "--testnet", "--listen", "/ip4/127.0.0.1/tcp/0"],
        ...["--passphrase-file", secret, "--json"],
      ],
      { script: REAL },
    )
    t.after(() => child.kill("SIGKILL"))
    const ready = JSON.parse(await lines(child)()) as { socket: string }
    const moved = await connectApi(ready.socket)
    t.after(() => moved.close())
    // What had reached her old self comes when bob says so, and not before.
    const asking = await until(
      bob,
      async () => {
        const { threads } = await bob.call("threads.list", {})
        return threads.find(({ title }) => title === "alice") ?? assert.fail()
      },
      (thread) => thread.lacks > 0,
      { timeoutMs: 60_000 },
    )
    assert(asking.lacks > 0)
    await received(moved, "bob", ["is that you?"], () =>
      bob.call("messages.send", { to: "alice", text: "is that you?" }),
    )
    const seen = await history(moved, "bob")
    assert(seen.every((message) => !message.again))
    assert(under.some((text) => !hasText(text)(seen)))
    const word = await run(...bobNode.arguments, "again", "alice")
    assert.equal(word.exit, 0, word.err)
    assert.match(word.err, /said again/)
    const all = Array.from({ length: 15 }, (_, i) => `bob ${i}`)
    await received(moved, "bob", [...all, ...under], undefined, 60_000)
    const again = (await history(moved, "bob")).filter((message) => message.again)
    const placesAt = (messages: readonly Message[]) =>
      again.map(({ id }) => messages.find((message) => message.id === id)?.place)
    assert(again.some(({ text }) => under.includes(text)))
    assert.deepEqual(placesAt(again), placesAt(await history(bob, "alice")))
    await received(bob, "alice", ["it is me, elsewhere"], () =>
      moved.call("messages.send", { to: "bob", text: "it is me, elsewhere" }),
    )
    await received(moved, "bob", ["so I see"], () =>
      bob.call("messages.send", { to: "alice", text: "so I see" }),
    )
    const heard = await theirTexts(moved, "bob")
    assert.equal(new Set(heard).size, heard.length, "no text twice")
    const toBob = await theirTexts(bob, "alice")
    assert.equal(new Set(toBob).size, toBob.length, "no text twice")
    assert(toBob.includes("alice 14"))
    // Into the group she is let by bob's program alone, and runs it as before.
    const { group } = await until(
      moved,
      async () => {
        const { threads } = await moved.call("threads.list", {})
        const thread = threads.find(({ kind }) => kind === "group") ?? assert.fail()
        return await moved.call("groups.show", { group: thread.id })
      },
      ({ group: { name, pending } }) => name === "team" && pending.length === 0,
      { timeoutMs: 60_000 },
    )
    assert(group.admin)
    await moved.call("messages.send", { to: "team", text: "back among you" })
    await until(bob, () => history(bob, "team"), hasText("back among you"))
    await bob.call("messages.send", { to: "team", text: "as if never gone" })
    await until(moved, () => history(moved, "team"), hasText("as if never gone"))
    await moved.call("groups.rename", { group: "team", name: "home crew" })
    await until(
      bob,
      () => groupsOf(bob),
      (groups) => groups.includes("home crew"),
    )
    // Receipts find their way as well: what is said now is known to be read there.
    await until(
      moved,
      () => history(moved, "bob"),
      (seen) =>
        seen.some(({ text, state }) => text.startsWith("it is me") && state === "delivered"),
    )
    await until(
      moved,
      () => moved.call("status", {}),
      ({ restored: view }) => view?.standing === "agreed",
    )
    child.kill("SIGTERM")
    await once(child, "exit")
  })
})
