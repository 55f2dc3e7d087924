/**
 * The asking side of `/sotto/blob/1`: one question to one peer, with a deadline and a lane, its answer decoded and judged. What a
 * keeper did wrong is a value; what failed on the way is a StreamError.
 */
import type { Bytes } from "../../crypto/bytes.ts"
import { isChunk } from "../../crypto/blob.ts"
import type { GrantPath } from "../../crypto/blob-grant.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { Lanes } from "./lanes.ts"
import {
  BLOB_PROTOCOL,
  BLOB_REPLY_BYTES_MAX,
  type BlobRefusal,
  type BlobRequest,
  decodeChunk,
  decodeHave,
  decodeKeepers,
  decodeStored,
  encodeBlobRequest,
  type KeepersReply,
} from "./messages.ts"
import type { Streams } from "../transport/streams.ts"

/** For a question without a chunk. */
const ANSWER_DEADLINE_MS = 5_000
/** For a question or an answer with one: 256 KiB in this time are 9 KiB a second. */
const CHUNK_DEADLINE_MS = 30_000

/** The keeper sent what no honest one sends. */
export type Lie = "LIED"
export type PutAnswer = "stored" | BlobRefusal | Lie
export type GetAnswer = { readonly chunk: Bytes | undefined } | BlobRefusal | Lie

type WithoutMesh<T> = T extends unknown ? Omit<T, "meshId"> : never

export class BlobPeers {
  readonly #streams: Streams
  readonly #meshId: Bytes
  readonly #lanes = new Lanes()

  constructor(streams: Streams, meshId: Bytes) {
    this.#streams = streams
    this.#meshId = meshId
  }

  /** What it keeps and whom it knows; `undefined` from one of another mesh, or one that makes no sense. Throws StreamError. */
  async keepers(peer: string, signal: AbortSignal): Promise<KeepersReply | undefined> {
    const reply = await this.#ask(peer, { kind: "keepers" }, ANSWER_DEADLINE_MS, signal)
    const answer = decoded(reply, decodeKeepers)
    return typeof answer === "string" ? undefined : answer
  }

  /** For each id whether the peer says it has it; nothing is proved by that. Throws StreamError. */
  async have(
    peer: string,
    ids: readonly Bytes[],
    signal: AbortSignal,
  ): Promise<readonly boolean[]> {
    const reply = await this.#ask(peer, { kind: "have", ids }, ANSWER_DEADLINE_MS, signal)
    const answer = decoded(reply, decodeHave)
    return typeof answer === "string" || answer.length !== ids.length
      ? ids.map(() => false)
      : answer
  }

  /** Throws StreamError. */
  async put(
    peer: string,
    put: { admission: Bytes; place: GrantPath; chunk: Bytes },
    signal: AbortSignal,
  ): Promise<PutAnswer> {
    const reply = await this.#ask(peer, { kind: "put", ...put }, CHUNK_DEADLINE_MS, signal)
    return decoded(reply, decodeStored) ?? "stored"
  }

  /** The chunk is the one of this id. Throws StreamError. */
  async get(peer: string, id: Bytes, signal: AbortSignal): Promise<GetAnswer> {
    const reply = await this.#ask(peer, { kind: "get", id }, CHUNK_DEADLINE_MS, signal)
    const answer = decoded(reply, decodeChunk)
    if (typeof answer === "string" || answer.chunk === undefined) return answer
    return isChunk(id, answer.chunk) ? answer : "LIED"
  }

  #ask(
    peer: string,
    request: WithoutMesh<BlobRequest>,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<Bytes> {
    return this.#lanes.run(peer, signal, () =>
      this.#streams.request(
        peer,
        BLOB_PROTOCOL,
        encodeBlobRequest({ ...request, meshId: this.#meshId }),
        { signal, deadlineMs, replyBytesMax: BLOB_REPLY_BYTES_MAX },
      ),
    )
  }
}

function decoded<T>(reply: Bytes, decode: (reply: Bytes) => T): T | Lie {
  try {
    return decode(reply)
  } catch (error) {
    if (error instanceof CryptoError) return "LIED"
    throw error
  }
}
