/**
 * JSON-RPC 2.0 as lines: one UTF-8 JSON object, one `\n`. Batches are not spoken (send several lines). Beside calls there are
 * three notifications: `event` and `closing` from the node, `cancel {id}` from a client that no longer wants its answer.
 */
import { fromUtf8 } from "../../crypto/bytes.ts"
import { ApiError, isApiErrorCode } from "./errors.ts"
import type { ApiErrorCode, ApiEvent } from "./types.ts"

/** Longest request line, bytes. */
export const REQUEST_BYTES_MAX = 1 << 20
/** Longest line a client takes from its node: a full page of long messages fits. */
export const RESPONSE_BYTES_MAX = 64 << 20
/** Calls of one connection that may be under way at once. */
export const IN_FLIGHT_MAX = 64

/** Why a connection ends, as said in `closing` and given to `closed` listeners. */
export type ClosingCode =
  /** The node is shutting down. */
  | "STOPPING"
  /** This connection did not read its events fast enough. */
  | "TOO_SLOW"
  /** The node has as many connections as it takes. */
  | "BUSY"
  /** A line was longer than the node takes, or not a line of this protocol at all. */
  | "BAD_LINE"
  /** The connection broke and nobody said why. */
  | "GONE"

export type RequestId = string | number

export interface RpcRequest {
  /** Undefined: a notification, which gets no answer. */
  readonly id: RequestId | undefined
  readonly method: string
  readonly params: unknown
}

/** Cuts a byte stream into lines, holding at most one unfinished line of `maxBytes`. Empty lines are skipped. */
export class LineSplitter {
  readonly #maxBytes: number
  #parts: Uint8Array[] = []
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Throws ApiError BAD_PARAMS for a line that is too long and CryptoError BAD_ENCODING for one that is not UTF-8. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = []
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end))
      if (this.#length > 0) lines.push(fromUtf8(Buffer.concat(this.#parts)))
      this.#parts = []
      this.#length = 0
      from = end + 1
    }
    this.#keep(chunk.subarray(from))
    return lines
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length
    if (this.#length > this.#maxBytes)
      throw new ApiError("BAD_PARAMS", `a line is longer than ${this.#maxBytes} bytes`)
    if (part.length > 0) this.#parts.push(part)
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const isRequestId = (value: unknown): value is RequestId =>
  Number.isSafeInteger(value) || (typeof value === "string" && value.length <= 64)

/** A request that is none: answered with its id where that could be read. */
export class BadRequest extends Error {
  readonly rpcCode: -32700 | -32600
  readonly id: RequestId | null

  constructor(rpcCode: -32700 | -32600, message: string, id: RequestId | null) {
    super(message)
    this.rpcCode = rpcCode
    this.id = id
  }
}

/** Throws BadRequest. */
export function parseRequest(line: string): RpcRequest {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new BadRequest(-32700, "this line is not JSON", null)
  }
  if (!isObject(value)) throw new BadRequest(-32600, "a request is one JSON object", null)
  const { jsonrpc, id, method, params } = value
  const known = isRequestId(id) ? id : null
  if (jsonrpc !== "2.0") throw new BadRequest(-32600, 'jsonrpc must be "2.0"', known)
  if (id !== undefined && known === null)
    throw new BadRequest(-32600, "id must be a whole number or a short string", null)
  if (typeof method !== "string") throw new BadRequest(-32600, "method must be a string", known)
  return { id: known ?? undefined, method, params }
}

const RPC_CODES: Partial<Record<ApiErrorCode, number>> = {
  UNKNOWN_METHOD: -32601,
  BAD_PARAMS: -32602,
  INTERNAL: -32603,
}

const line = (value: object) => `${JSON.stringify({ jsonrpc: "2.0", ...value })}\n`

export const requestLine = (id: RequestId, method: string, params: unknown) =>
  line({ id, method, params })
export const cancelLine = (id: RequestId) => line({ method: "cancel", params: { id } })
export const resultLine = (id: RequestId, result: unknown) => line({ id, result })
export const eventLine = (event: ApiEvent) => line({ method: "event", params: event })
export const closingLine = (code: ClosingCode) => line({ method: "closing", params: { code } })

export function errorLine(id: RequestId | null, error: ApiError): string {
  const { code, message, hint } = error
  return line({ id, error: { code: RPC_CODES[code] ?? -32000, message, data: { code, hint } } })
}

export const badRequestLine = (bad: BadRequest) =>
  line({
    id: bad.id,
    error: { code: bad.rpcCode, message: bad.message, data: { code: "BAD_PARAMS" } },
  })

export type FromNode =
  | { readonly type: "result"; readonly id: RequestId; readonly result: unknown }
  | { readonly type: "error"; readonly id: RequestId | null; readonly error: ApiError }
  | { readonly type: "event"; readonly event: ApiEvent }
  | { readonly type: "closing"; readonly code: string }

/** A line of the node's, or null for one that says nothing we know: a newer node may say more. Throws on what is not JSON. */
export function parseFromNode(text: string): FromNode | null {
  const value: unknown = JSON.parse(text)
  if (!isObject(value)) return null
  const { id, method, params, result, error } = value
  if (method === "event" && isObject(params)) return { type: "event", event: params as ApiEvent }
  if (method === "closing" && isObject(params) && typeof params["code"] === "string")
    return { type: "closing", code: params["code"] }
  if (isObject(error))
    return { type: "error", id: isRequestId(id) ? id : null, error: errorOf(error) }
  return isRequestId(id) && "result" in value ? { type: "result", id, result } : null
}

function errorOf(error: Readonly<Record<string, unknown>>): ApiError {
  const data = isObject(error["data"]) ? error["data"] : {}
  const message = typeof error["message"] === "string" ? error["message"] : "no reason was given"
  const hint = typeof data["hint"] === "string" ? data["hint"] : undefined
  return new ApiError(isApiErrorCode(data["code"]) ? data["code"] : "INTERNAL", message, { hint })
}
