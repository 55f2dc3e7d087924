/**
 * The one place that touches libp2p's streams. Frames are length-prefixed (unsigned varint) and bounded, every wait has a deadline, both
 * ends always close, and whatever goes wrong comes out as a StreamError. Inside a frame every protocol uses our canonical encoding
 * (crypto/bytes.ts). Streams are opened over connections that exist; nothing here dials.
 */
import type { Stream } from "@libp2p/interface"
import { peerIdFromString } from "@libp2p/peer-id"
import { type LengthPrefixedStream, lpStream } from "@libp2p/utils"
import type { Libp2p } from "libp2p"
import type { Bytes } from "../../crypto/bytes.ts"
import { CodedError, CryptoError } from "../../crypto/errors.ts"
import { plain } from "../plain-bytes.ts"
import { directFirst } from "./relays.ts"

export type StreamErrorCode =
  /** There is no connection to this peer. */
  | "NOT_CONNECTED"
  /** The peer does not speak the protocol. */
  | "UNSUPPORTED"
  /** Nothing came in time, or the caller gave up. */
  | "TIMEOUT"
  /** The peer closed or reset the stream, or the connection broke. */
  | "GONE"
  /** A frame longer than agreed, or more data in advance than the reader may hold. */
  | "TOO_LARGE"

export class StreamError extends CodedError<StreamErrorCode> {}

/** What a reader that falls behind may pile up; libp2p cuts the stream at 4 MiB whatever it is told. */
const READ_AHEAD_BYTES_MAX = 4 * 1024 * 1024
const CLOSE_TIMEOUT_MS = 2_000
const DEADLINE_MS = 10_000
/** Streams of one protocol that one peer may have open here at a time. */
const INBOUND_PER_PEER_MAX = 16
/** Requests of one protocol served at a time; further streams are reset. */
const SERVING_MAX = 64

/** No frame is so long that its length takes more. */
const LENGTH_BYTES_MAX = 5
/** Asks for another byte. Made once: a new error for each frame costs more than all else in reading it. */
const INCOMPLETE = new RangeError("the length goes on")

/** An unsigned varint, as far as it has come. Throws INCOMPLETE, and StreamError TOO_LARGE. */
function lengthOf(read: { readonly byteLength: number; get(index: number): number }): number {
  let length = 0
  for (let i = 0; i < read.byteLength; i++) {
    const byte = read.get(i)
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return length
  }
  if (read.byteLength < LENGTH_BYTES_MAX) throw INCOMPLETE
  throw new StreamError("TOO_LARGE", "a length that does not end")
}

export interface FrameLimits {
  /** Longest frame accepted. */
  readonly frameBytesMax: number
}

/** A stream of frames. Send and receive in turn: one send and one receive at a time. */
export class Frames {
  readonly peer: string
  readonly #stream: Stream
  readonly #frames: LengthPrefixedStream

