/**
 * Searching everything readable. The index lives in memory only, so a thief of the disk learns from it nothing at all; it is made of the
 * sealed history when somebody searches for the first time, newest first, and then kept up with every step of the book. What it names is
 * read and compared before it is shown. History beyond INDEX_BYTES_MAX is read through instead: slower, but found. Everything goes in
 * slices that leave the event loop to others.
 */
import type { ChatMessage } from "../../chat/message.ts"
import { type About, type Found, SearchIndex, threadName } from "../../chat/search-index.ts"
import { isEmptyQuery, matches, parseQuery, type SearchQuery } from "../../chat/search-query.ts"
import { folded } from "../../chat/search-words.ts"
import type { ChatThread } from "../../chat/thread.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { positionOf } from "../../chat/message.ts"
import { ApiError } from "../api/errors.ts"
import type { SearchAnswer, SearchHit } from "../api/search-views.ts"
import type { ChatBook, TextChange } from "./book.ts"
import type { ChatParts } from "./parts.ts"
import { nameOf } from "./view.ts"
import { beginOfDay } from "./search-days.ts"
import { Slices } from "../slices.ts"

/** Memory that the index may take, as it counts itself; some 300,000 messages of 40 words. What is older is read through when asked. */
export const INDEX_BYTES_MAX = 128 * 1024 * 1024
/** Entries that are gone but whose words still stand; beyond that the index is made anew. */
export const DROPPED_MAX = 10_000
/** Messages read at a time: what opening them takes is part of a slice. */
const PAGE = 64
const READ_TOGETHER = 16
const PROGRESS_EVERY_MS = 500

/** What of a message can be searched. */
const searchable = ({ text, file }: ChatMessage): string =>
  file === undefined ? text : `${text}\n${file.name}`

const foundOf = (thread: Bytes, message: ChatMessage): Found => ({
  id: message.id,
  thread,
  position: positionOf(message),
  sentAtMs: message.sentAtMs,
  author: message.author,
  mine: message.mine,
  hasFile: message.file !== undefined,
})

type Passes = (about: About, thread: string) => boolean

/** Where reading a thread's history backwards has come to. */
interface Reading {
  readonly thread: Bytes
  /** Position of the oldest message that was read; undefined before the first page. */
  before: Bytes | undefined
  /** When it was sent; threads that were spoken in last come first. */
  atMs: number
}

export type SearchParts = Pick<ChatParts, "clock" | "emit"> & { readonly bytesMax?: number }

export class Search {
  readonly #parts: SearchParts
  readonly #book: ChatBook
  #index: SearchIndex | undefined
  #ready: Promise<SearchIndex> | undefined
  #isBuilding = false
  /** What changed while the index is being made: what the pages say about it may be older. */
  readonly #changed = new Set<string>()
  /** History that the index has no room for. */
  #unindexed: Reading[] = []
  readonly #stopping = new AbortController()

  constructor(parts: SearchParts, book: ChatBook) {
    this.#parts = parts
    this.#book = book
  }

  /** Nothing more is read; a search under way fails with STOPPING. Resolves when it has. */
  async stop(): Promise<void> {
    this.#stopping.abort(new ApiError("STOPPING", "the node is stopping"))
    await this.#ready?.catch(() => undefined)
    this.#discard()
  }

  /** What the index takes, about; 0 while there is none. */
  get bytes(): number {
    return this.#index?.bytes ?? 0
  }

  /** Throws ApiError BAD_QUERY, UNKNOWN_CONTACT, UNKNOWN_THREAD, STOPPING. */
  async ask(text: string, limit: number): Promise<SearchAnswer> {
    const query = parseQuery(text)
    if (query === undefined || isEmptyQuery(query))
      throw new ApiError("BAD_QUERY", "a search takes words, from:, in:, has:file, before:, after:")
    const passes = this.#filterOf(query)
    this.#stopping.signal.throwIfAborted()
    this.#ready ??= this.#build()
    const index = await this.#ready
    const hits: SearchHit[] = []
    for await (const { thread, message } of this.#found(index, query, passes)) {
      if (hits.length === limit) return { hits, more: true }
      hits.push({
        message: await this.#book.messageView(thread, message),
        title: this.#book.view(thread).title,
      })
    }
    return { hits, more: false }
  }

