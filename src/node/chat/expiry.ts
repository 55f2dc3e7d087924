/**
 * Takes disappearing messages away when their time has come (DESIGN §10): so many seconds after they were first read here, or left from
 * here, or so many blocks after the one that ordered them. What has to go when is kept, sealed, so a restart changes nothing; what is
 * overdue goes at once. Afterwards the store is asked to rewrite the files that held it.
 */
import type { ChatMessage } from "../../chat/message.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { type ChatBook, Step } from "./book.ts"
import { EVIDENCE_GROUP } from "./evidence-records.ts"
import type { Expiring } from "./marks.ts"
import type { ChatParts } from "./parts.ts"
import { messagesOf } from "./records.ts"
import type { Transcript } from "./transcript.ts"

/** Messages whose end is awaited in memory; the others are read when these are gone. */
const EXPIRING_MAX = 65_536
/** Taken away in one step. */
const TOGETHER_MAX = 256
/** Timers are set no further ahead: longer ones do not exist. */
const TIMER_MS_MAX = 12 * 3_600_000
/** After something failed. */
const AGAIN_MS = 30_000
/** Files are rewritten so long after the last message went, so that many that go together cost one rewriting. */
const ERASE_AFTER_MS = 5_000

export class Expiry {
  readonly #parts: Pick<ChatParts, "clock" | "log" | "ledger">
  readonly #book: ChatBook
  readonly #transcript: Transcript
  readonly #due = new Map<string, Expiring>()
  readonly #erase = new Set<string>()
  #hasMore = false
  #height = 0
  #cancel: () => void = () => undefined
  #cancelErase: () => void = () => undefined
  #erasing: Promise<void> = Promise.resolve()
  #running: Promise<void> | undefined
  #stopped = false

  constructor(parts: ChatParts, book: ChatBook, transcript: Transcript) {
    this.#parts = parts
    this.#book = book
    this.#transcript = transcript
  }

  async load(): Promise<void> {
    const rows = await this.#book.records.marks.expiring(EXPIRING_MAX)
    for (const each of rows) this.#due.set(toHex(each.id), each)
    this.#hasMore = rows.length === EXPIRING_MAX
  }

  /** From now on messages go when their time has come. */
  start(): void {
    this.#arm()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    this.#cancelErase()
    await this.#running
    await this.#erasing
  }

  /** Somebody has read these here, or they have left from here: their seconds run. Within a turn. */
  seen(step: Step, messages: readonly ChatMessage[]): void {
    for (const { id, lifetime } of messages)
      if (lifetime?.unit === "seconds")
        this.#await(step, {
          id,
          due: this.#parts.clock.nowMs() + 1000 * lifetime.amount,
          unit: "ms",
        })
  }

  /** A block has ordered it: its blocks are counted. Within a turn. */
  ordered(step: Step, { id, lifetime }: ChatMessage, height: number): void {
    if (lifetime?.unit === "blocks")
      this.#await(step, { id, due: height + lifetime.amount, unit: "height" })
  }

  #await(step: Step, expiring: Expiring): void {
    step.ops.push(this.#book.records.marks.putExpiring(expiring))
    if (this.#due.size >= EXPIRING_MAX) {
      this.#hasMore = true
      return
    }
    this.#due.set(toHex(expiring.id), expiring)
    // after the step is written
    queueMicrotask(() => this.#arm())
  }

  /** The order has come so far. */
  reached(height: number): void {
    this.#height = height
    for (const { unit, due } of this.#due.values())
      if (unit === "height" && due <= height) {
        this.#kick()
        return
      }
  }

  #isDue = ({ unit, due }: Expiring): boolean =>
    unit === "ms" ? due <= this.#parts.clock.nowMs() : due <= this.#height

  #arm(): void {
    if (this.#stopped) return
    this.#cancel()
    let next = Number.POSITIVE_INFINITY
    for (const { unit, due } of this.#due.values()) if (unit === "ms") next = Math.min(next, due)
    if (next === Number.POSITIVE_INFINITY) return
    const ms = Math.min(Math.max(0, next - this.#parts.clock.nowMs()), TIMER_MS_MAX)
    this.#cancel = this.#parts.clock.after(ms, () => this.#kick())
  }

  #kick(): void {
    if (this.#stopped) return
    this.#running ??= this.#takeAway().finally(() => {
      this.#running = undefined
    })
  }

  async #takeAway(): Promise<void> {
    try {
      for (;;) {
        const due = [...this.#due.values()].filter(this.#isDue).slice(0, TOGETHER_MAX)
        if (due.length === 0 || this.#stopped) break
        await this.#book.turns.run(() => this.#remove(due.map(({ id }) => id)))
        for (const { id } of due) this.#due.delete(toHex(id))
      }
      if (this.#due.size === 0 && this.#hasMore) await this.load()
      this.#arm()
    } catch (error) {
      this.#parts.log(`taking messages away failed: ${String(error)}`)
      if (!this.#stopped) this.#cancel = this.#parts.clock.after(AGAIN_MS, () => this.#kick())
    }
  }

  async #remove(ids: readonly Bytes[]): Promise<void> {
    const step = new Step()
    for (const id of ids) {
      const found = await this.#transcript.find(step, id)
      if (found === undefined) step.ops.push(this.#book.records.marks.delExpiring(id))
      else {
        await this.#transcript.remove(step, found)
        this.eraseSoon(found.thread.id)
      }
    }
    await this.#book.commit(step, { sync: true })
  }

  /** What was deleted in this thread leaves the disk as well, as far as the store can see to that. */
  eraseSoon(thread: Bytes): void {
    this.#erase.add(messagesOf(thread)).add(EVIDENCE_GROUP)
    this.#cancelErase()
    if (this.#stopped) return
    this.#cancelErase = this.#parts.clock.after(ERASE_AFTER_MS, () => {
      this.#erasing = this.#erasing.then(() => this.#eraseNow())
    })
  }

  async #eraseNow(): Promise<void> {
    const groups = [...this.#erase]
    this.#erase.clear()
    try {
      for (const group of groups) if (!this.#stopped) await this.#book.records.sealed.erase(group)
    } catch (error) {
      this.#parts.log(`erasing what was deleted failed: ${String(error)}`)
    }
  }
}
