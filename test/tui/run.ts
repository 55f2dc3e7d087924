/** Runs the real screen against the fake API on a fake terminal. Sets what must be set before Ink is loaded. */
import { FakeApi, T0 } from "./fake-api.ts"
import { fakeTerminal } from "./terminal.ts"
import type { FakeTerminal } from "./terminal.ts"

process.env["NODE_ENV"] = "production"
process.env["FORCE_COLOR"] = "3"
const { runTui } = await import("../../src/tui/app.tsx")

export interface Running extends AsyncDisposable {
  readonly api: FakeApi
  readonly tty: FakeTerminal
  readonly exited: Promise<number>
}

export interface RunOptions {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
  /** What the screen waits for, when it is not the fake itself at once. */
  readonly ready?: Promise<FakeApi>
}

/** Starts the screen; leaving the scope quits it. */
export function start(api: FakeApi, options: RunOptions = {}): Running {
  const tty = fakeTerminal(options.columns ?? 80, options.rows ?? 24)
  const exited = runTui(options.ready ?? api, {
    stdin: tty.stdin,
    stdout: tty.stdout,
    env: { LANG: "C.UTF-8", ...options.env },
    userName: "alice",
    timeZone: "UTC",
    now: () => T0 + 86_400_000,
    theme: "dark",
  })
  return {
    api,
    tty,
    exited,
    async [Symbol.asyncDispose]() {
      // Twice Ctrl-C would clear a draft first; three leave from anywhere.
      tty.type("\x1b")
      tty.type("\x03\x03\x03\x03\r\r")
      await exited
      tty.dispose()
    },
  }
}
