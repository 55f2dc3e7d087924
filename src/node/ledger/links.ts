/**
 * `/sotto/pbft/1`: the streams between validators (DESIGN §9). Whoever opens one proves with a signature of its validator key over the
 * mesh and both peer ids that it is a validator; the other side answers with the same, and from then on takes frames and says now and
 * then how much it has taken in. One direction a stream: every validator sends on the stream that it opened. The transport vouches for
 * the peer ids, so a proof is of no use to anybody else.
 *
 *   hello   version 1 ‖ mesh id 32 ‖ Ed25519 key 32 ‖ signature 3373
 *   frame   messages, each: length 4 ‖ bytes
 *   answer  bytes of frames taken in since the last answer 4
 *
 * Nothing is kept for a peer that is away: the core's STATUS repairs what was lost.
 */
import { setTimeout as after } from "node:timers/promises"
import type { Sign, Scheme } from "../../consensus/hybrid.ts"
import { keyOf } from "../../consensus/item.ts"
import { HYBRID_SIGNATURE_BYTES } from "../../consensus/limits.ts"
import type { Peer, ValidatorKeys } from "../../consensus/types.ts"
import { type Bytes, equal, Reader, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { Patience } from "../patience.ts"
import { type Frames, StreamError, type Streams } from "../transport/streams.ts"

export const PBFT_PROTOCOL = "/sotto/pbft/1"

/** Messages are packed into frames up to this size; one message alone may be larger. */
const FRAME_PACK_BYTES = 256 * 1024
/** Longest frame: libp2p holds no more for a reader. A message that does not fit is dropped; blocks are served in smaller answers. */
export const FRAME_BYTES_MAX = 3 * 1024 * 1024
/** Under way to one peer; more waits in the queue, and is packed together meanwhile. A longer frame goes alone. */
const WINDOW_BYTES = 512 * 1024
/** An answer comes at the latest after so much: well before the window is full. */
const ANSWER_AFTER_BYTES = 64 * 1024
/** Waiting for one peer; beyond it the newest is dropped. */
const QUEUE_BYTES_MAX = 8 * 1024 * 1024
const HELLO_DEADLINE_MS = 10_000
/** For the next part of a full window to be taken in: a laggard may be checking a whole answer of blocks. */
const FRAME_DEADLINE_MS = 30_000
const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 30_000
/** Rejected messages after which a stream is cut. */
const REJECTED_MAX = 16
const SLICE_MS = 8
const VERSION = 1
const HELLO_DOMAIN = utf8("sotto/validator-hello/1")

export interface LinksParts {
  readonly streams: Streams
  readonly meshId: Bytes
  /** This peer's id. */
  readonly peer: string
  readonly keys: ValidatorKeys
  readonly sign: Sign
  readonly scheme: Scheme
  /** Who may be at the other end now: the validators of this term and of the next. */
  readonly validators: () => readonly ValidatorKeys[]
  /** "reject" when an honest validator would not have sent it. */
  readonly receive: (from: Peer, message: Bytes) => Received | Promise<Received>
  /** This peer sent what no honest one would have: a proof that is none, a frame that is none, too many messages that are wrong. */
  readonly lied: (peer: string) => void
  readonly onChange: () => void
  readonly onFault: (error: unknown) => void
}

type Received = "taken" | "reject"

interface Outgoing {
  readonly peer: string
  readonly stop: AbortController
  queue: Bytes[]
  bytes: number
  /** Bytes of frames that were sent and not answered yet. */
  underWay: number
  /** Something to send, room in the window, or the end. */
  wake: () => void
  /** Ed25519 key of the validator there, once it has proved it. */
  key: Bytes | undefined
  /** It has called: no more rest before the next attempt. */
  called: () => void
  work: Promise<void>
}

export class LedgerLinks {
  readonly #parts: LinksParts
  readonly #outgoing = new Map<string, Outgoing>()
  /** Validators in the numbering of the core, by Ed25519 key, and the peer that proved last to be each. As many as there ever were. */
  readonly #numbers = new Map<string, Peer>()
  readonly #names: string[] = []
  readonly #stop = new AbortController()
  dropped = 0

  constructor(parts: LinksParts) {
    this.#parts = parts
  }

  async start(): Promise<void> {
    const limits = { frameBytesMax: FRAME_BYTES_MAX }
    await this.#parts.streams.handle(PBFT_PROTOCOL, limits, (frames, signal) =>
      this.#serve(frames, signal),
    )
  }

  /** Keys of the validators that can be sent to now. */
  get connected(): readonly Bytes[] {
    return Array.from(this.#outgoing.values(), ({ key }) => key).filter((key) => key !== undefined)
  }

  /** Peers that are validators, by their keys. */
  peersByKey(): readonly { readonly peer: string; readonly key: Bytes }[] {
    return [...this.#outgoing.values()].flatMap(({ peer, key }) => (key ? { peer, key } : []))
  }

  /** A peer is there; whether it is a validator is found out. */
  reach(peer: string): void {
    if (this.#outgoing.has(peer) || this.#stop.signal.aborted) return
    const out: Outgoing = {
      peer,
      stop: new AbortController(),
      queue: [],
      bytes: 0,
      underWay: 0,
      wake: () => undefined,
      key: undefined,
      called: () => undefined,
      work: Promise.resolve(),
    }
    this.#outgoing.set(peer, out)
    out.work = this.#keepSending(out).catch(this.#parts.onFault)
  }

  lost(peer: string): void {
    const out = this.#outgoing.get(peer)
    if (out === undefined) return
    this.#outgoing.delete(peer)
    out.stop.abort()
    out.wake()
    this.#parts.onChange()
  }

  send(to: Peer, message: Bytes): void {
    const out = this.#outgoing.get(this.#names[to] ?? "")
    if (out?.key !== undefined) this.#enqueue(out, message)
  }

  /** To every validator of `members` that is there. */
  broadcast(message: Bytes, members: readonly ValidatorKeys[]): void {
    for (const out of this.#outgoing.values()) {
      const { key } = out
      if (key !== undefined && members.some(({ ed25519 }) => equal(ed25519, key)))
        this.#enqueue(out, message)
    }
  }

  /** What this validator's peer sent turned out later to be a lie. */
  accuse(from: Peer): void {
    const peer = this.#names[from]
    if (peer !== undefined) this.#parts.lied(peer)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#parts.streams.unhandle(PBFT_PROTOCOL)
    const work = Array.from(this.#outgoing.values(), (out) => out.work)
    for (const peer of [...this.#outgoing.keys()]) this.lost(peer)
    await Promise.all(work)
  }

  #enqueue(out: Outgoing, message: Bytes): void {
    const bytes = message.length + 4
    if (bytes > FRAME_BYTES_MAX || out.bytes + bytes > QUEUE_BYTES_MAX) {
      this.dropped++
      return
    }
    out.queue.push(message)
    out.bytes += bytes
    out.wake()
  }

  /** Opens, and opens again, for as long as the peer is connected. */
  async #keepSending(out: Outgoing): Promise<void> {
    let delayMs = RETRY_MIN_MS
    const signal = AbortSignal.any([out.stop.signal, this.#stop.signal])
    while (!signal.aborted) {
      const called = new AbortController()
      out.called = () => called.abort()
      try {
        await this.#sendAll(out, signal, () => (delayMs = RETRY_MIN_MS))
      } catch (error) {
        if (!(error instanceof StreamError || error instanceof CryptoError)) throw error
      }
      if (out.key !== undefined) {
        out.key = undefined
        out.queue = []
        out.bytes = 0
        this.#parts.onChange()
      }
      // who calls while an attempt is under way shortens the rest after it, and never interrupts it: both sides may be calling
      if (called.signal.aborted) delayMs = RETRY_MIN_MS
      const rested = called.signal.aborted ? signal : AbortSignal.any([signal, called.signal])
      await after(delayMs, undefined, { signal: rested, ref: false }).catch(() => undefined)
      delayMs = called.signal.aborted ? RETRY_MIN_MS : Math.min(2 * delayMs, RETRY_MAX_MS)
    }
  }

  async #sendAll(out: Outgoing, signal: AbortSignal, opened: () => void): Promise<void> {
    const { streams } = this.#parts
    const within = (ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)])
    const limits = { frameBytesMax: FRAME_BYTES_MAX }
    const frames = await streams.open(out.peer, PBFT_PROTOCOL, limits, within(HELLO_DEADLINE_MS))
    try {
      await frames.send(this.#hello(out.peer), within(HELLO_DEADLINE_MS))
      out.key = this.#proved(await frames.receive(within(HELLO_DEADLINE_MS)), out.peer)
      opened()
      this.#parts.onChange()
      out.underWay = 0
      const patience = new Patience(signal, FRAME_DEADLINE_MS)
      try {
        await Promise.race([
          this.#sendFrames(out, frames, patience),
          this.#hearAnswers(out, frames, patience),
        ])
      } finally {
        patience.end()
        out.wake()
      }
    } finally {
      frames.abort()
    }
  }

  async #sendFrames(out: Outgoing, frames: Frames, patience: Patience): Promise<void> {
    const { signal } = patience
    while (!signal.aborted) {
      const frame = fits(out) ? packed(out) : undefined
      if (frame !== undefined) {
        out.underWay += frame.length
        patience.wait()
        await frames.send(frame, signal)
        patience.rest()
        continue
      }
      // a window that stays full is a peer that has stopped
      if (out.queue.length > 0) patience.wait()
      await new Promise<void>((resolve) => {
        out.wake = resolve
        if (signal.aborted || (out.queue.length > 0 && fits(out))) resolve()
      })
    }
  }

  async #hearAnswers(out: Outgoing, frames: Frames, patience: Patience): Promise<void> {
    for (;;) {
      const read = new Reader(await frames.receive(patience.signal))
      const taken = read.u32()
      read.done()
      if (taken > out.underWay) throw new CryptoError("BAD_ENCODING", "more taken than was sent")
      out.underWay -= taken
      patience.rest()
      out.wake()
    }
  }

  async #serve(frames: Frames, stopped: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([stopped, this.#stop.signal])
    const within = (ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)])
    const key = await this.#honestly(frames.peer, async () =>
      this.#proved(await frames.receive(within(HELLO_DEADLINE_MS)), frames.peer),
    )
    await frames.send(this.#hello(frames.peer), within(HELLO_DEADLINE_MS))
    const from = this.#numberOf(key, frames.peer)
    // Whoever calls can be called: one side may have learnt earlier than the other that both are validators.
    this.#again(frames.peer)
    let rejected = 0
    let taken = 0
    while (!signal.aborted) {
      const bytes = await this.#honestly(frames.peer, async () => {
        const frame = await frames.receive(signal)
        rejected += await this.#takeFrame(from, frame)
        if (rejected > REJECTED_MAX) throw new CryptoError("BAD_ENCODING", "a validator that lies")
        return frame.length
      })
      taken += bytes
      if (taken < ANSWER_AFTER_BYTES) continue
      await frames.send(new Writer().u32(taken).finish(), within(FRAME_DEADLINE_MS))
      taken = 0
    }
  }

  /** What a peer sent that is malformed, too long or wrong costs it its standing, besides the stream. */
  async #honestly<T>(peer: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const tooLarge = error instanceof StreamError && error.code === "TOO_LARGE"
      if (error instanceof CryptoError || tooLarge) this.#parts.lied(peer)
      throw error
    }
  }

  #again(peer: string): void {
    this.reach(peer)
    const out = this.#outgoing.get(peer)
    if (out?.key === undefined) out?.called()
  }

  /** How many of the frame's messages were rejected. */
  async #takeFrame(from: Peer, frame: Bytes): Promise<number> {
    const read = new Reader(frame)
    let rejected = 0
    let began = performance.now()
    while (read.left > 0) {
      const received = this.#parts.receive(from, read.bytes(4, FRAME_BYTES_MAX))
      // mostly known at once: a promise for each vote would cost a turn
      if ((typeof received === "string" ? received : await received) === "reject") rejected++
      if (performance.now() - began < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      began = performance.now()
    }
    return rejected
  }

  #numberOf(key: Bytes, peer: string): Peer {
    const number = this.#numbers.get(keyOf(key)) ?? this.#numbers.size
    this.#numbers.set(keyOf(key), number)
    this.#names[number] = peer
    return number
  }

  #hello(to: string): Bytes {
    const { meshId, keys, peer, sign } = this.#parts
    const signature = sign(helloPreimage(meshId, peer, to))
    return new Writer().u8(VERSION).raw(meshId).raw(keys.ed25519).raw(signature).finish()
  }

  /** The Ed25519 key that the peer has proved to hold. Throws CryptoError; StreamError for a validator that is not known here (yet). */
  #proved(hello: Bytes, from: string): Bytes {
    const { meshId, peer, scheme, validators } = this.#parts
    const read = new Reader(hello)
    if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "validator hello")
    if (!equal(read.raw(32), meshId)) throw new CryptoError("BAD_ENCODING", "another mesh")
    const key = read.raw(32)
    const signature = read.raw(HYBRID_SIGNATURE_BYTES)
    read.done()
    const keys = validators().find(({ ed25519 }) => equal(ed25519, key))
    if (keys === undefined) throw new StreamError("GONE", "no validator that is known here")
    if (!scheme.verify(keys, helloPreimage(meshId, from, peer), signature))
      throw new CryptoError("BAD_SIGNATURE", "not that validator")
    return key.slice()
  }
}

/** What a validator at peer `from` signs for the peer `to`. */
export const helloPreimage = (meshId: Bytes, from: string, to: string): Bytes =>
  new Writer().raw(HELLO_DOMAIN).raw(meshId).text(from, 1).text(to, 1).finish()

/** Whether the next frame may go on its way. */
const fits = ({ underWay, bytes }: Outgoing): boolean =>
  underWay === 0 || underWay + Math.min(bytes, FRAME_PACK_BYTES) <= WINDOW_BYTES

/** The oldest messages of the queue in one frame; undefined when there are none. */
function packed(out: Outgoing): Bytes | undefined {
  let bytes = 0
  let count = 0
  for (const message of out.queue) {
    if (count > 0 && bytes + message.length > FRAME_PACK_BYTES) break
    bytes += message.length + 4
    count++
  }
  if (count === 0) return undefined
  const writer = new Writer(bytes)
  for (const message of out.queue.splice(0, count)) writer.bytes(message, 4)
  out.bytes -= bytes
  return writer.finish()
}
