/**
 * One round of reading a peer's store: pages of ids from where we left off, of these the ones not known here, those fetched in batches,
 * each judged like any other envelope and then kept. The four steps are one pipeline, so that asking, transferring and storing
 * overlap and the slowest sets the pace. A peer that lies, stalls or never ends costs a bounded amount of time, and nothing it
 * says is kept unjudged.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import { pipe } from "it-pipe"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { envelopeId } from "../../crypto/envelope.ts"
import { CodedError, CryptoError } from "../../crypto/errors.ts"
import type { Cursors } from "./cursors.ts"
import type { Mailbox } from "./mailbox.ts"
import type { Streams } from "../transport/streams.ts"
import { isPassing } from "./sync-later.ts"
import {
  type Cursor,
  decodeEnvelopes,
  decodePage,
  encodeRequest,
  FETCH_MAX,
  type IdsPage,
  PAGE_IDS_MAX,
  type Refusal,
  REPLY_BYTES_MAX,
  type SyncRequest,
} from "./sync-messages.ts"

export const SYNC_PROTOCOL = "/sotto/sync/1"

/** Fetches under way at a time: with FETCH_MAX envelopes each, 1 MiB. */
const FETCHES_MAX = 4
/** Ids looked up in the store before everything else gets its turn: some milliseconds. */
const LOOKUPS_IN_A_ROW = 256
const REPLY_DEADLINE_MS = 5_000
/** After this long it is another peer's turn; the rest waits for the next round. */
const TURN_MS = 15_000
/** Ids that a peer offers but does not deliver. An honest one drops old envelopes between two requests, a few. */
const BROKEN_PROMISES_MAX = 512

export type SyncErrorCode =
  /** The peer sent what no honest peer sends; it is left alone for a while. */
  | "SYNC_LIED"
  /** The peer belongs to another mesh. */
  | "OTHER_MESH"

export class SyncError extends CodedError<SyncErrorCode> {}

export interface RoundParts {
  readonly peer: string
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly streams: Streams
  readonly mailbox: Mailbox
  readonly cursors: Cursors
  readonly signal: AbortSignal
  /** The peer has this envelope, and the ledger here does not know enough to judge it. */
  readonly onLater: (id: Bytes) => void
  /** Envelopes fetched, and found missing, so far. */
  readonly onProgress: (done: number, total: number) => void
}

export interface RoundResult {
  /** Envelopes that were new here. */
  readonly stored: number
  /** False when the turn was over before the peer had told everything. */
  readonly complete: boolean
}

/** Asks one thing of a peer. Throws StreamError, SyncError. */
export async function ask<T>(
  { peer, meshId, streams, signal }: Pick<RoundParts, "peer" | "meshId" | "streams" | "signal">,
  request: WithoutMesh<SyncRequest>,
  decode: (reply: Bytes) => T | Refusal,
): Promise<T> {
  const reply = await streams.request(peer, SYNC_PROTOCOL, encodeRequest({ ...request, meshId }), {
    signal,
    deadlineMs: REPLY_DEADLINE_MS,
    replyBytesMax: REPLY_BYTES_MAX,
  })
  let answer: T | Refusal
  try {
    answer = decode(reply)
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause
    throw new SyncError("SYNC_LIED", "a reply that is none", { cause })
  }
  if (answer === "OTHER_MESH") throw new SyncError("OTHER_MESH", "the peer is of another mesh")
  return answer
}

type WithoutMesh<T> = T extends unknown ? Omit<T, "meshId"> : never

/** Reads on in the peer's store. Throws SyncError, StreamError, StoreError; what was kept until then stays. */
export async function syncRound(parts: RoundParts): Promise<RoundResult> {
  const over = new AbortController()
  const round = new Round({ ...parts, signal: AbortSignal.any([parts.signal, over.signal]) })
  try {
    await pipe(
      () => round.pages(),
      (pages) => round.missing(pages),
      (batches) => round.fetched(batches),
      (batches) => round.keep(batches),
    )
    return { stored: round.stored, complete: round.complete }
  } finally {
    // fetches that nobody waits for any more
    over.abort()
  }
}

interface Batch<T> {
  readonly items: readonly T[]
  /** Reached once this batch is kept; only on the last batch of a page. */
  readonly cursor: Cursor | undefined
}

interface Fetched {
  readonly id: Bytes
  readonly bytes: Bytes
}

class Round {
  stored = 0
  complete = false
  readonly #parts: RoundParts
  readonly #turnEnds = performance.now() + TURN_MS
  #total = 0
  #done = 0
  #broken = 0

  constructor(parts: RoundParts) {
    this.#parts = parts
  }

