/**
 * The node's end of one API connection: takes request lines, asks the `Api`, writes answers and events. Everything a client
 * could use to take up room is bounded: the length of a line, the calls under way, the time a call may take, and what waits
 * to be read. A client that stops reading its answers is no longer read from; one that stops reading its events is cut off.
 */
import type { Socket } from "node:net"
import { ApiError } from "./errors.ts"
import { checkParams, isMethod } from "./params.ts"
import type { Api, ApiEvent, Method } from "./types.ts"
import {
  BadRequest,
  badRequestLine,
  closingLine,
  errorLine,
  eventLine,
  IN_FLIGHT_MAX,
  isRequestId,
  LineSplitter,
  parseRequest,
  REQUEST_BYTES_MAX,
  RESPONSE_BYTES_MAX,
  resultLine,
  type ClosingCode,
  type RequestId,
} from "./wire.ts"

export interface ConnectionLimits {
  readonly requestBytesMax: number
  readonly inFlightMax: number
  /** Bytes that may wait for a subscriber before it counts as too slow. */
  readonly unreadBytesMax: number
  /** A call that takes longer is answered with BUSY and its signal aborted. */
  readonly callTimeoutMs: number
  /** How long a connection that is being closed may take to read its last lines. */
  readonly farewellTimeoutMs: number
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  requestBytesMax: REQUEST_BYTES_MAX,
  inFlightMax: IN_FLIGHT_MAX,
  unreadBytesMax: 4 << 20,
  callTimeoutMs: 120_000,
  farewellTimeoutMs: 2_000,
}

export interface ConnectionParts {
  readonly socket: Socket
  readonly api: Api
  readonly limits: ConnectionLimits
  readonly log: (line: string) => void
}

interface Call {
  readonly key: RequestId | symbol
  readonly abort: AbortController
}

export class Connection {
  /** Settles once the socket is closed and nothing of this connection is left. */
  readonly ended: Promise<void>
  readonly #socket: Socket
  readonly #api: Api
  readonly #limits: ConnectionLimits
  readonly #log: (line: string) => void
  readonly #lines: LineSplitter
  readonly #calls = new Map<RequestId | symbol, AbortController>()
  readonly #idle: (() => void)[] = []
  /** Of events, handed to the socket and not yet taken by the kernel. */
  #unreadBytes = 0
  /** The one status event that waits for a reader: later ones replace it. */
  #status: ApiEvent | null = null
  #unsubscribe: (() => void) | null = null
  #closing = false

