/** Backups of composed nodes: real store and files, real libp2p over loopback. */
import assert from "node:assert/strict"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { BACKUP_HEADER_BYTES, SEALED_CHUNK_BYTES } from "../../../src/crypto/backup.ts"
import { CryptoError } from "../../../src/crypto/errors.ts"
import { provenBlock } from "../../../src/node/ledger/proof.ts"
import { openBackupFile, restoreProfile } from "../../../src/node/backup/restore.ts"
import { acquaint, newNode, TestNode } from "../../helpers/nodes.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"
import { until } from "../../helpers/wait.ts"

const PASSPHRASE = "correct horse battery"
const OF_BACKUP = "another horse altogether"

const restore = (path: string, dataDir: string, passphrase = OF_BACKUP) =>
  restoreProfile({ path, dataDir, passphrase, progress: () => undefined })

async function backedUp(t: TestContext, node: TestNode) {
  const path = join(temporaryDirectory(t), "alice.backup")
  return { path, ...(await node.call("backup.write", { path, passphrase: OF_BACKUP })) }
}

describe("a backup", () => {
  it("brings a person to another peer: both sides go on, and nothing is missing up to its height", async (t) => {
    const [alice, bob] = [await newNode(t), await newNode(t)]
    await bob.create("bob", null)
    await alice.create("alice", PASSPHRASE, await bob.ticket())
    await acquaint(alice, bob, { one: "alice", other: "bob" })
    await alice.call("messages.send", { to: "bob", text: "before" })
    await bob.untilText("alice", "before")
    await until("some of it to be in order", async () => {
      const { ledger } = await alice.call("status", {})
      return (ledger?.height ?? 0) > 0 && ledger?.behind === 0 && ledger.waiting === 0
    })
    const made = await backedUp(t, alice)
    assert.equal(statSync(made.path).mode & 0o777, 0o600)
    assert.deepEqual([made.damaged, made.validator, (made.height ?? 0) > 0], [0, false, true])
    await bob.call("messages.send", { to: "alice", text: "you are packing" })
    await alice.untilText("bob", "you are packing")
    await alice.call("messages.send", { to: "bob", text: "almost done" })
    await bob.untilText("alice", "almost done")
    const { address } = await alice.call("id", {})
    await alice.stop()

    const dataDir = join(temporaryDirectory(t), "elsewhere")
    const { restored, ...person } = await restore(made.path, dataDir)
    assert.deepEqual(person, { address, name: "alice" })
    assert.deepEqual([restored.height, restored.standing], [made.height, "certified"])
    assert.deepEqual(readdirSync(dataDir).sort(), ["store", "vault"])
    const moved = await newNode(t, { dataDir })
    assert.equal((await moved.call("status", {})).identity, "locked")
    await moved.call("unlock", { passphrase: OF_BACKUP })
    await bob.call("messages.send", { to: "alice", text: "welcome" })
    await moved.untilText("bob", "welcome")
    await moved.call("messages.send", { to: "bob", text: "glad to be here" })
    await bob.untilText("alice", "glad to be here")
    await moved.untilText("bob", "you are packing")
    const texts = await moved.texts("bob")
    assert.deepEqual([...texts].sort(), ["before", "glad to be here", "welcome", "you are packing"])
    await until("the chain to agree", async () => {
      const { restored: now } = await moved.call("status", {})
      return now?.standing === "agreed"
    })
    // and it is a profile like any other: it can be backed up again, and its passphrase is its own
    assert.equal((await backedUp(t, moved)).damaged, 0)
  })

  it("brings a person into a running profile that holds nobody, and into no other", async (t) => {
    const [alice, bob] = [await newNode(t), await newNode(t)]
    await bob.create("bob", null)
    await alice.create("alice", PASSPHRASE, await bob.ticket())
    await acquaint(alice, bob, { one: "alice", other: "bob" })
    await alice.call("messages.send", { to: "bob", text: "before" })
    await bob.untilText("alice", "before")
    await until("some of it to be in order", async () => {
      const { ledger } = await alice.call("status", {})
      return (ledger?.height ?? 0) > 0 && ledger?.behind === 0 && ledger.waiting === 0
    })
    const { path, height } = await backedUp(t, alice)
    const opened = await openBackupFile({ path, passphrase: OF_BACKUP })
    assert.deepEqual([opened.proof?.height, opened.proof?.certified], [height, true])
    const { block } = opened.about
    for (let at = 0; at < block.length; at += Math.ceil(block.length / 60)) {
      const altered = block.map((byte, i) => (i === at ? byte ^ 1 : byte))
      assert.throws(() => provenBlock(opened.mesh, altered), CryptoError, `byte ${at}`)
    }
    await opened.close()
    const { address } = await alice.call("id", {})
    await alice.stop()

    const moved = await newNode(t)
    const heard: string[] = []
    moved.api.events((event) => event.type === "progress" && heard.push(event.what))
    const wrong = moved.call("profile.restore", { path, passphrase: PASSPHRASE })
    await assert.rejects(wrong, { code: "WRONG_PASSPHRASE" })
    assert.equal((await moved.call("status", {})).identity, "none")
    const restored = await moved.call("profile.restore", { path, passphrase: OF_BACKUP })
    assert.deepEqual(restored, { address, name: "alice", height, standing: "certified" })
    assert(heard.includes("checking the backup") && heard.includes("writing the backup"))
    assert.deepEqual(await moved.texts("bob"), ["before"])
    await moved.call("messages.send", { to: "bob", text: "here I am" })
    await bob.untilText("alice", "here I am")
    await moved.stop()
    await moved.start()
    assert.equal((await moved.call("status", {})).identity, "locked")
    await moved.call("unlock", { passphrase: OF_BACKUP })
    const again = moved.call("profile.restore", { path, passphrase: OF_BACKUP })
    await assert.rejects(again, { code: "ALREADY_EXISTS" })
    const elsewhere = await newNode(t)
    await elsewhere.call("mesh.join", { name: "another mesh" })
    const other = elsewhere.call("profile.restore", { path, passphrase: OF_BACKUP })
    await assert.rejects(other, { code: "ALREADY_EXISTS" })
    assert.equal((await elsewhere.call("status", {})).identity, "none")
  })

  it("that is altered, cut off, of another passphrase or no backup at all changes nothing anywhere", async (t) => {
    const alice = await newNode(t)
    await alice.create("alice", null)
    const { address } = await (await newNode(t)).create("bob", null)
    await alice.call("contacts.add", { code: address, name: "bob" })
    for (let i = 0; i < 6; i++)
      await alice.call("messages.send", { to: "bob", text: `${i}`.repeat(15_000) })
    const { path } = await backedUp(t, alice)
    const dataDir = join(temporaryDirectory(t), "elsewhere")
    const file = readFileSync(path)
    assert(file.length > BACKUP_HEADER_BYTES + SEALED_CHUNK_BYTES, "of several chunks")
    const variant = (change: (bytes: Buffer) => Buffer) => {
      const name = join(temporaryDirectory(t), "variant")
      writeFileSync(name, change(Buffer.from(file)))
      return name
    }
    const flipped = (at: number) => (bytes: Buffer) => {
      bytes[at] = (bytes[at] ?? 0) ^ 1
      return bytes
    }
    const cases: readonly (readonly [code: string, path: string, passphrase?: string])[] = [
      ["WRONG_PASSPHRASE", path, "not the passphrase"],
      ["BAD_BACKUP", variant(flipped(file.length - 1))],
      ["BAD_BACKUP", variant(flipped(BACKUP_HEADER_BYTES + 5))],
      ["BAD_BACKUP", variant((bytes) => bytes.subarray(0, bytes.length - 1))],
      ["BAD_BACKUP", variant((b) => b.subarray(0, BACKUP_HEADER_BYTES + SEALED_CHUNK_BYTES))],
      ["BAD_BACKUP", variant((bytes) => bytes.subarray(0, 40))],
      ["BAD_BACKUP", variant(() => Buffer.from("something else entirely"))],
      ["BAD_BACKUP", variant(() => Buffer.alloc(0))],
      ["STORE_NEWER", variant((bytes) => Buffer.from(bytes.fill("2", 13, 14)))],
      ["BAD_FILE", join(path, "nothing")],
    ]
    for (const [code, name, passphrase] of cases)
      await assert.rejects(restore(name, dataDir, passphrase), { code }, name)
    assert.deepEqual(readdirSync(dirname(dataDir)), [])
    assert.deepEqual(readFileSync(path), file)
  })

  it("is not put over a profile, nor written over a file, unless that is wanted", async (t) => {
    const alice = await newNode(t)
    await alice.create("alice", PASSPHRASE)
    const { path } = await backedUp(t, alice)
    const again = { path, passphrase: OF_BACKUP }
    await assert.rejects(alice.call("backup.write", again), { code: "ALREADY_EXISTS" })
    await alice.call("backup.write", { ...again, replace: true })
    const weak = { path: `${path}2`, passphrase: "short" }
    await assert.rejects(alice.call("backup.write", weak), { code: "WEAK_PASSPHRASE" })
    const nowhere = { path: join(path, "x"), passphrase: OF_BACKUP }
    await assert.rejects(alice.call("backup.write", nowhere), { code: "BAD_FILE" })
    assert.deepEqual(readdirSync(dirname(path)), ["alice.backup"])
    await alice.stop()
    const vault = readFileSync(join(alice.dataDir, "vault"))
    await assert.rejects(restore(path, alice.dataDir), { code: "ALREADY_EXISTS" })
    assert.deepEqual(readFileSync(join(alice.dataDir, "vault")), vault)
  })

  it("needs no network, and is lived from in memory without a trace", async (t) => {
    const [alice, bob] = [await newNode(t), await newNode(t)]
    await bob.create("bob", null)
    await alice.create("alice", PASSPHRASE, await bob.ticket())
    await acquaint(alice, bob, { one: "alice", other: "bob" })
    await alice.stop()
    await alice.start({ offline: true })
    await alice.call("unlock", { passphrase: PASSPHRASE })
    assert.deepEqual((await alice.call("status", {})).listen, [])
    assert.equal((await alice.call("threads.list", {})).threads.length, 1)
    await assert.rejects(alice.call("messages.send", { to: "bob", text: "no" }), {
      code: "INTERNAL",
    })
    const { path } = await backedUp(t, alice)
    await alice.stop()

    const dataDir = join(temporaryDirectory(t), "nowhere")
    const guest = await newNode(t, { dataDir, ephemeral: true, backup: path })
    assert.equal((await guest.call("status", {})).identity, "locked")
    await assert.rejects(guest.call("unlock", { passphrase: "not the passphrase" }), {
      code: "WRONG_PASSPHRASE",
    })
    await guest.call("unlock", { passphrase: OF_BACKUP })
    await guest.call("messages.send", { to: "bob", text: "from a borrowed machine" })
    await bob.untilText("alice", "from a borrowed machine")
    assert.deepEqual(readdirSync(dataDir, { recursive: true }), ["run", "run/node.sock"])
  })
})
