/**
 * Files between real processes: alice and bob keep nothing for others, two relays do, so every chunk goes through a store that is not
 * theirs. Once with 15 MiB, once with 200.
 */
import assert from "node:assert/strict"
import { createHash, randomBytes } from "node:crypto"
import {
  createReadStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  appendFileSync,
  readdirSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import { nodeOf, type ClusterNode } from "../../scripts/testnet/cluster.ts"
import type { Api, FileView, Transfer } from "../../src/node/api/types.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { befriend, mesh, until } from "./mesh.ts"

const MIB = 2 ** 20
const CHUNK_BYTES = 262_144
/** A node may grow by this much while a file of any size passes through it. */
const GROWTH_BYTES_MAX = 256 * MIB

const digest = async (path: string): Promise<string> => {
  const hash = createHash("sha256")
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array)
  return hash.digest("hex")
}

/** Writes `size` random bytes, a mebibyte at a time. */
function writeRandom(path: string, size: number): void {
  writeFileSync(path, "")
  for (let at = 0; at < size; at += MIB) appendFileSync(path, randomBytes(Math.min(MIB, size - at)))
}

/** The most memory that a process ever held resident, and what it holds now. */
function memoryOf({ pid }: ClusterNode): { readonly peak: number; readonly now: number } {
  const text = readFileSync(`/proc/${pid}/status`, "utf8")
  const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1] ?? NaN)
  return { peak: kib("VmHWM") * 1024, now: kib("VmRSS") * 1024 }
}

const end = (api: Api, id: string): Promise<Transfer | undefined> =>
  until(
    api,
    async () => (await api.call("transfers.list", {})).transfers.find((each) => each.id === id),
    (transfer) => transfer?.state === "done" || transfer?.state === "failed",
    { timeoutMs: 120_000 },
  )

const arrival = (api: Api, id: string): Promise<FileView | undefined> =>
  until(
    api,
    async () => (await api.call("files.list", {})).files.find((file) => file.id === id),
    (file) => file !== undefined,
  )

describe("e2e: files through real processes", () => {
  let alice: ClusterNode
  let bob: ClusterNode
  let relays: readonly ClusterNode[] = []
  let gone: () => Promise<void> = () => Promise.resolve()
  const folder = mkdtempSync(join(tmpdir(), "sotto-files-"))

  before(async () => {
    const people = [null, "alice", "bob", null]
    const made = await mesh(people, (at) => (people[at] === null ? [] : ["--keep=0"]))
    gone = made.gone
    ;[alice, bob] = [nodeOf(made.cluster, 1), nodeOf(made.cluster, 2)]
    relays = [nodeOf(made.cluster, 0), nodeOf(made.cluster, 3)]
    await befriend(alice, bob)
  })
  after(async () => {
    await gone()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Alice sends and goes away; bob saves, is killed half-way, comes back, and has the file in the end. */
  async function throughKills(name: string, size: number): Promise<void> {
    const path = join(folder, name)
    writeRandom(path, size)
    const wanted = await digest(path)
    const aliceApi = await alice.api()
    const idle = memoryOf(alice).now
    const { transfer } = await aliceApi.call("files.send", { to: "bob", path })
    assert.equal((await end(aliceApi, transfer.id))?.state, "done")
    const grown = memoryOf(alice).peak - idle
    assert(grown < GROWTH_BYTES_MAX, `the sender grew by ${grown / MIB} MiB`)
    rmSync(path)

    const { id } = transfer
    await arrival(await bob.api(), id)
    await alice.stop()
    const chunks = join(bob.dataDir, "chunks")
    const there = mkdtempSync(join(folder, "to-"))
    const total = Math.ceil(size / 262_128) + 1
    const before = statSync(chunks).size / CHUNK_BYTES
    await (await bob.api()).call("files.save", { id, directory: there })
    while (statSync(chunks).size / CHUNK_BYTES - before < total / 3) await sleep(1)
    await bob.kill9()
    const half = statSync(chunks).size / CHUNK_BYTES - before
    assert(half >= total / 3 && half < total, `${half} of ${total} chunks were there`)
    assert(!readdirSync(there).includes(name))

    await bob.start()
    const bobApi = await bob.api()
    const idleAgain = memoryOf(bob).now
    const saved = await end(bobApi, id)
    assert.deepEqual([saved?.failure, saved?.path], [null, join(there, name)])
    const grownToo = memoryOf(bob).peak - idleAgain
    assert(grownToo < GROWTH_BYTES_MAX, `the recipient grew by ${grownToo / MIB} MiB`)
    assert.equal(await digest(join(there, name)), wanted)
    assert.deepEqual(readdirSync(there), [name])
    // nothing was fetched twice
    assert.equal(statSync(chunks).size / CHUNK_BYTES - before, total)
    await alice.start()
  }

  it("15 MiB, the sender gone after the upload, the recipient killed half-way", async () => {
    await throughKills("fifteen.bin", 15 * MIB)
    for (const relay of relays)
      assert.equal(statSync(join(relay.dataDir, "chunks")).size, 62 * CHUNK_BYTES)
  })

  it("200 MiB the same way, in bounded memory", () => throughKills("large.bin", 200 * MIB))

  it("an upload that is interrupted by a kill goes on and arrives", async () => {
    const path = join(folder, "interrupted.bin")
    writeRandom(path, 15 * MIB)
    const api = await alice.api()
    const { transfer } = await api.call("files.send", { to: "bob", path })
    await alice.kill9()
    const wanted = await digest(path)
    rmSync(path)
    await alice.start()
    const bobApi = await bob.api()
    await arrival(bobApi, transfer.id)
    const there = mkdtempSync(join(folder, "to-"))
    await bobApi.call("files.save", { id: transfer.id, directory: there })
    const saved = await end(bobApi, transfer.id)
    assert.equal(await digest(saved?.path ?? ""), wanted)
  })

  it("by the command line: sent, listed, saved, and not over what is there", async () => {
    const path = join(folder, "by hand.txt")
    writeFileSync(path, "written by hand\n")
    const run = (node: ClusterNode, ...args: string[]) =>
      sotto([...node.arguments, ...args], { script: REAL })
    const sent = await run(alice, "send", "bob", "--file", path, "-m", "look at this")
    assert.equal(sent.exit, 0, sent.err)
    const id = sent.out.slice(0, 32)
    await arrival(await bob.api(), id)
    assert.match((await run(bob, "files", "alice")).out, /alice.*16 bytes.*by hand\.txt/)
    assert.match((await run(bob, "read", "alice")).out, /\[by hand\.txt · 16 bytes · .*\]/)
    const there = mkdtempSync(join(folder, "to-"))
    const saved = await run(bob, "save", id.slice(0, 8), there)
    assert.equal(saved.exit, 0, saved.err)
    assert.equal(readFileSync(saved.out.trim(), "utf8"), "written by hand\n")
    const again = await run(bob, "save", id.slice(0, 8), there)
    assert.equal(again.exit, 2)
    assert.match(again.err, /--overwrite/)
  })
})
