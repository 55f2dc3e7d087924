/**
 * Sync: what gossip did not bring (DESIGN §9, `/sotto/sync/1`). A peer is read when it connects, when it says that it has news, after
 * envelopes had to be ignored under load, and one at random every now and then: soon after something arrived, once a minute in a
 * quiet mesh; the same one is told if there is news here. All peers do so alike, so it says nothing about who wrote. Peers are read one at a time, because most of them hold the same. The other half answers such reading, hands out the
 * genesis, and says which envelopes were taken.
 */
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { envelopeId } from "../../crypto/envelope.ts"
import { Cursors } from "./cursors.ts"
import type { Mailbox } from "./mailbox.ts"
import { StreamError, type Streams } from "../transport/streams.ts"
import {
  decodeBlocks,
  decodeEnvelopes,
  decodeNothing,
  decodePeers,
  decodeRequest,
  encodeBlocks,
  encodeEnvelopes,
  encodeGenesisReply,
  encodeNothing,
  encodePage,
  encodePeers,
  encodeRefusal,
  REQUEST_BYTES_MAX,
  type SyncRequest,
} from "./sync-messages.ts"
import { SyncLater } from "./sync-later.ts"
import { ask, SYNC_PROTOCOL, SyncError, syncRound } from "./sync-round.ts"
import type { Store } from "../store/store.ts"

/** First look at a random peer after something arrived; doubles up to the longest. */
const LOOK_MIN_MS = 5_000
const LOOK_MAX_MS = 60_000
/** A peer that did not answer in time is asked again after this; doubles up to LOOK_MAX_MS, so that it does not keep the others waiting. */
const SLOW_MS = 3_000
/** The ledger can move hundreds of times a second; what waited for it is asked for at most this often. */
const LATER_MS = 500
/** Peers told after a round that brought something. */
const NEWS_PEERS_MAX = 8

export interface SyncProgress {
  readonly state: "idle" | "syncing"
  /** Envelopes fetched and known to be missing in the running round; both 0 when idle. */
  readonly done: number
  readonly total: number
}

/** `NO_SYNC`: it does not sync at all, such as one that only came for the genesis. */
export type Refused = SyncError["code"] | "NO_SYNC"

export interface SyncParts {
  readonly store: Store
  readonly mailbox: Mailbox
  readonly streams: Streams
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly genesis: Bytes
  /** Peers that can be read now. */
  readonly connected: () => readonly string[]
  /** Address lists of peers worth knowing, for one that asks. */
  readonly introductions: (asking: string) => readonly (readonly string[])[]
  /** A peer answered for this mesh. */
  readonly onMember: (peer: string) => void
  /** Not a peer to go on with. */
  readonly onRefused: (peer: string, why: Refused) => void
  readonly onProgress: (progress: SyncProgress) => void
  /** These envelopes were fetched by a peer: it has them now. */
  readonly onServed: (ids: readonly Bytes[], peer: string) => void
  /** Encoded blocks of the ledger above a height, at most so many; none in a mesh without one. */
  readonly blocks?: ((after: number, limit: number) => Promise<readonly Bytes[]>) | undefined
  readonly onFault: (error: unknown) => void
}

const IDLE: SyncProgress = { state: "idle", done: 0, total: 0 }

export class Sync {
  readonly #parts: SyncParts
  readonly #cursors: Cursors
  readonly #stop = new AbortController()
  /** Peers waiting to be read, each once. */
  readonly #waiting = new Set<string>()
  /** Peers that did not answer in time: not read until the timer is over, which then reads them. */
  readonly #slow = new Map<
    string,
    { readonly pauseMs: number; timer: NodeJS.Timeout | undefined }
  >()
  #reading: Promise<void> | undefined
  readonly #later: SyncLater
  #laterTimer: NodeJS.Timeout | undefined
  #laterPeriod: number | undefined
  #progress = IDLE
  #lookMs = LOOK_MAX_MS
  /** Our newest envelope when somebody was last told by the clock. */
  #toldSeq: number
  #timer: NodeJS.Timeout | undefined
  readonly #unsubscribe: (() => void)[] = []

  private constructor(parts: SyncParts, cursors: Cursors) {
    this.#parts = parts
    this.#cursors = cursors
    this.#toldSeq = parts.mailbox.lastSeq
    this.#later = new SyncLater((id) => parts.mailbox.isVouched(id))
  }

