/**
 * Texts that wait to be put into an envelope, by thread, in the order in which they were said. A text is in line at once and on the disk a
 * moment later: usually with the very envelope it leaves in, which has to be written through anyway, and otherwise on its own. Until
 * then its author is not told that it was taken. A process killed in between loses nothing, only a power cut could.
 */
import type { Saying, Setting } from "../../chat/content.ts"
import { type ChatMessage, positionOf } from "../../chat/message.ts"
import type { Head, Text } from "../../chat/said.ts"
import { type ChatThread, tick, withLifetime } from "../../chat/thread.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { ApiError } from "../api/errors.ts"
import { type ChatBook, Step } from "./book.ts"
import type { OwnAct } from "./marks.ts"
import type { ChatParts } from "./parts.ts"
import type { Waiting } from "./records.ts"
import { ownMessage, type Transcript } from "./transcript.ts"
import type { SealedOp } from "../store/sealed.ts"

/** Texts in line and envelopes that no peer has taken, in all threads together; the next text is refused with QUEUE_FULL. */
export const WAITING_MAX = 10_000
/** Texts put in line by one write. */
const TOGETHER_MAX = 64
/** A text that has not left by then is written through on its own. */
const SECURE_AFTER_MS = 4

export interface Said {
  readonly thread: ChatThread
  readonly message: ChatMessage
}

/** What is to be said, once the thread's clock gives it a moment. */
export type Wording = (head: Head, thread: ChatThread) => Text | Setting

interface Asked {
  readonly thread: ChatThread
  readonly id: Bytes
  readonly wording: Wording
  readonly done: { resolve(said: Said): void; reject(error: unknown): void }
}

interface InLine {
  readonly said: Said
  readonly waiting: Waiting
  /** What writes the message and its place in line. */
  readonly rows: readonly SealedOp[]
}

/** In line, and not known to be on the disk. */
interface Unsure extends InLine {
  readonly done: { resolve(): void; reject(error: unknown): void }
  readonly durable: Promise<void>
}

export class Line {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #transcript: Transcript
  /** How many envelopes are sealed, written and taken by nobody: a text that has left the line waits in one of them. */
  readonly #sealed: () => number
  readonly #lines = new Map<string, Waiting[]>()
  #length = 0
  #asked: Asked[] = []
  /** By hexadecimal message id. */
  readonly #unsure = new Map<string, Unsure>()
  #cancelSecuring: (() => void) | undefined

  constructor(parts: ChatParts, book: ChatBook, transcript: Transcript, sealed: () => number) {
    this.#parts = parts
    this.#book = book
    this.#transcript = transcript
    this.#sealed = sealed
  }

  /** Texts in line, in all threads. */
  get length(): number {
    return this.#length
  }

