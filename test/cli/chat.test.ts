import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { startDouble } from "../helpers/node-double.ts"
import { onTerminal } from "../helpers/pty.ts"
import { DOUBLE, sotto } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"

describe("cli: the chat on a terminal", () => {
  it("runs a node of its own when none runs, and stops it in the end", async (t) => {
    const data = temporaryDirectory(t)
    await sotto(["--data", data, "init", "--name", "alice", "--no-passphrase"])
    const terminal = onTerminal(process.execPath, [DOUBLE, "--data", data])
    t.after(() => terminal.kill("SIGKILL"))
    await terminal.shows(/the screen of alice/)
    assert.equal((await terminal.ended).exitCode, 0)
    assert(!existsSync(join(data, "run", "node.sock")))
  })

  it("attaches to the node that runs, and leaves it running", async (t) => {
    const data = temporaryDirectory(t)
    const socketPath = join(data, "run", "node.sock")
    const node = await startDouble({ dataDir: data, socketPath })
    t.after(() => node.stop())
    await node.api.call("profile.create", { name: "bob", passphrase: null })
    const terminal = onTerminal(process.execPath, [DOUBLE, "chat", "--data", data])
    t.after(() => terminal.kill("SIGKILL"))
    await terminal.shows(/the screen of bob/)
    assert.equal((await terminal.ended).exitCode, 0)
    assert.equal((await sotto(["--data", data, "status"])).exit, 0)
  })

  it("asks on a terminal for what was not given, a passphrase unseen", async (t) => {
    const data = temporaryDirectory(t)
    const terminal = onTerminal(process.execPath, [DOUBLE, "--data", data, "init"])
    t.after(() => terminal.kill("SIGKILL"))
    await terminal.shows(/Name \[.*\]:/)
    terminal.type("alice\r")
    await terminal.shows(/Passphrase \(empty for none\):/)
    terminal.type("correct horsex\u007f\r")
    await terminal.shows(/Once more:/)
    terminal.type("correct horse\r")
    const screen = await terminal.shows(/sotto-invite1/)
    assert.equal((await terminal.ended).exitCode, 0)
    assert.doesNotMatch(screen, /horse/)
    const unlock = onTerminal(process.execPath, [DOUBLE, "--data", data, "id"])
    t.after(() => unlock.kill("SIGKILL"))
    await unlock.shows(/Passphrase:/)
    unlock.type("correct horse\r")
    await unlock.shows(/sotto1/)
    assert.equal((await unlock.ended).exitCode, 0)
  })

  it("ends with 130 when a question is answered by Ctrl-C", async (t) => {
    const data = temporaryDirectory(t)
    const args = [DOUBLE, "--data", data, "init", "--name", "alice"]
    const terminal = onTerminal(process.execPath, args)
    t.after(() => terminal.kill("SIGKILL"))
    await terminal.shows(/Passphrase/)
    terminal.type("\u0003")
    assert.equal((await terminal.ended).exitCode, 130)
    assert(!existsSync(join(data, "double.json")))
  })

  it("asks for one line when there is nothing to send, and never hangs on --no-input", async (t) => {
    const data = temporaryDirectory(t)
    const socketPath = join(data, "run", "node.sock")
    const node = await startDouble({ dataDir: data, socketPath })
    t.after(() => node.stop())
    await node.api.call("profile.create", { name: "alice", passphrase: null })
    await node.api.call("contacts.add", { code: "sotto1bob", name: "bob" })
    const terminal = onTerminal(process.execPath, [DOUBLE, "--data", data, "send", "bob"])
    t.after(() => terminal.kill("SIGKILL"))
    await terminal.shows(/To bob:/)
    terminal.type("hello\r")
    assert.equal((await terminal.ended).exitCode, 0)
    const { messages } = await node.api.call("messages.page", { thread: "bob", limit: 1 })
    assert.equal(messages[0]?.text, "hello")
    const silent = onTerminal(process.execPath, [
      DOUBLE,
      "--data",
      data,
      "send",
      "bob",
      "--no-input",
    ])
    t.after(() => silent.kill("SIGKILL"))
    assert.equal((await silent.ended).exitCode, 2)
  })
})
