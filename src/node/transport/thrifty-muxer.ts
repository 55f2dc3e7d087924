/**
 * yamux (github.com/hashicorp/yamux, spec.md) as libp2p has it, with fewer writes under it. Left alone it writes the header of a frame and
 * its data one after the other, which under TLS are two records and two system calls, and answers every frame with a window update, which
 * wakes the other side for twelve bytes. Here frames of one turn of the event loop leave together, in one piece where they are
 * small, and room in a window is given back once a quarter of it is used up. Nothing else changes on the wire: any yamux understands it.
 */
import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface"
import { yamux } from "@chainsafe/libp2p-yamux"
import { type Bytes, concat } from "../../crypto/bytes.ts"

/** Version 1, type 1, flags 2, stream 4, length 4. */
const HEADER_BYTES = 12
const WINDOW_UPDATE = 1
/** A quarter of the window that a stream begins with: whoever sends has the rest, and never waits for what is held back. */
export const CREDIT_BYTES_MIN = 64 * 1024
/** Streams whose credit is held back; beyond it all of it is said. Streams that have ended leave some behind. */
export const CREDITS_MAX = 256
/** What leaves together is copied into one piece up to here; more is handed on as it is. */
const PIECE_BYTES_MAX = 32 * 1024
/** So much does not wait for the end of the turn. */
const TOGETHER_BYTES_MAX = 64 * 1024

type Init = Parameters<typeof yamux>[0]
type Send = MessageStream["send"]
type Frame = Parameters<Send>[0]

export function thriftyYamux(init: Init): () => StreamMuxerFactory {
  return () => {
    const factory = yamux(init)()
    const create = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => create(thrifty(connection))
    return factory
  }
}

/** The same connection; what is sent on it from now on are whole frames of yamux, one a call. */
export function thrifty(connection: MessageStream): MessageStream {
  const outbox = new Outbox(connection)
  connection.send = (frame) => outbox.send(frame)
  return connection
}

class Outbox {
  readonly #connection: MessageStream
  readonly #send: Send
  #frames: Frame[] = []
  #bytes = 0
  #isFull = false
  /** Stream → bytes of its window that are free again, and not said yet. */
  readonly #credits = new Map<number, number>()

  constructor(connection: MessageStream) {
    this.#connection = connection
    this.#send = connection.send.bind(connection)
    connection.addEventListener("drain", () => (this.#isFull = false))
  }

  /** False when the caller should wait for the connection's `drain`. Throws what the connection throws once it is closed. */
  send(frame: Frame): boolean {
    if (this.#connection.status !== "open") return this.#send(frame)
    const credit = creditIn(frame)
    if (credit !== undefined) this.#give(credit.stream, credit.bytes)
    else this.#put(frame)
    return !this.#isFull
  }

  #give(stream: number, bytes: number): void {
    const credit = (this.#credits.get(stream) ?? 0) + bytes
    this.#credits.set(stream, credit)
    if (credit >= CREDIT_BYTES_MIN) this.#say(stream, credit)
    else if (this.#credits.size > CREDITS_MAX)
      for (const [each, held] of this.#credits) this.#say(each, held)
  }

  #say(stream: number, bytes: number): void {
    this.#credits.delete(stream)
    this.#put(windowUpdate(stream, bytes))
  }

  #put(frame: Frame): void {
    this.#frames.push(frame)
    this.#bytes += frame.byteLength
    if (this.#bytes >= TOGETHER_BYTES_MAX) this.#flush()
    else if (this.#frames.length === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const frames = this.#frames
    if (frames.length === 0) return
    const bytes = this.#bytes
    this.#frames = []
    this.#bytes = 0
    const pieces =
      bytes <= PIECE_BYTES_MAX ? [concat(...frames.map((frame) => frame.subarray()))] : frames
    try {
      for (const piece of pieces) if (!this.#send(piece)) this.#isFull = true
    } catch {
      // closed or broken meanwhile: whoever sent this learns it by the connection's end
    }
  }
}

/** What a window update without flags gives back; undefined for every other frame. */
function creditIn(frame: Frame): { readonly stream: number; readonly bytes: number } | undefined {
  if (!(frame instanceof Uint8Array) || frame.length !== HEADER_BYTES) return undefined
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES)
  if (view.getUint8(1) !== WINDOW_UPDATE || view.getUint16(2) !== 0) return undefined
  return { stream: view.getUint32(4), bytes: view.getUint32(8) }
}

function windowUpdate(stream: number, bytes: number): Bytes {
  const frame = new Uint8Array(HEADER_BYTES)
  const view = new DataView(frame.buffer)
  view.setUint8(1, WINDOW_UPDATE)
  view.setUint32(4, stream)
  view.setUint32(8, bytes)
  return frame
}