  async load(): Promise<void> {
    for (const waiting of await this.#book.records.waiting()) this.#lineUp(waiting)
  }

  async stop(): Promise<void> {
    this.#cancelSecuring?.()
    await this.#secure()
  }

  /** What waits in this thread, first come first. */
  of(thread: string): readonly Waiting[] {
    return this.#lines.get(thread) ?? []
  }

  /** Resolves when the text is in line; `durable` tells when it is on the disk. A text that is there already is given as it stands. */
  say(thread: ChatThread, id: Bytes, wording: Wording): Promise<Said> {
    const { promise, ...done } = Promise.withResolvers<Said>()
    this.#asked.push({ thread, id, wording, done })
    // whoever asks while this turn is waited for shares it
    if (this.#asked.length === 1) this.#takeAsked()
    return promise
  }

  #takeAsked(): void {
    let asked: Asked[] = []
    this.#book.turns
      .run(async () => {
        asked = this.#asked.splice(0, TOGETHER_MAX)
        if (this.#asked.length > 0) this.#takeAsked()
        await this.#enqueue(asked)
      })
      .catch((error: unknown) => {
        for (const { done } of asked) done.reject(error)
      })
  }

  async #enqueue(asked: readonly Asked[]): Promise<void> {
    const step = new Step()
    const known = await Promise.all(asked.map(({ id }) => this.#book.records.findMessage(id)))
    const here = new Map<string, Said>()
    const fresh: { asked: Asked; inLine: InLine }[] = []
    for (const [i, each] of asked.entries()) {
      const found = known[i]
      const thread = found && this.#book.threads.get(toHex(found.thread))
      const earlier = here.get(toHex(each.id))
      if (earlier !== undefined || found !== undefined)
        repeated(each, earlier ?? (thread && { thread, message: found.message }))
      else if (this.#length + this.#sealed() + fresh.length >= WAITING_MAX) each.done.reject(full())
      else {
        const inLine = this.#next(step, each)
        here.set(toHex(each.id), inLine.said)
        fresh.push({ asked: each, inLine })
      }
    }
    await this.#book.commit(step)
    for (const { asked: each, inLine } of fresh) {
      this.#lineUp(inLine.waiting)
      this.#beUnsure(inLine)
      each.done.resolve(inLine.said)
    }
  }

  #next(step: Step, { thread: asked, id, wording }: Asked): InLine {
    const { records } = this.#book
    const ticked = tick(this.#transcript.threadIn(step, asked))
    const { lamport } = ticked
    const content = wording({ id, lamport, sentAtMs: this.#parts.clock.nowMs() }, ticked)
    const thread = content.kind === "lifetime" ? withLifetime(ticked, content) : ticked
    const message = ownMessage(content, this.#book.me)
    const waiting = waitingOf(thread.id, content)
    step.threads.set(toHex(thread.id), thread)
    const [putWaiting, rows] = [records.putWaiting(waiting), records.putMessage(thread.id, message)]
    step.messages.push({ thread, message, fresh: true, rows })
    step.ops.push(putWaiting)
    return { said: { thread, message }, waiting, rows: [...rows, putWaiting] }
  }

  /**
   * Something is done to a message, which shows here at once: `wording` gives the act, `change` adds what it does here. On the disk when
   * it resolves.
   */
  async act(
    asked: ChatThread,
    id: Bytes,
    wording: (head: Head) => OwnAct["content"],
    change: (step: Step, act: OwnAct["content"]) => Promise<void>,
  ): Promise<OwnAct> {
    return this.#book.turns.run(async () => {
      if (this.#length + this.#sealed() >= WAITING_MAX) throw full()
      const { records } = this.#book
      const step = new Step()
      const thread = tick(this.#transcript.threadIn(step, asked))
      step.threads.set(toHex(thread.id), thread)
      const content = wording({ id, lamport: thread.lamport, sentAtMs: this.#parts.clock.nowMs() })
      await change(step, content)
      const waiting = waitingOf(thread.id, content)
      const act = { thread: thread.id, content }
      step.ops.push(records.putWaiting(waiting), records.marks.putOwnAct(act))
      await this.#book.commit(step, { sync: true })
      this.#lineUp(waiting)
      return act
    })
  }

  #lineUp(waiting: Waiting): void {
    const thread = toHex(waiting.thread)
    const line = this.#lines.get(thread)
    if (line === undefined) this.#lines.set(thread, [waiting])
    else line.push(waiting)
    this.#length++
  }

  #beUnsure(inLine: InLine): void {
    const { promise: durable, resolve, reject } = Promise.withResolvers<undefined>()
    // whoever asks for it hears of it; here nobody may be asking
    durable.catch(() => undefined)
    const done = { resolve: () => resolve(undefined), reject }
    this.#unsure.set(toHex(inLine.said.message.id), { ...inLine, durable, done })
    this.#cancelSecuring ??= this.#parts.clock.after(SECURE_AFTER_MS, () => void this.#secure())
  }

  /** Resolves when the text is on the disk. Rejects with what the store says. */
  durable(id: Bytes): Promise<void> {
    return this.#unsure.get(toHex(id))?.durable ?? Promise.resolve()
  }

  /** Writes through what has not left yet. */
  async #secure(): Promise<void> {
    this.#cancelSecuring = undefined
    let all: Unsure[] = []
    try {
      await this.#book.turns.run(async () => {
        all = Array.from(this.#unsure.values())
        const step = new Step()
        for (const each of all) this.#rewrite(step, each)
        await this.#book.commit(step, { sync: true })
        for (const unsure of all) this.#beSure(unsure)
      })
    } catch (error) {
      for (const unsure of all) {
        this.#unsure.delete(toHex(unsure.said.message.id))
        unsure.done.reject(error)
      }
    }
  }

  /** The whole of it again: LevelDB does not promise that writing this one through takes earlier ones along. */
  #rewrite({ ops, threads }: Step, { said: { thread }, rows }: InLine): void {
    const name = toHex(thread.id)
    if (!threads.has(name)) threads.set(name, this.#book.threads.get(name) ?? thread)
    ops.push(...rows)
  }

  #beSure({ said, done }: Unsure): void {
    this.#unsure.delete(toHex(said.message.id))
    done.resolve()
  }

  /** Adds to `step`, which is going to be written through, that these leave. Within a turn. */
  leave(step: Step, leaving: readonly Waiting[]): void {
    for (const waiting of leaving) {
      const unsure = this.#unsure.get(nameOf(waiting))
      if (unsure !== undefined) this.#rewrite(step, unsure)
      step.ops.push(this.#book.records.delWaiting(waiting))
    }
  }

  /** That step was written: these are gone. Within the same turn. */
  left(thread: string, leaving: readonly Waiting[]): void {
    const gone = new Set(leaving)
    const line = this.of(thread)
    const rest = line.filter((each) => !gone.has(each))
    if (rest.length === 0) this.#lines.delete(thread)
    else this.#lines.set(thread, rest)
    this.#length -= line.length - rest.length
    for (const waiting of leaving) {
      const unsure = this.#unsure.get(nameOf(waiting))
      if (unsure !== undefined) this.#beSure(unsure)
    }
    if (this.#unsure.size > 0) return
    this.#cancelSecuring?.()
    this.#cancelSecuring = undefined
  }

  /**
   * Texts that left, and that nobody may be able to read any more: with `step` they are in line again, before all that is. Those
   * that are there stay where they are. Returns what to do once the step is written, within the same turn.
   */
  again(step: Step, thread: Bytes, sayings: readonly Saying[]): () => void {
    const name = toHex(thread)
    const here = new Set(this.of(name).map(nameOf))
    const back = sayings
      .filter(({ id }) => !here.has(toHex(id)))
      .map((saying) => waitingOf(thread, saying))
    step.ops.push(...back.map(this.#book.records.putWaiting))
    return () => {
      this.#lines.set(name, [...back, ...this.of(name)])
      this.#length += back.length
    }
  }

  /** What has not left is never said: with `step` these are out of line. Within a turn; returns what to do once it is written. */
  withdraw(step: Step, thread: string, ids: readonly Bytes[]): () => void {
    const wanted = new Set(ids.map(toHex))
    const gone = this.of(thread).filter((waiting) => wanted.has(nameOf(waiting)))
    step.ops.push(...gone.map(this.#book.records.delWaiting))
    return () => this.left(thread, gone)
  }

  /** The thread goes, and with `step` what waits in it. Within a turn. */
  forget(step: Step, thread: string): void {
    const line = this.of(thread)
    step.ops.push(...line.map(this.#book.records.delWaiting))
    this.left(thread, line)
  }
}

const nameOf = ({ content }: Waiting) => toHex(content.id)

/** Where it stands in line: before anything places it, as a message of this moment would. */
const waitingOf = (thread: Bytes, content: Saying): Waiting => ({
  thread,
  position: positionOf({ ...content, place: "none" }),
  content,
})

/** What our message said, to be said again; nothing when its words are gone. */
export function sayingOf(message: ChatMessage): Text | Setting | undefined {
  const { id, sentAtMs, lamport, file, replyTo, lifetime, sets, edited, deleted } = message
  const head = { id, sentAtMs, lamport }
  if (deleted) return undefined
  if (sets !== null) return { kind: "lifetime", ...head, lifetime: sets.lifetime }
  const { text, mentions } = edited?.first ?? message
  return {
    kind: "text",
    ...head,
    text,
    ...(file && { file }),
    ...(replyTo && { replyTo }),
    ...(mentions.length > 0 && { mentions }),
    ...(lifetime && { lifetime }),
  }
}

const full = () => new ApiError("QUEUE_FULL", `${WAITING_MAX} messages are waiting already`)

function repeated({ thread, done }: Asked, said: Said | undefined): void {
  if (said !== undefined && equal(said.thread.id, thread.id)) done.resolve(said)
  else done.reject(new ApiError("BAD_PARAMS", "another thread has a message of this id"))
}
