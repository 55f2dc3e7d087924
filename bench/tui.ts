/**
 * The terminal chat: how long from a key to the cells it paints, with 100,000 messages in the thread, 50 more arriving every
 * second and a window of 120 by 40; and how long from the start of a process to its first frame of messages. The streams are
 * a terminal's in memory, so the numbers are ours and not an emulator's; every key is checked to be in what was written.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { PassThrough, Writable } from "node:stream"
import type { ReadStream, WriteStream } from "node:tty"
import { fileURLToPath } from "node:url"
import { FakeApi } from "../test/tui/fake-api.ts"
import type { Bench, Result } from "./bench.ts"

const MESSAGES = 100_000
const MESSAGES_PER_SECOND = 50
const KEYS = 400
/** A fast typist, and not in step with the batches of the store. */
const KEY_EVERY_MS = 37
const FIRST_FRAMES = 7

/** A thread with a long past, as the API would page it. */
export function longApi(): FakeApi {
  const api = new FakeApi()
  const { thread, author } = api.past("bob", "message number 1")
  const all = api.messages.get(thread) ?? []
  const first = all[0]
  if (first === undefined) throw new Error("the thread was just made")
  for (let i = 2; i <= MESSAGES; i++)
    all.push({
      ...first,
      id: i.toString(16).padStart(32, "0"),
      author,
      text: `message number ${i}: the quick brown fox jumps over the lazy dog 漢字 and runs on`,
      position: i.toString().padStart(12, "0"),
    })
  return api
}

/** Streams that pass for a terminal of 120 by 40; `onWrite` sees every chunk. */
export function streams(onWrite: (text: string) => void): { stdin: PassThrough; stdout: Writable } {
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: () => stdin,
    ref: () => stdin,
    unref: () => stdin,
  })
  const stdout = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        onWrite(chunk.toString())
        done()
      },
    }),
    { isTTY: true, columns: 120, rows: 40 },
  )
  return { stdin, stdout }
}

export const asTty = ({ stdin, stdout }: ReturnType<typeof streams>) => ({
  stdin: stdin as unknown as ReadStream,
  stdout: stdout as unknown as WriteStream,
})

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN

async function keyTimes(): Promise<number[]> {
  process.env["NODE_ENV"] = "production"
  process.env["FORCE_COLOR"] = "3"
  const { runTui } = await import("../src/tui/app.tsx")
  const api = longApi()
  let onWrite: (text: string) => void = () => undefined
  const tty = streams((text) => onWrite(text))
  const shown = new Promise<void>((resolve) => {
    onWrite = (text) => {
      if (text.includes(`message number ${MESSAGES}`)) resolve()
    }
  })
  const exited = runTui(api, { ...asTty(tty), env: { LANG: "C.UTF-8" }, bell: false })
  await shown
  const traffic = setInterval(
    () => void api.theySay("bob", `now ${Math.random()}`),
    1000 / MESSAGES_PER_SECOND,
  )
  const times: number[] = []
  for (let i = 0; i < KEYS; i++) {
    await wait(KEY_EVERY_MS)
    const letter = String.fromCharCode(0x3b1 + (i % 24))
    const painted = new Promise<void>((resolve) => {
      onWrite = (text) => {
        if (text.includes(letter)) resolve()
      }
    })
    const start = performance.now()
    tty.stdin.write(letter)
    await painted
    times.push(performance.now() - start)
    if (i % 60 === 59) tty.stdin.write("\x15")
  }
  clearInterval(traffic)
  tty.stdin.write("\x03\x03\x03")
  await exited
  // The first ones pay for compiling what the others use.
  return times.slice(50).sort((a, b) => a - b)
}

async function firstFrame(): Promise<number> {
  const child = fork(fileURLToPath(new URL("tui-first-frame.js", import.meta.url)), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, NODE_ENV: "production", FORCE_COLOR: "3" },
  })
  const [ms] = (await once(child, "message")) as [number]
  await once(child, "exit")
  return ms
}

async function run(): Promise<Result[]> {
  const keys = await keyTimes()
  const frames: number[] = []
  for (let i = 0; i < FIRST_FRAMES; i++) frames.push(await firstFrame())
  frames.sort((a, b) => a - b)
  return [
    { metric: "tui.key_p50_ms", value: quantile(keys, 0.5), unit: "ms", runs: keys.length },
    { metric: "tui.key_p95_ms", value: quantile(keys, 0.95), unit: "ms", runs: keys.length },
    { metric: "tui.key_p99_ms", value: quantile(keys, 0.99), unit: "ms", runs: keys.length },
    { metric: "tui.first_frame_ms", value: quantile(frames, 0.5), unit: "ms", runs: frames.length },
  ]
}

export const tuiBench: Bench = { name: "tui", run }