  async *pages(): AsyncGenerator<IdsPage> {
    let page = await this.#page(this.#parts.cursors.get(this.#parts.peer))
    // what comes in there during this round is left to the next one: a round has an end
    const { storeId, last: end } = page
    const ahead = end - this.#parts.mailbox.envelopesMax
    // more than fits here: only the newest are worth asking for
    if (page.next < ahead) page = await this.#page({ storeId, after: ahead })
    for (;;) {
      yield page
      if (page.ids.length < PAGE_IDS_MAX || page.next >= end) break
      if (performance.now() > this.#turnEnds) return
      page = await this.#page({ storeId, after: page.next })
    }
    this.complete = true
  }

  async *missing(pages: AsyncIterable<IdsPage>): AsyncGenerator<Batch<Bytes>> {
    for await (const page of pages) {
      const wanted = new Map<string, Bytes>()
      for (const [i, id] of page.ids.entries()) {
        if (i % LOOKUPS_IN_A_ROW === LOOKUPS_IN_A_ROW - 1) await nextTurn()
        if (!this.#parts.mailbox.knows(id)) wanted.set(toHex(id), id)
      }
      this.#count(0, wanted.size)
      const ids = [...wanted.values()]
      const cursor = { storeId: page.storeId, after: page.next }
      for (let at = 0; at === 0 || at < ids.length; at += FETCH_MAX) {
        const last = at + FETCH_MAX >= ids.length
        yield { items: ids.slice(at, at + FETCH_MAX), cursor: last ? cursor : undefined }
      }
    }
  }

  /** In the order of the batches, up to FETCHES_MAX of them under way. */
  async *fetched(batches: AsyncIterable<Batch<Bytes>>): AsyncGenerator<Batch<Fetched>> {
    const under: Promise<Batch<Fetched>>[] = []
    for await (const { items, cursor } of batches) {
      const fetching = this.#fetch(items).then((found) => ({ items: found, cursor }))
      // looked at in its turn; until then a failure must not count as unhandled
      fetching.catch(() => undefined)
      under.push(fetching)
      const next = under.length >= FETCHES_MAX ? under.shift() : undefined
      if (next !== undefined) yield await next
    }
    for (const fetching of under) yield await fetching
  }

  async keep(batches: AsyncIterable<Batch<Fetched>>): Promise<void> {
    const { mailbox, cursors, peer } = this.#parts
    for await (const { items, cursor } of batches) {
      const verdicts = await Promise.all(
        items.map(({ bytes }) => mailbox.admit(bytes, { from: "sync", peer })),
      )
      this.stored += verdicts.filter(({ verdict }) => verdict === "accept").length
      for (const [i, { id }] of items.entries()) {
        const verdict = verdicts[i]
        if (verdict?.verdict === "ignore" && isPassing(verdict.code)) this.#parts.onLater(id)
      }
      this.#count(items.length, 0)
      const refused = verdicts.find(({ verdict }) => verdict === "reject")
      if (refused?.verdict === "reject")
        throw new SyncError("SYNC_LIED", `an envelope that no peer keeps: ${refused.code}`)
      if (cursor !== undefined) await cursors.set(peer, cursor)
    }
  }

  async #page(cursor: Cursor): Promise<IdsPage> {
    const page = await ask(this.#parts, { kind: "ids", cursor, limit: PAGE_IDS_MAX }, decodePage)
    const same = equal(page.storeId, cursor.storeId)
    // another store than the last time, or one that lost its end, is told from its beginning
    const after = same && page.last >= cursor.after ? cursor.after : 0
    // every id has a number of its own, above where we asked and not above the newest
    if (page.next - after < page.ids.length || page.next > page.last)
      throw new SyncError("SYNC_LIED", "a page that does not add up")
    return page
  }

  async #fetch(ids: readonly Bytes[]): Promise<readonly Fetched[]> {
    if (ids.length === 0) return []
    const found = await ask(this.#parts, { kind: "fetch", ids }, decodeEnvelopes)
    if (found.length !== ids.length) throw new SyncError("SYNC_LIED", "not what was asked for")
    const out: Fetched[] = []
    for (const [i, id] of ids.entries()) {
      const bytes = found[i]
      if (bytes === undefined) this.#broken += 1
      else if (equal(envelopeId(bytes), id)) out.push({ id, bytes })
      else throw new SyncError("SYNC_LIED", "another envelope under this id")
    }
    if (this.#broken > BROKEN_PROMISES_MAX)
      throw new SyncError("SYNC_LIED", "envelopes offered and not delivered")
    return out
  }

  #count(done: number, total: number): void {
    this.#done += done
    this.#total += total
    if (done + total > 0) this.#parts.onProgress(this.#done, this.#total)
  }
}
