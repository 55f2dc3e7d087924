/** A whole chat of a peer that keeps nothing, with its file system watched from the first to the last moment. */
import assert from "node:assert/strict"
import { type FSWatcher, mkdirSync, readdirSync, readFileSync, readlinkSync, watch } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { newNode } from "../helpers/nodes.ts"
import { onTerminal } from "../helpers/pty.ts"
import { REAL } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { until } from "../helpers/wait.ts"

/** Every place that a program is told to keep things in, all inside one directory. */
function places(directory: string): Record<string, string> {
  const made = (name: string) => {
    const path = join(directory, name)
    mkdirSync(path)
    return path
  }
  return {
    HOME: made("home"),
    TMPDIR: made("tmp"),
    XDG_DATA_HOME: made("data"),
    XDG_CONFIG_HOME: made("config"),
    XDG_CACHE_HOME: made("cache"),
    XDG_STATE_HOME: made("state"),
    XDG_RUNTIME_DIR: made("run"),
  }
}

/** What happens below a directory, as the kernel tells it. */
function watched(t: TestContext, directory: string): { readonly events: string[] } {
  const events: string[] = []
  const watcher: FSWatcher = watch(directory, { recursive: true }, (kind, name) =>
    events.push(`${kind} ${name ?? ""}`),
  )
  t.after(() => watcher.close())
  return { events }
}

const inventory = (directory: string) => readdirSync(directory, { recursive: true }).sort()

/** A process and all its descendants. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter((text) => text.trim() !== "")
    .map(Number)
  return [pid, ...children.flatMap(family)]
}

/** The kernel counts its own notes of which files were read (access times) as written by who read them: some pages, not more. */
const NOTES_BYTES_MAX = 64 * 1024

/** Bytes that this process has caused to be sent to a disk. */
function writtenBy(pid: number): number {
  const [, bytes] = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8")) ?? []
  return Number(bytes)
}

/** Files that a process holds open for writing, but for devices. */
function openForWriting(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`)
      const [, flags = "0"] =
        /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8")) ?? []
      const writable = (parseInt(flags, 8) & 3) !== 0
      return writable && path.startsWith("/") && !path.startsWith("/dev/") ? [path] : []
    } catch {
      // closed meanwhile
      return []
    }
  })
}

describe("e2e: a chat in memory", () => {
  it("writes nothing at all while two people talk, and leaves nothing behind", async (t) => {
    const bob = await newNode(t)
    await bob.create("bob", null)
    const directory = temporaryDirectory(t)
    const env = places(directory)
    const before = inventory(directory)
    const { events } = watched(t, directory)
    const size = { columns: 110, rows: 40 }
    const terminal = onTerminal(
      process.execPath,
      [REAL, "--ephemeral", "--max-messages", "500"],
      env,
      size,
    )
    t.after(() => terminal.kill("SIGKILL"))

    await terminal.shows(/Nothing is written to disk/)
    terminal.type("\u0015alice\r")
    await terminal.shows(/Paste an invite ticket/)
    terminal.type(`\u001b[200~${await bob.ticket()}\u001b[201~\r`)
    await terminal.shows(/Enter adds bob, who invited you/, 40_000)
    terminal.type("\r")
    await terminal.shows(/in memory only/)
    terminal.type("hello bob, from nowhere\r")
    let alice = ""
    await until("bob to be written to", async () => {
      const { contacts } = await bob.call("contacts.list", {})
      alice = contacts.find(({ state }) => state === "request")?.name ?? ""
      return alice !== ""
    })
    await bob.call("contacts.accept", { contact: alice })
    await bob.untilText(alice, "hello bob, from nowhere")
    await bob.call("messages.send", { to: alice, text: "I can read you" })
    await terminal.shows(/I can read you/, 30_000)
    await terminal.shows(/✓✓/, 30_000)

    const processes = family(terminal.pid)
    assert.equal(processes.length, 2, "the chat and the node it runs")
    // A program on a terminal inherits what this process has open: bob's store.
    const ours = openForWriting(process.pid)
    const theirs = processes.flatMap(openForWriting).filter((path) => !ours.includes(path))
    assert.deepEqual(theirs, [])
    for (const pid of processes) assert(writtenBy(pid) < NOTES_BYTES_MAX, `${writtenBy(pid)} bytes`)
    terminal.type("\u0003\u0003")
    assert.equal((await terminal.ended).exitCode, 0)
    assert.deepEqual(inventory(directory), before)
    assert.deepEqual(events, [])
  })
})
