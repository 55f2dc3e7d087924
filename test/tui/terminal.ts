/**
 * A terminal for tests: streams that look like a TTY to the program, and xterm's own emulator behind them, so that a test
 * sees cells and not escape sequences. Waiting is for what appears on the screen, with a deadline; nothing sleeps.
 */
import { EventEmitter } from "node:events"
import { PassThrough, Writable } from "node:stream"
import type { ReadStream, WriteStream } from "node:tty"
import xterm from "@xterm/headless"
import type { IBufferCell, Terminal } from "@xterm/headless"
import stringWidth from "string-width"

const DEADLINE_MS = 10_000

class Input extends PassThrough {
  readonly isTTY = true
  isRaw = false
  setRawMode(on: boolean): this {
    this.isRaw = on
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
}

class Output extends Writable {
  readonly isTTY = true
  columns: number
  rows: number
  readonly #onBytes: (bytes: Buffer, done: () => void) => void

  constructor(columns: number, rows: number, onBytes: (bytes: Buffer, done: () => void) => void) {
    super()
    this.columns = columns
    this.rows = rows
    this.#onBytes = onBytes
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#onBytes(chunk, done)
  }
  getColorDepth(): number {
    return 24
  }
  hasColors(): boolean {
    return true
  }
}

export interface FakeTerminal {
  readonly stdin: ReadStream
  readonly stdout: WriteStream
  readonly term: Terminal
  /** Everything that was ever written, as text. */
  readonly written: () => string
  /** Whether the program reads single keys. */
  readonly raw: () => boolean
  type(keys: string): void
  /** No more keys will ever come. */
  hangUp(): void
  resize(columns: number, rows: number): void
  rows(): string[]
  text(): string
  cell(x: number, y: number): IBufferCell | undefined
  /** Resolves when the screen satisfies the test; fails with the screen when it never does. */
  until(what: string | RegExp | ((screen: string) => boolean)): Promise<string>
  dispose(): void
}

export function fakeTerminal(columns: number, rows: number): FakeTerminal {
  const term = new xterm.Terminal({
    cols: columns,
    rows,
    allowProposedApi: true,
    // Raw mode leaves the line discipline's output side as it was: a line feed begins a new line.
    convertEol: true,
  })
  // The widths of a terminal of today, without grapheme clusters: every code point for itself.
  term.unicode.register({
    version: "points",
    wcwidth: (point: number) => {
      const width = stringWidth(String.fromCodePoint(point))
      return width === 2 ? 2 : width === 1 ? 1 : 0
    },
    charProperties: (point: number, preceding: number) => {
      const width = stringWidth(String.fromCodePoint(point))
      // xterm's packing: bit 0 joins the cell before, bits 1 and 2 are the width.
      const joins = width === 0 && preceding !== 0
      const kept = joins ? (preceding >> 1) & 3 : width
      return (kept << 1) | (joins ? 1 : 0)
    },
  })
  term.unicode.activeVersion = "points"
  const changes = new EventEmitter()
  changes.setMaxListeners(0)
  const log: Buffer[] = []
  const output = new Output(columns, rows, (bytes, done) => {
    log.push(bytes)
    term.write(bytes, () => {
      done()
      changes.emit("change")
    })
  })
  const input = new Input()
  const screen = () =>
    Array.from({ length: term.rows }, (_, y) =>
      (
        term.buffer.active.getLine(term.buffer.active.baseY + y)?.translateToString(true) ?? ""
      ).trimEnd(),
    )
  const text = () => screen().join("\n")
  return {
    stdin: input as unknown as ReadStream,
    stdout: output as unknown as WriteStream,
    term,
    written: () => Buffer.concat(log).toString(),
    raw: () => input.isRaw,
    type: (keys) => void input.write(keys),
    hangUp: () => void input.end(),
    resize(columns, rows) {
      term.resize(columns, rows)
      output.columns = columns
      output.rows = rows
      output.emit("resize")
    },
    rows: screen,
    text,
    cell: (x, y) => term.buffer.active.getLine(term.buffer.active.baseY + y)?.getCell(x),
    until(what) {
      const fits = (now: string) =>
        typeof what === "string"
          ? now.includes(what)
          : typeof what === "function"
            ? what(now)
            : what.test(now)
      return new Promise((resolve, reject) => {
        const look = () => {
          const now = text()
          if (!fits(now)) return
          clearTimeout(timer)
          changes.off("change", look)
          resolve(now)
        }
        const timer = setTimeout(() => {
          changes.off("change", look)
          reject(new Error(`waited for ${what.toString()}; the screen says:\n${text()}`))
        }, DEADLINE_MS)
        changes.on("change", look)
        look()
      })
    },
    dispose() {
      term.dispose()
      input.destroy()
      output.destroy()
    },
  }
}
