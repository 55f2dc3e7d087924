/**
 * The asking side of `/sotto/card/1`: one question to one connected peer, with a deadline and a lane; its answer decoded and judged. Whatever a peer does
 * wrong, and whatever fails on the way to it, is the same to who asks: it does not have the blob. Nothing here dials: Kademlia has just
 * talked to the peers that are asked.
 */
import type { Bytes } from "../../crypto/bytes.ts"
import { isCardBlob } from "../../crypto/card-blob.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { Lanes } from "../blobs/lanes.ts"
import {
  type BlobName,
  CARD_BLOB_PROTOCOL,
  CARD_BLOB_REPLY_BYTES_MAX,
  type CardBlobRequest,
  decodeCardBlob,
  decodeHas,
  decodeKept,
  encodeCardBlobRequest,
} from "./card-blob-messages.ts"
import { StreamError, type Streams } from "../transport/streams.ts"

const ANSWER_DEADLINE_MS = 5_000
/** For a question or an answer with a blob: 52 KiB in this time are 5 KiB a second. */
const BLOB_DEADLINE_MS = 10_000

export class CardBlobPeers {
  readonly #streams: Pick<Streams, "request">
  readonly #meshId: Bytes
  /** A peer takes only so many streams: whoever looks for thirty people at once may ask the same one for all of them. */
  readonly #lanes = new Lanes()

  constructor(streams: Pick<Streams, "request">, meshId: Bytes) {
    this.#streams = streams
    this.#meshId = meshId
  }

  /** Whether the peer says it has it: nothing is proved by that. Rejects with nothing but the signal's reason. */
  async have(peer: string, name: BlobName, signal: AbortSignal): Promise<boolean> {
    const request = { kind: "have", meshId: this.#meshId, ...name } as const
    return (await this.#ask(peer, request, ANSWER_DEADLINE_MS, signal, decodeHas)) === true
  }

  /** Whether the peer says it keeps it now. Rejects with nothing but the signal's reason. */
  async put(peer: string, name: BlobName, blob: Bytes, signal: AbortSignal): Promise<boolean> {
    const request = { kind: "put", meshId: this.#meshId, ...name, blob } as const
    return (await this.#ask(peer, request, BLOB_DEADLINE_MS, signal, decodeKept)) === null
  }

  /** The blob of this id, or `undefined`. Rejects with nothing but the signal's reason. */
  async get(peer: string, name: BlobName, signal: AbortSignal): Promise<Bytes | undefined> {
    const request = { kind: "get", meshId: this.#meshId, ...name } as const
    const answer = await this.#ask(peer, request, BLOB_DEADLINE_MS, signal, decodeCardBlob)
    const blob = typeof answer === "object" ? answer.blob : undefined
    return blob !== undefined && isCardBlob(name.id, blob) ? blob : undefined
  }

  async #ask<T>(
    peer: string,
    request: CardBlobRequest,
    deadlineMs: number,
    signal: AbortSignal,
    decode: (reply: Bytes) => T,
  ): Promise<T | undefined> {
    const bytes = encodeCardBlobRequest(request)
    const options = { signal, deadlineMs, replyBytesMax: CARD_BLOB_REPLY_BYTES_MAX }
    try {
      const reply = await this.#lanes.run(peer, signal, () =>
        this.#streams.request(peer, CARD_BLOB_PROTOCOL, bytes, options),
      )
      return decode(reply)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StreamError || error instanceof CryptoError) return undefined
      throw error
    }
  }
}
