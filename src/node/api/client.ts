/**
 * The other end of server.ts: an `Api` over a profile's Unix socket. Imports nothing heavy, so that a command is done within
 * a blink. Answers may come in any order; at most `IN_FLIGHT_MAX` calls are under way, the rest wait their turn here.
 */
import { connect, type Socket } from "node:net"
import { ApiError } from "./errors.ts"
import type { Api, ApiEvent, Method, Params, Result } from "./types.ts"
import {
  cancelLine,
  IN_FLIGHT_MAX,
  LineSplitter,
  parseFromNode,
  requestLine,
  RESPONSE_BYTES_MAX,
} from "./wire.ts"

const CONNECT_TIMEOUT_MS = 2_000
/** Above the node's own deadline, so that its answer is what one normally hears. */
const CALL_TIMEOUT_MS = 150_000
/** Calls that may wait for their turn. */
const WAITING_MAX = 4_096

export interface ConnectOptions {
  readonly signal?: AbortSignal
}

/** Throws ApiError GONE when no node answers there, and the signal's reason when it aborts first. */
export async function connectApi(socketPath: string, options: ConnectOptions = {}): Promise<Api> {
  options.signal?.throwIfAborted()
  const socket = connect(socketPath)
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: unknown) => {
      signal.removeEventListener("abort", fail)
      socket.destroy()
      if (options.signal?.aborted === true) reject(options.signal.reason as Error)
      else reject(noNode(cause))
    }
    signal.addEventListener("abort", fail, { once: true })
    socket.once("error", fail)
    socket.once("connect", () => {
      signal.removeEventListener("abort", fail)
      socket.off("error", fail)
      resolve()
    })
  })
  return new ApiClient(socket)
}

/** An `Api` over a connection that is there already: the other end is a node's `adopt` (server.ts). */
export const apiOver = (socket: Socket): Api => new ApiClient(socket)

function noNode(cause: unknown): ApiError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === "EACCES") return new ApiError("GONE", "the node belongs to another user", { cause })
  return new ApiError("GONE", "no node answers for this profile", {
    cause,
    hint: "start one with `sotto node`",
  })
}

interface Waiting {
  readonly method: Method
  readonly params: unknown
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
  /** Takes the timer and the abort listener back. */
  readonly release: () => void
}

class ApiClient implements Api {
  readonly #socket: Socket
  readonly #lines = new LineSplitter(RESPONSE_BYTES_MAX)
  readonly #sent = new Map<number, Waiting>()
  readonly #unsent = new Map<number, Waiting>()
  readonly #listeners = new Set<(event: ApiEvent) => void>()
  readonly #closedListeners = new Set<(reason: string) => void>()
  readonly #ended: Promise<void>
  #nextId = 1
  #subscribed = false
  /** Why the node has gone, once it has. */
  #gone: string | null = null
  /** True once `close` was called here: then nobody needs to be told. */
  #closing = false

  constructor(socket: Socket) {
    this.#socket = socket
    this.#ended = new Promise((resolve) =>
      socket.once("close", () => {
        this.#lost("GONE")
        resolve()
      }),
    )
    socket.on("data", (chunk: Buffer) => this.#take(chunk))
    socket.on("error", () => undefined)
  }

  async call<M extends Method>(
    method: M,
    params: Params<M>,
    options: { signal?: AbortSignal } = {},
  ): Promise<Result<M>> {
    options.signal?.throwIfAborted()
    if (this.#gone !== null || this.#closing) throw gone(this.#gone ?? "GONE")
    if (this.#unsent.size >= WAITING_MAX)
      throw new ApiError("BUSY", `${WAITING_MAX} calls wait for the node already`)
    return new Promise<Result<M>>((resolve, reject) => {
      const id = this.#nextId++
      const onAbort = () => this.#abandon(id, options.signal?.reason)
      const timer = setTimeout(
        () => this.#abandon(id, new ApiError("BUSY", "the node did not answer in time")),
        CALL_TIMEOUT_MS,
      )
      const release = () => {
        clearTimeout(timer)
        options.signal?.removeEventListener("abort", onAbort)
      }
      options.signal?.addEventListener("abort", onAbort, { once: true })
      this.#unsent.set(id, { method, params, resolve, reject, release })
      this.#send()
    })
  }

  events(listener: (event: ApiEvent) => void): () => void {
    this.#listeners.add(listener)
    if (!this.#subscribed) {
      this.#subscribed = true
      // Only the end of the connection can make this fail, and `closed` tells that.
      this.call("subscribe", {}).catch(() => undefined)
    }
    return () => this.#listeners.delete(listener)
  }

  closed(listener: (reason: string) => void): () => void {
    const once = (reason: string) => {
      this.#closedListeners.delete(once)
      listener(reason)
    }
    this.#closedListeners.add(once)
    if (this.#gone !== null) queueMicrotask(() => this.#tellClosed())
    return () => this.#closedListeners.delete(once)
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#closedListeners.clear()
    this.#socket.destroy()
    await this.#ended
  }

  #send(): void {
    for (const [id, waiting] of this.#unsent) {
      if (this.#sent.size >= IN_FLIGHT_MAX) return
      this.#unsent.delete(id)
      this.#sent.set(id, waiting)
      this.#socket.write(requestLine(id, waiting.method, waiting.params))
    }
  }

  #take(chunk: Buffer): void {
    let messages
    try {
      messages = this.#lines.push(chunk).map(parseFromNode)
    } catch {
      // Whatever answers there does not speak our protocol.
      this.#lost("BAD_LINE")
      this.#socket.destroy()
      return
    }
    for (const message of messages) {
      if (message === null) continue
      if (message.type === "event") for (const listen of [...this.#listeners]) listen(message.event)
      else if (message.type === "closing") this.#lost(message.code)
      else if (message.type === "result")
        this.#settle(message.id, (waiting) => waiting.resolve(message.result as never))
      else if (message.id !== null)
        this.#settle(message.id, (waiting) => waiting.reject(message.error))
    }
  }

  #settle(id: number | string, how: (waiting: Waiting) => void): void {
    const waiting = this.#sent.get(Number(id))
    if (waiting === undefined) return
    this.#sent.delete(Number(id))
    waiting.release()
    how(waiting)
    this.#send()
  }

  /** The caller no longer wants the answer; a call that is out already is cancelled at the node as well. */
  #abandon(id: number, reason: unknown): void {
    const waiting = this.#unsent.get(id) ?? this.#sent.get(id)
    if (waiting === undefined) return
    if (!this.#unsent.delete(id)) {
      this.#sent.delete(id)
      this.#socket.write(cancelLine(id))
    }
    waiting.release()
    waiting.reject(reason)
    this.#send()
  }

  #lost(reason: string): void {
    if (this.#gone !== null) return
    this.#gone = reason
    for (const waiting of [...this.#sent.values(), ...this.#unsent.values()]) {
      waiting.release()
      // A node that was told to stop and then goes away has done as it was told.
      if (waiting.method === "stop") waiting.resolve({} as never)
      else waiting.reject(gone(reason))
    }
    this.#sent.clear()
    this.#unsent.clear()
    this.#socket.end()
    this.#tellClosed()
  }

  #tellClosed(): void {
    if (this.#closing) return
    for (const listener of [...this.#closedListeners]) listener(this.#gone ?? "GONE")
  }
}

function gone(reason: string): ApiError {
  if (reason === "STOPPING") return new ApiError("STOPPING", "the node is stopping")
  if (reason === "BUSY") return new ApiError("BUSY", "the node has too many connections")
  return new ApiError("GONE", `the connection to the node is gone (${reason})`)
}