  constructor({ socket, api, limits, log }: ConnectionParts) {
    this.#socket = socket
    this.#api = api
    this.#limits = limits
    this.#log = log
    this.#lines = new LineSplitter(limits.requestBytesMax)
    this.ended = new Promise((resolve) => {
      socket.once("close", () => {
        this.#unsubscribe?.()
        for (const call of this.#calls.values()) call.abort(new ApiError("GONE", "caller has left"))
        resolve()
      })
    })
    socket.on("data", (chunk: Buffer) => this.#take(chunk))
    socket.on("drain", () => {
      const waiting = this.#status
      this.#status = null
      if (waiting !== null) this.#write(eventLine(waiting))
      if (!this.#closing) socket.resume()
    })
    // A client may close its own direction and still wait for answers (`printf … | nc -NU socket`).
    socket.on("end", () => {
      void this.drained(AbortSignal.timeout(limits.callTimeoutMs)).then(() => socket.end())
    })
    // A reset peer is an end like any other; `close` follows.
    socket.on("error", () => undefined)
  }

  /** Says why, lets the last lines be read, and is gone after `farewellTimeoutMs` at the latest. */
  close(code: ClosingCode): void {
    if (this.#closing) return
    this.#closing = true
    this.#unsubscribe?.()
    this.#unsubscribe = null
    this.#socket.end(closingLine(code))
    // What the client still sends is thrown away unread: with it unread, the kernel would reset our last lines away.
    this.#socket.resume()
    const timer = setTimeout(() => this.#socket.destroy(), this.#limits.farewellTimeoutMs)
    this.#socket.once("close", () => clearTimeout(timer))
  }

  /** Waits for calls under way (but for a `stop` call, which waits for us), at most until the signal aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    if (this.#calls.size === 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve)
      signal.addEventListener("abort", () => resolve(), { once: true })
    })
  }

  #take(chunk: Buffer): void {
    if (this.#closing) return
    let lines: string[]
    try {
      lines = this.#lines.push(chunk)
    } catch (error) {
      const message = error instanceof Error ? error.message : "not a line"
      this.#write(badRequestLine(new BadRequest(-32600, message, null)))
      this.close("BAD_LINE")
      return
    }
    for (const line of lines) this.#request(line)
    if (this.#socket.writableNeedDrain) this.#socket.pause()
  }

  #request(line: string): void {
    try {
      const { id, method, params } = parseRequest(line)
      if (method === "cancel" && id === undefined) {
        this.#cancel(params)
        return
      }
      void this.#answer(id, method, params)
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error
      this.#write(badRequestLine(error))
    }
  }

  #cancel(params: unknown): void {
    if (typeof params !== "object" || params === null || !("id" in params)) return
    if (!isRequestId(params.id)) return
    const call = this.#calls.get(params.id)
    // Its place is free at once: the caller counts it so, and the next request may stand in the same chunk.
    this.#calls.delete(params.id)
    call?.abort(new ApiError("GONE", "the caller cancelled"))
  }

  async #answer(id: RequestId | undefined, method: string, params: unknown): Promise<void> {
    const call: Call = { key: id ?? Symbol(method), abort: new AbortController() }
    try {
      const line = resultLine(id ?? 0, await this.#perform(call, method, params))
      if (line.length > RESPONSE_BYTES_MAX)
        throw new ApiError("BAD_PARAMS", "the answer would be too long", { hint: "ask for less" })
      if (id !== undefined) this.#write(line)
    } catch (error) {
      const blamed = this.#blame(method, error)
      if (id !== undefined) this.#write(errorLine(id, blamed))
    }
    // Only now, its answer written, is a call over: `drained` waits for this.
    if (this.#calls.get(call.key) === call.abort) this.#calls.delete(call.key)
    if (this.#calls.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
    if (this.#socket.writableNeedDrain) this.#socket.pause()
  }

  async #perform(call: Call, method: string, params: unknown): Promise<unknown> {
    if (!isMethod(method)) throw new ApiError("UNKNOWN_METHOD", "this node has no such method")
    const checked = checkParams(method, params)
    if (this.#calls.has(call.key))
      throw new ApiError("BAD_PARAMS", "a call with this id is under way")
    if (this.#calls.size >= this.#limits.inFlightMax)
      throw new ApiError("BUSY", `${this.#limits.inFlightMax} calls are under way already`)
    if (method === "subscribe") this.#unsubscribe ??= this.#api.events((event) => this.#tell(event))
    if (method === "stop") return this.#api.call(method, {})
    this.#calls.set(call.key, call.abort)
    return this.#withDeadline(call, method, (signal) => this.#api.call(method, checked, { signal }))
  }

  async #withDeadline(
    { abort }: Call,
    method: Method,
    run: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<unknown> {
    const seconds = Math.ceil(this.#limits.callTimeoutMs / 1000)
    const timer = setTimeout(
      () => abort.abort(new ApiError("BUSY", `${method} did not finish within ${seconds} s`)),
      this.#limits.callTimeoutMs,
    )
    try {
      const aborted = new Promise<never>((_, reject) =>
        abort.signal.addEventListener("abort", () => reject(abort.signal.reason as ApiError), {
          once: true,
        }),
      )
      return await Promise.race([run(abort.signal), aborted])
    } finally {
      clearTimeout(timer)
    }
  }

  /** What the caller may know: coded errors as they are, anything else only as INTERNAL, its detail in the node's log. */
  #blame(method: string, error: unknown): ApiError {
    if (error instanceof ApiError) return error
    const detail = error instanceof Error ? (error.stack ?? error.message) : "not an error"
    this.#log(`api: ${method.slice(0, 40)} failed: ${detail}`)
    return new ApiError("INTERNAL", "something went wrong inside the node", {
      hint: "its log says more",
    })
  }

  #tell(event: ApiEvent): void {
    if (this.#closing) return
    if (event.type === "status" && this.#socket.writableNeedDrain) {
      this.#status = event
      return
    }
    if (this.#unreadBytes > this.#limits.unreadBytesMax) {
      this.#log("api: a subscriber reads too slowly and was cut off")
      this.close("TOO_SLOW")
      return
    }
    const line = eventLine(event)
    this.#unreadBytes += line.length
    this.#socket.write(line, () => (this.#unreadBytes -= line.length))
  }

  #write(line: string): void {
    if (!this.#closing && this.#socket.writable) this.#socket.write(line)
  }
}
