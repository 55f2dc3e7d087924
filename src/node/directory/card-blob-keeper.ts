/**
 * The keeping side of `/sotto/card/1`: every peer of the directory answers for the blobs of the records that it keeps, whatever it is
 * besides. A put counts only for a blob that such a record names; that and the hash are looked at before anything is written.
 */
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { Allowance } from "../allowance.ts"
import {
  CARD_BLOB_PROTOCOL,
  CARD_BLOB_REQUEST_BYTES_MAX,
  type CardBlobRequest,
  decodeCardBlobRequest,
  encodeCardBlob,
  encodeCardBlobRefusal,
  encodeHas,
  encodeKept,
} from "./card-blob-messages.ts"
import type { Clock } from "../clock.ts"
import { PUT_ALLOWANCE, type Shelf } from "./shelf.ts"
import type { Streams } from "../transport/streams.ts"

/** Questions a peer may ask: somebody who comes back looks up everybody in their groups, in a small mesh all at the same keeper. */
export const ASK_ALLOWANCE = { burst: 256, refillMs: 100 }
/** For reading a put and writing it, or for handing a blob out: 52 KiB in this time are 3.5 KiB a second. */
const SERVE_DEADLINE_MS = 15_000

export interface CardBlobKeeperParts {
  readonly streams: Streams
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly shelf: Pick<Shelf, "findBlob" | "keepBlob">
  readonly clock: Clock
}

/** Answers other peers from now on. Ends with the streams it was given. */
export async function keepCardBlobs(parts: CardBlobKeeperParts): Promise<void> {
  const keeper = new CardBlobKeeper(parts)
  const limits = { requestBytesMax: CARD_BLOB_REQUEST_BYTES_MAX, deadlineMs: SERVE_DEADLINE_MS }
  await parts.streams.serve(CARD_BLOB_PROTOCOL, limits, (request, peer) =>
    keeper.answer(decodeCardBlobRequest(request), peer),
  )
}

class CardBlobKeeper {
  readonly #parts: CardBlobKeeperParts
  readonly #puts: Allowance
  readonly #questions: Allowance

  constructor(parts: CardBlobKeeperParts) {
    this.#parts = parts
    // A record and its blob come together, and so as often.
    this.#puts = new Allowance(PUT_ALLOWANCE, parts.clock)
    this.#questions = new Allowance(ASK_ALLOWANCE, parts.clock)
  }

  async answer(request: CardBlobRequest, peer: string): Promise<Bytes> {
    const { meshId, shelf } = this.#parts
    const { kind, blinded, id } = request
    if (!equal(request.meshId, meshId)) return encodeCardBlobRefusal("OTHER_MESH")
    const allowance = kind === "put" ? this.#puts : this.#questions
    if (!allowance.take(peer)) return encodeCardBlobRefusal("TOO_OFTEN")
    switch (kind) {
      case "have":
        return encodeHas((await shelf.findBlob(blinded, id)) !== undefined)
      case "get":
        return encodeCardBlob(await shelf.findBlob(blinded, id))
      case "put":
        // [REJECT] a record that lies here names it, and it is what its id says
        return (await shelf.keepBlob(blinded, id, request.blob))
          ? encodeKept()
          : encodeCardBlobRefusal("UNNAMED")
    }
  }
}