  /** What can be read changes: the index follows. Nothing of it is ever written. */
  follow(changes: readonly TextChange[]): Promise<readonly never[]> {
    const index = this.#index
    if (index !== undefined)
      for (const { kind, thread, message } of changes) {
        if (this.#isBuilding) this.#changed.add(toHex(message.id))
        if (kind !== "said") index.remove(message.id)
        if (kind !== "gone") index.put(foundOf(thread, message), searchable(message))
      }
    const { dropped = 0, bytes = 0 } = index ?? {}
    const isWorn = dropped > DROPPED_MAX || bytes > this.#bytesMax * 1.25
    if (isWorn && !this.#isBuilding) this.#discard()
    return Promise.resolve([])
  }

  get #bytesMax(): number {
    return this.#parts.bytesMax ?? INDEX_BYTES_MAX
  }

  #filterOf(query: SearchQuery): Passes {
    const people = query.from.length === 0 ? undefined : this.#people(query.from)
    const threads = query.in.length === 0 ? undefined : this.#threads(query.in)
    const before = this.#day(query.before)
    const after = this.#day(query.after)
    return ({ author, sentAtMs, hasFile }, thread) =>
      (people === undefined || people.has(author)) &&
      (threads === undefined || threads.has(thread)) &&
      (before === undefined || sentAtMs < before) &&
      (after === undefined || sentAtMs >= after) &&
      (hasFile || !query.hasFile)
  }

  #day(text: string | null): number | undefined {
    if (text === null) return undefined
    const begin = beginOfDay(text, this.#parts.clock.nowMs())
    if (begin === undefined)
      throw new ApiError("BAD_QUERY", "a day is like 2026-11-20, 2026-11, today, monday or 7d")
    return begin
  }