  /** Must be made in the same turn in which the stream was handed over: libp2p loses what comes before. */
  constructor(stream: Stream, peer: string, { frameBytesMax }: FrameLimits) {
    this.peer = peer
    this.#stream = stream
    this.#frames = lpStream(stream, {
      maxDataLength: frameBytesMax,
      maxBufferSize: READ_AHEAD_BYTES_MAX,
      lengthDecoder: lengthOf,
    })
  }

  /** Resolves when the frame has been handed on; a slow peer makes this wait. Throws StreamError. */
  async send(frame: Bytes, signal: AbortSignal): Promise<void> {
    await coded(this.#frames.write(frame, { signal }), signal)
  }

  /** The next frame. Throws StreamError; GONE as well when the peer has nothing more to say. */
  async receive(signal: AbortSignal): Promise<Bytes> {
    return plain((await coded(this.#frames.read({ signal }), signal)).subarray())
  }

  /** Says that this end is done and lets what was sent arrive. Never throws. */
  async close(): Promise<void> {
    const signal = AbortSignal.timeout(CLOSE_TIMEOUT_MS)
    try {
      await this.#stream.close({ signal })
    } catch {
      this.abort()
    }
  }

  /** Ends both directions at once. */
  abort(): void {
    this.#stream.abort(new Error("stream given up"))
  }
}

export interface RequestOptions {
  readonly signal?: AbortSignal
  /** For the whole exchange; default 10 s. */
  readonly deadlineMs?: number
  readonly replyBytesMax: number
}

export interface ServeLimits {
  readonly requestBytesMax: number
  /** For reading the request, working on it and writing the reply; default 10 s. */
  readonly deadlineMs?: number
}

/** Answers one request, or throws to reset the stream. `signal` aborts at the deadline and when the node stops. */
export type RequestHandler = (request: Bytes, peer: string, signal: AbortSignal) => Promise<Bytes>

/** Owns a stream from its opening until it returns or throws. */
export type FramesHandler = (frames: Frames, signal: AbortSignal) => Promise<void>

export class Streams {
  readonly #libp2p: Libp2p
  readonly #stop = new AbortController()
  readonly #serving = new Set<Promise<void>>()
  readonly #protocols: string[] = []
  readonly #onFault: (error: unknown) => void

  /** `onFault`: a handler failed in a way that is no peer's doing. */
  constructor(libp2p: Libp2p, onFault: (error: unknown) => void) {
    this.#libp2p = libp2p
    this.#onFault = onFault
  }

  /** Opens a stream to a connected peer. The caller closes or aborts it. Throws StreamError. */
  async open(
    peer: string,
    protocol: string,
    limits: FrameLimits,
    signal: AbortSignal,
  ): Promise<Frames> {
    const connection = directFirst(this.#libp2p.getConnections(peerIdFromString(peer))).find(
      ({ status }) => status === "open",
    )
    if (connection === undefined)
      throw new StreamError("NOT_CONNECTED", "no connection to the peer")
    const opening = connection.newStream(protocol, { signal, runOnLimitedConnection: true })
    return new Frames(await coded(opening, signal), peer, limits)
  }

  /** One frame there, one frame back. Throws StreamError. */
  async request(
    peer: string,
    protocol: string,
    request: Bytes,
    { signal, deadlineMs = DEADLINE_MS, replyBytesMax }: RequestOptions,
  ): Promise<Bytes> {
    const until = AbortSignal.any([
      AbortSignal.timeout(deadlineMs),
      this.#stop.signal,
      ...(signal === undefined ? [] : [signal]),
    ])
    const frames = await this.open(peer, protocol, { frameBytesMax: replyBytesMax }, until)
    try {
      await frames.send(request, until)
      const reply = await frames.receive(until)
      await frames.close()
      return reply
    } catch (error) {
      frames.abort()
      throw error
    }
  }

  /** Answers requests of this protocol from now on. */
  async serve(protocol: string, limits: ServeLimits, handler: RequestHandler): Promise<void> {
    const { requestBytesMax, deadlineMs = DEADLINE_MS } = limits
    await this.handle(protocol, { frameBytesMax: requestBytesMax }, async (frames, stopped) => {
      const until = AbortSignal.any([AbortSignal.timeout(deadlineMs), stopped])
      await frames.send(await handler(await frames.receive(until), frames.peer, until), until)
    })
  }

  /** Gives every stream that peers open for this protocol to `handler`. At the limits streams are reset. */
  async handle(protocol: string, limits: FrameLimits, handler: FramesHandler): Promise<void> {
    this.#protocols.push(protocol)
    let serving = 0
    await this.#libp2p.handle(
      protocol,
      (stream, connection) => {
        const frames = new Frames(stream, connection.remotePeer.toString(), limits)
        if (serving >= SERVING_MAX || this.#stop.signal.aborted) {
          frames.abort()
          return
        }
        serving += 1
        const work = this.#run(frames, handler).finally(() => {
          serving -= 1
          this.#serving.delete(work)
        })
        this.#serving.add(work)
      },
      { maxInboundStreams: INBOUND_PER_PEER_MAX, runOnLimitedConnection: true },
    )
  }

  async #run(frames: Frames, handler: FramesHandler): Promise<void> {
    const onStop = () => frames.abort()
    this.#stop.signal.addEventListener("abort", onStop, { once: true })
    try {
      await handler(frames, this.#stop.signal)
      await frames.close()
    } catch (error) {
      // the peer left, sent nonsense, too much or too slowly: that ends the stream and nothing else
      frames.abort()
      if (!(error instanceof StreamError || error instanceof CryptoError)) this.#onFault(error)
    } finally {
      this.#stop.signal.removeEventListener("abort", onStop)
    }
  }

  /** No more streams for this protocol. Those that are open go on until their handler returns. */
  async unhandle(protocol: string): Promise<void> {
    const at = this.#protocols.indexOf(protocol)
    if (at === -1) return
    this.#protocols.splice(at, 1)
    await this.#libp2p.unhandle(protocol)
  }

  /** Ends every request and every served stream. Resolves when none is left. */
  async stop(): Promise<void> {
    this.#stop.abort(new StreamError("GONE", "the node is stopping"))
    await Promise.all(this.#protocols.map((protocol) => this.#libp2p.unhandle(protocol)))
    await Promise.all(this.#serving)
  }
}

/** libp2p rejects with errors of many classes, and sometimes with an event. */
async function coded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof StreamError) throw error
    if (signal.aborted && signal.reason instanceof StreamError) throw signal.reason
    const { name, message } = error as { name?: unknown; message?: unknown }
    const code = signal.aborted ? "TIMEOUT" : (CODES.get(String(name)) ?? "GONE")
    const cause = error instanceof Error ? error : undefined
    throw new StreamError(code, typeof message === "string" ? message : "the stream ended", {
      cause,
    })
  }
}

const CODES: ReadonlyMap<string, StreamErrorCode> = new Map([
  ["UnsupportedProtocolError", "UNSUPPORTED"],
  ["InvalidDataLengthError", "TOO_LARGE"],
  ["InvalidDataLengthLengthError", "TOO_LARGE"],
  ["StreamBufferError", "TOO_LARGE"],
  ["TimeoutError", "TIMEOUT"],
  ["AbortError", "TIMEOUT"],
])
