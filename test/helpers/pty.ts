/** A program on a terminal of its own, and what that terminal shows. */
import xterm from "@xterm/headless"
import { spawn } from "@lydell/node-pty"

export interface Terminal {
  readonly pid: number
  type(keys: string): void
  /** What the screen shows now, row by row, without trailing spaces. */
  screen(): string
  /** Resolves with the screen once it matches; rejects with it after `timeoutMs`. */
  shows(pattern: RegExp, timeoutMs?: number): Promise<string>
  /** Resolves with the screen once it does not match any more. */
  hides(pattern: RegExp, timeoutMs?: number): Promise<string>
  /** Resolves with the exit code or signal. */
  readonly ended: Promise<{ exitCode: number; signal?: number | undefined }>
  kill(signal?: string): void
}

export function onTerminal(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { columns = 100, rows = 30 } = {},
): Terminal {
  const screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true })
  const program = spawn(command, [...args], {
    cols: columns,
    rows,
    name: "xterm-256color",
    // no CI variable: Ink falls silent where it finds one
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", LANG: "C.UTF-8", ...env },
  })
  const waiting = new Set<() => void>()
  program.onData((data) => screen.write(data, () => waiting.forEach((look) => look())))
  // programs ask the terminal things, and wait for the answer
  screen.onData((data) => program.write(data))
  const show = () => {
    const { active } = screen.buffer
    const shown: string[] = []
    for (let row = 0; row < rows; row++)
      shown.push(active.getLine(active.baseY + row)?.translateToString(true) ?? "")
    return shown.join("\n").trimEnd()
  }
  const until = (what: string, holds: (now: string) => boolean, timeoutMs: number) =>
    new Promise<string>((resolve, reject) => {
      const done = () => {
        clearTimeout(timer)
        waiting.delete(look)
      }
      const look = () => {
        const now = show()
        if (!holds(now)) return
        done()
        resolve(now)
      }
      const timer = setTimeout(() => {
        done()
        reject(new Error(`the screen never ${what}; it shows:\n${show()}`))
      }, timeoutMs)
      waiting.add(look)
      look()
    })
  const ended = new Promise<{ exitCode: number; signal?: number | undefined }>((resolve) =>
    program.onExit(resolve),
  )
  return {
    pid: program.pid,
    type: (keys) => program.write(keys),
    screen: show,
    ended,
    kill: (signal) => {
      try {
        program.kill(signal)
      } catch {
        // it has ended already
      }
    },
    shows: (pattern, timeoutMs = 15_000) =>
      until(`showed ${String(pattern)}`, (now) => pattern.test(now), timeoutMs),
    hides: (pattern, timeoutMs = 15_000) =>
      until(`hid ${String(pattern)}`, (now) => !pattern.test(now), timeoutMs),
  }
}
