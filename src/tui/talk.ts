/**
 * Asking and telling on a plain stream: lines in, lines out, in order. The keys of a secret are not echoed.
 */
import { createInterface } from "node:readline"
import type { Interface } from "node:readline"
import { Writable } from "node:stream"

/** The input has ended, or Ctrl-C was pressed: the person has left. */
export class LeftError extends Error {}

/** Asks and prints; a secret's keys are not echoed. */
export class Talk {
  readonly #lines: Interface
  readonly #out: NodeJS.WritableStream
  readonly #queue: string[] = []
  #wanted: ((line: string | null) => void) | null = null
  #ended = false
  #silent = false

  constructor(
    stdin: NodeJS.ReadableStream,
    stdout: NodeJS.WritableStream,
    complete: (line: string) => string[],
  ) {
    this.#out = stdout
    const terminal = (stdin as { isTTY?: boolean }).isTTY === true
    const echo = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (!this.#silent) stdout.write(chunk)
        done()
      },
    })
    this.#lines = createInterface({
      input: stdin,
      output: echo,
      terminal,
      completer: (line: string): [string[], string] => [complete(line), line],
    })
    this.#lines.on("line", (line) => {
      const wanted = this.#wanted
      this.#wanted = null
      if (wanted === null) this.#queue.push(line)
      else wanted(line)
    })
    const end = () => {
      this.#ended = true
      this.#wanted?.(null)
      this.#wanted = null
    }
    this.#lines.on("close", end)
    this.#lines.on("SIGINT", () => this.#lines.close())
  }

  say(text: string): void {
    this.#out.write(`${text}\n`)
  }

  /** The next line; throws LeftError when the input has ended. */
  async next(): Promise<string> {
    const queued = this.#queue.shift()
    if (queued !== undefined) return queued
    if (this.#ended) throw new LeftError()
    const line = await new Promise<string | null>((resolve) => {
      this.#wanted = resolve
    })
    if (line === null) throw new LeftError()
    return line
  }

  async ask(question: string, secret = false): Promise<string> {
    this.#out.write(`${question} `)
    this.#silent = secret
    try {
      return await this.next()
    } finally {
      this.#silent = false
      if (secret) this.#out.write("\n")
    }
  }

  close(): void {
    this.#lines.close()
  }
}
