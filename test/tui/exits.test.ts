/**
 * Every way a process can end while the screen is up leaves the terminal as it was: a real pseudo-terminal, a real process, and
 * an emulator that says which modes are still on.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { spawn } from "@lydell/node-pty"
import xterm from "@xterm/headless"

const script = fileURLToPath(new URL("exit-process.js", import.meta.url))
const DEADLINE_MS = 30_000

function open(way: string) {
  const env = { ...process.env, TERM: "xterm-256color", LANG: "C.UTF-8" } as Record<string, string>
  // Ink draws nothing where it believes to be in a build machine; the screen asks it to all the same.
  const pty = spawn(process.execPath, [script, way], { cols: 80, rows: 24, env })
  const term = new xterm.Terminal({ cols: 80, rows: 24, allowProposedApi: true })
  let look = () => {}
  pty.onData((data) => term.write(data, () => look()))
  const ended = new Promise<{ exitCode: number; signal?: number }>((resolve) => pty.onExit(resolve))
  const text = () =>
    Array.from({ length: 24 }, (_, y) =>
      term.buffer.active.getLine(y)?.translateToString(true),
    ).join("\n")
  const until = (what: string) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        pty.kill("SIGKILL")
        reject(new Error(`waited for ${what}:\n${text()}`))
      }, DEADLINE_MS)
      look = () => {
        if (!text().includes(what)) return
        clearTimeout(timer)
        look = () => {}
        resolve()
      }
      look()
    })
  return { pty, term, ended, until }
}

for (const way of [
  "Ctrl-D",
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "throw in a timer",
  "rejected promise",
  "process.exit",
])
  test(`${way} leaves the terminal as it was found`, async () => {
    const { pty, term, ended, until } = open(way)
    await until("still here")
    assert.equal(term.buffer.active.type, "alternate")
    assert.equal(term.modes.bracketedPasteMode, true)
    assert.equal(term.modes.sendFocusMode, true)
    pty.write(way === "Ctrl-D" ? "\x04" : "go\r")
    const { exitCode } = await ended
    await new Promise<void>((resolve) => term.write("", resolve))
    assert.equal(term.buffer.active.type, "normal")
    assert.equal(term.modes.bracketedPasteMode, false)
    assert.equal(term.modes.sendFocusMode, false)
    if (way === "Ctrl-D") assert.equal(exitCode, 0)
    if (way === "process.exit") assert.equal(exitCode, 3)
    term.dispose()
  })