  /** Addresses of everybody who goes by a name that begins so. */
  #people(names: readonly string[]): ReadonlySet<string> {
    const { me, contacts, channels } = this.#book
    const called = new Map<string, string>([[me, "me"]])
    for (const channel of channels.values())
      for (const address of channel.group?.people.keys() ?? [])
        if (address !== me) called.set(address, nameOf(this.#book, address, channel))
    for (const { address, name } of contacts.values()) called.set(address, name)
    const found = new Set<string>()
    for (const wanted of names) {
      const like = Array.from(called).filter(
        ([address, name]) =>
          folded(name).startsWith(folded(wanted)) || address.startsWith(wanted.toLowerCase()),
      )
      if (like.length === 0) throw new ApiError("UNKNOWN_CONTACT", "nobody of that name or address")
      for (const [address] of like) found.add(address)
    }
    return found
  }

  #threads(names: readonly string[]): ReadonlySet<string> {
    const found = new Set<string>()
    const all = Array.from(this.#book.threads.values(), (thread) => this.#book.view(thread))
    for (const wanted of names) {
      const like = all.filter(
        ({ id, title }) => id === wanted || folded(title).startsWith(folded(wanted)),
      )
      if (like.length === 0) throw new ApiError("UNKNOWN_THREAD", "there is no such thread")
      for (const { id } of like) found.add(threadName(new Uint8Array(Buffer.from(id, "hex"))))
    }
    return found
  }

  /** What the index names and the text bears out, newest first; then what it has no room for. */
  async *#found(
    index: SearchIndex,
    query: SearchQuery,
    passes: Passes,
  ): AsyncGenerator<{ thread: ChatThread; message: ChatMessage }> {
    const slices = new Slices()
    let waiting: Found[] = []
    for (const found of index.find(query.phrases, passes)) {
      if (found !== undefined) waiting.push(found)
      if (waiting.length === READ_TOGETHER || found === undefined) {
        yield* this.#borneOut(waiting, query)
        waiting = []
        await slices.pause()
        this.#stopping.signal.throwIfAborted()
      }
    }
    yield* this.#borneOut(waiting, query)
    for (const reading of this.#unindexed.map((each) => ({ ...each })))
      for await (const message of this.#history(reading, slices)) {
        const about = foundOf(reading.thread, message)
        const thread = this.#book.threads.get(toHex(reading.thread))
        if (thread === undefined || index.has(message.id)) continue
        if (
          passes(about, threadName(reading.thread)) &&
          matches(query.phrases, searchable(message))
        )
          yield { thread, message }
      }
  }

  async *#borneOut(
    candidates: readonly Found[],
    query: SearchQuery,
  ): AsyncGenerator<{ thread: ChatThread; message: ChatMessage }> {
    if (candidates.length === 0) return
    const read = await this.#book.records.messagesAt(
      candidates.map(({ thread, position }) => ({ thread, position })),
    )
    for (const [i, message] of read.entries()) {
      const found = candidates[i]
      const thread = found && this.#book.threads.get(toHex(found.thread))
      if (message === undefined || thread === undefined) continue
      if (matches(query.phrases, searchable(message))) yield { thread, message }
    }
  }

  /** Older messages of a thread, newest first; `reading` says how far it came. */
  async *#history(reading: Reading, slices: Slices): AsyncGenerator<ChatMessage> {
    for (;;) {
      const page = await this.#page(reading)
      for (const message of page) {
        await slices.pause()
        this.#stopping.signal.throwIfAborted()
        yield message
      }
      if (page.length < PAGE) return
    }
  }

  async #page(reading: Reading): Promise<readonly ChatMessage[]> {
    const { thread, before } = reading
    const page = await this.#book.records.messages(thread, {
      reverse: true,
      limit: PAGE,
      ...(before === undefined ? {} : { before }),
    })
    const oldest = page.at(-1)
    if (oldest !== undefined) {
      reading.before = positionOf(oldest)
      reading.atMs = oldest.sentAtMs
    }
    return page
  }

  #build(): Promise<SearchIndex> {
    this.#isBuilding = true
    return this.#make().finally(() => {
      this.#isBuilding = false
      this.#changed.clear()
    })
  }

  /** Reads the whole history, what was said last first, over all threads. */
  async #make(): Promise<SearchIndex> {
    const index = new SearchIndex()
    const slices = new Slices()
    const { threads, last } = this.#book
    let open = Array.from(threads, ([name, { id }]): Reading => {
      return { thread: id, before: undefined, atMs: last.get(name)?.sentAtMs ?? 0 }
    })
    const told = this.#progress(Array.from(threads.values()))
    this.#index = index
    this.#unindexed = []
    try {
      while (open.length > 0 && index.bytes < this.#bytesMax) {
        const newest = open.reduce((a, b) => (b.atMs > a.atMs ? b : a))
        const page = await this.#page(newest)
        for (const message of page) {
          await slices.pause()
          this.#stopping.signal.throwIfAborted()
          if (!this.#changed.has(toHex(message.id)))
            index.put(foundOf(newest.thread, message), searchable(message))
        }
        if (page.length < PAGE) open = open.filter((each) => each !== newest)
        told(index.size)
      }
      this.#unindexed = open
      return index
    } catch (error) {
      this.#discard()
      throw error
    } finally {
      told("done")
    }
  }

  #discard(): void {
    this.#index = undefined
    this.#ready = undefined
    this.#unindexed = []
  }

  /** Tells the screens how far it is, when it takes long. How many messages there are is guessed from the threads' clocks. */
  #progress(threads: readonly ChatThread[]): (done: number | "done") => void {
    const total = threads.reduce((sum, { lamport }) => sum + lamport, 1)
    const emit = (done: number) =>
      this.#parts.emit({ type: "progress", what: "reading the history", done, total })
    let next = performance.now() + PROGRESS_EVERY_MS
    let isShown = false
    return (done) => {
      if (done === "done") {
        if (isShown) emit(total)
      } else if (performance.now() >= next) {
        isShown = true
        next = performance.now() + PROGRESS_EVERY_MS
        emit(Math.min(done, total - 1))
      }
    }
  }
}