  static async start(parts: SyncParts): Promise<Sync> {
    const sync = new Sync(parts, await Cursors.open(parts.store))
    const limits = { requestBytesMax: REQUEST_BYTES_MAX }
    await parts.streams.serve(SYNC_PROTOCOL, limits, (request, peer) =>
      sync.#answer(decodeRequest(request), peer),
    )
    sync.#unsubscribe.push(
      parts.mailbox.onStored(({ id }) => {
        sync.#later.came(id)
        sync.#lookSoon()
      }),
      parts.mailbox.onShed((peer) => {
        sync.#waiting.add(peer)
        sync.#lookSoon()
      }),
    )
    sync.#schedule()
    return sync
  }

  get progress(): SyncProgress {
    return this.#progress
  }

  /** Reads this peer as soon as it is its turn. */
  read(peer: string): void {
    if (this.#stop.signal.aborted || this.#isSlow(peer)) return
    this.#waiting.add(peer)
    this.#reading ??= this.#readAll().catch(this.#parts.onFault)
  }

  /**
   * Gossip with this peer has just come up. What was posted on either side between the first reading and this moment went past it, so
   * both sides look once more.
   */
  greet(peer: string): void {
    this.read(peer)
    if (!this.#stop.signal.aborted && this.#parts.mailbox.count > 0) this.#tellNews(peer)
  }

  /** Addresses of other peers of the mesh, as this one tells them: hints, nothing more. Throws StreamError, SyncError. */
  async introductions(peer: string): Promise<readonly (readonly string[])[]> {
    return await ask(this.#asking(peer), { kind: "peers" }, decodePeers)
  }

  /** Blocks of the ledger above a height, as this peer has them: unjudged. Throws StreamError, SyncError. */
  async blocks(peer: string, after: number, limit: number): Promise<readonly Bytes[]> {
    return await ask(this.#asking(peer), { kind: "blocks", after, limit }, decodeBlocks)
  }

  /** What a peer keeps under these ids (at most FETCH_MAX), in their order: unjudged. Throws StreamError, SyncError. */
  async envelopes(
    peer: string,
    ids: readonly Bytes[],
    signal: AbortSignal,
  ): Promise<readonly (Bytes | undefined)[]> {
    const asking = this.#asking(peer)
    const until = AbortSignal.any([asking.signal, signal])
    const found = await ask({ ...asking, signal: until }, { kind: "fetch", ids }, decodeEnvelopes)
    const isAsked = (bytes: Bytes | undefined, i: number) =>
      bytes === undefined || equal(envelopeId(bytes), ids[i] ?? bytes)
    if (found.length !== ids.length || !found.every(isAsked))
      throw new SyncError("SYNC_LIED", "not what was asked for")
    return found
  }

  /** Asks one peer for envelopes (at most FETCH_MAX) and keeps those that are in order. Throws StreamError, SyncError. */
  async fetch(peer: string, ids: readonly Bytes[]): Promise<void> {
    const found = await ask(this.#asking(peer), { kind: "fetch", ids }, decodeEnvelopes)
    for (const bytes of found)
      if (bytes !== undefined) await this.#parts.mailbox.admit(bytes, { from: "fetch", peer })
  }

  /** The ledger has another block, and is in this period: what could not be judged before is asked for again. */
  ledgerMoved(period: number | undefined): void {
    if (this.#later.size === 0 || this.#stop.signal.aborted) return
    this.#laterTimer ??= setTimeout(() => {
      this.#laterTimer = undefined
      this.#readLater(period !== this.#laterPeriod).catch(this.#parts.onFault)
      this.#laterPeriod = period
    }, LATER_MS)
  }

  async #readLater(all: boolean): Promise<void> {
    for (const { peer, ids } of this.#later.due(all)) {
      if (this.#stop.signal.aborted || !this.#parts.connected().includes(peer)) continue
      try {
        await this.fetch(peer, ids)
      } catch (error) {
        this.#failed(peer, error)
      }
    }
  }

  /** Resolves when no peer is being read any more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    clearTimeout(this.#laterTimer)
    for (const { timer } of this.#slow.values()) clearTimeout(timer)
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#waiting.clear()
    await this.#reading
  }

  #asking(peer: string) {
    const { streams, meshId } = this.#parts
    return { peer, meshId, streams, signal: this.#stop.signal }
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const [peer] = this.#waiting
      if (peer === undefined || this.#stop.signal.aborted) break
      this.#waiting.delete(peer)
      if (this.#parts.connected().includes(peer) && !this.#isSlow(peer)) await this.#readOne(peer)
    }
    this.#reading = undefined
    this.#tell(IDLE)
  }

  async #readOne(peer: string): Promise<void> {
    try {
      const { stored, complete } = await syncRound({
        ...this.#asking(peer),
        mailbox: this.#parts.mailbox,
        cursors: this.#cursors,
        onLater: (id) => this.#later.add(id, peer),
        onProgress: (done, total) => this.#tell({ state: "syncing", done, total }),
      })
      clearTimeout(this.#slow.get(peer)?.timer)
      this.#slow.delete(peer)
      this.#parts.onMember(peer)
      if (!complete) this.#waiting.add(peer)
      if (stored > 0) this.#spread(peer)
    } catch (error) {
      this.#failed(peer, error)
    }
  }

  #isSlow(peer: string): boolean {
    return this.#slow.get(peer)?.timer !== undefined
  }

  /** It may be busy, or we were: so it is asked again, but not at once. */
  #postpone(peer: string): void {
    if (this.#isSlow(peer)) return
    const pauseMs = Math.min((this.#slow.get(peer)?.pauseMs ?? SLOW_MS / 2) * 2, LOOK_MAX_MS)
    const timer = setTimeout(() => {
      if (this.#parts.connected().includes(peer)) {
        this.#slow.set(peer, { pauseMs, timer: undefined })
        this.read(peer)
      } else this.#slow.delete(peer)
    }, pauseMs)
    this.#slow.set(peer, { pauseMs, timer })
  }

  #failed(peer: string, error: unknown): void {
    if (this.#stop.signal.aborted) return
    if (error instanceof SyncError) this.#parts.onRefused(peer, error.code)
    else if (error instanceof StreamError) {
      // it left, or is too slow: it will be read when it comes back, or when its turn comes again
      if (error.code === "UNSUPPORTED") this.#parts.onRefused(peer, "NO_SYNC")
      if (error.code === "TIMEOUT") this.#postpone(peer)
    } else this.#parts.onFault(error)
  }

  /** What came by sync was not gossiped to us, so others may lack it too: they are told to look. */
  #spread(source: string): void {
    const others = this.#parts.connected().filter((peer) => peer !== source)
    for (const peer of others.slice(0, NEWS_PEERS_MAX)) this.#tellNews(peer)
  }

  #tellNews(peer: string): void {
    const { mailbox, store } = this.#parts
    const news = { kind: "news", storeId: store.id, last: mailbox.lastSeq } as const
    ask(this.#asking(peer), news, decodeNothing).catch((error: unknown) =>
      this.#failed(peer, error),
    )
  }

  #tell(progress: SyncProgress): void {
    if (progress === IDLE && this.#progress === IDLE) return
    this.#progress = progress
    this.#parts.onProgress(progress)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    // a little irregular, so that peers that started together do not stay together
    const delayMs = this.#lookMs * (0.75 + Math.random() / 2)
    this.#timer = setTimeout(() => this.#look(), delayMs)
  }

  #look(): void {
    this.#lookMs = Math.min(this.#lookMs * 2, LOOK_MAX_MS)
    this.#schedule()
    const connected = this.#parts.connected()
    const peer = connected[Math.floor(Math.random() * connected.length)]
    if (peer === undefined) return
    this.read(peer)
    const { lastSeq } = this.#parts.mailbox
    if (lastSeq === this.#toldSeq) return
    this.#toldSeq = lastSeq
    this.#tellNews(peer)
  }

  #lookSoon(): void {
    if (this.#lookMs === LOOK_MIN_MS || this.#stop.signal.aborted) return
    this.#lookMs = LOOK_MIN_MS
    this.#schedule()
  }

  async #answer(request: SyncRequest, peer: string): Promise<Bytes> {
    const { meshId, genesis, mailbox } = this.#parts
    if (!equal(request.meshId, meshId)) return encodeRefusal("OTHER_MESH")
    switch (request.kind) {
      case "ids":
        return await this.#page(request)
      case "fetch": {
        const found = await mailbox.getMany(request.ids)
        this.#parts.onServed(
          request.ids.filter((_, i) => found[i] !== undefined),
          peer,
        )
        return encodeEnvelopes(found)
      }
      case "genesis":
        return encodeGenesisReply(genesis)
      case "peers":
        return encodePeers(this.#parts.introductions(peer))
      case "news": {
        const { storeId, after } = this.#cursors.get(peer)
        if (!equal(storeId, request.storeId) || after < request.last) this.read(peer)
        return encodeNothing()
      }
      case "blocks":
        return encodeBlocks((await this.#parts.blocks?.(request.after, request.limit)) ?? [])
    }
  }

  async #page({ cursor, limit }: Extract<SyncRequest, { kind: "ids" }>): Promise<Bytes> {
    const { store, mailbox } = this.#parts
    // a cursor of another store, or of one that had more before a crash, says nothing here
    const known = equal(cursor.storeId, store.id) && cursor.after <= mailbox.lastSeq
    const after = known ? cursor.after : 0
    const entries = await mailbox.idsAfter(after, limit)
    const next = entries.at(-1)?.seq ?? after
    return encodePage({
      storeId: store.id,
      // the index may already show what the count does not include yet
      last: Math.max(next, mailbox.lastSeq),
      next,
      ids: entries.map(({ id }) => id),
    })
  }
}
