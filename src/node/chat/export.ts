/**
 * Makes the file that shows a message to others (export-file.ts): gathers what was kept when it was read or left, its author's card, the
 * envelopes from the mailbox and its place from the ledger; says what else the file would show before there is one; writes it whole or not
 * at all. What cannot be shown is refused with a code, never left out in silence.
 */
import { randomBytes } from "node:crypto"
import { basename, dirname } from "node:path"
import {
  type Attributed,
  type Authorship,
  isShowable,
  judgeAuthorship,
  withoutAdmission,
} from "../../chat/authorship.ts"
import type { Evidence } from "../../chat/evidence.ts"
import type { ChatMessage } from "../../chat/message.ts"
import { placeIn, type PlaceProof } from "../../consensus/place.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { ApiError } from "../api/errors.ts"
import type { ExportBeside, ExportMade } from "../api/types.ts"
import type { ChatBook } from "./book.ts"
import type { KeptCards } from "./cards.ts"
import type { ChatParts } from "./parts.ts"
import { encodeExport, type MessageExport } from "../files/export-file.ts"
import { saveFile } from "../files/file-save.ts"

export interface ExportAsked {
  /** Absolute. */
  readonly path: string
  /** Other texts of the same envelope may be in the file. */
  readonly others?: boolean
  /** Without its place in the order. */
  readonly unordered?: boolean
  /** What the message said first, where it was edited. */
  readonly original?: boolean
  readonly replace?: boolean
}

type Parts = Pick<ChatParts, "meshId" | "showing" | "ledger">

export class Exports {
  readonly #parts: Parts
  readonly #records: ChatBook["records"]
  readonly #cards: Pick<KeptCards, "naming">
  readonly #stopping: AbortSignal

  constructor(
    parts: Parts,
    { records }: Pick<ChatBook, "records">,
    cards: Pick<KeptCards, "naming">,
    stopping: AbortSignal,
  ) {
    this.#parts = parts
    this.#records = records
    this.#cards = cards
    this.#stopping = stopping
  }

  /**
   * Throws ApiError UNKNOWN_MESSAGE, NO_WORDS, NO_EVIDENCE, NO_CARD, ENVELOPE_GONE, NOT_ORDERED, OTHERS_INSIDE, FILE_TOO_LARGE, and FileError as `saveFile`
   * does; then there is no file.
   */
  async write(id: Bytes, asked: ExportAsked): Promise<ExportMade> {
    const { showing, meshId } = this.#parts
    const found = await this.#records.findMessage(id)
    if (found === undefined) throw new ApiError("UNKNOWN_MESSAGE", "there is no such message")
    if (showing === undefined) throw new ApiError("BUSY", "nothing is exported without a network")
    const { message } = found
    const content = contentOf(message, asked.original ?? false)
    const evidence = await this.#records.evidence.of({ by: message.author, id: content })
    if (evidence === undefined) throw noEvidence()
    const authorship = await this.#authorship(message, content, evidence)
    const judged = await judgeAuthorship(meshId, authorship)
    if (!judged.ok || judged.author !== message.author) throw noEvidence()
    const beside = besideOf(judged)
    if (beside.texts > 0 && asked.others !== true) throw othersInside(beside.texts)
    const places = asked.unordered === true ? null : await this.#places(judged.envelopes)
    const bytes = encoded({ genesis: showing.genesis, authorship, places })
    const path = await save(asked, bytes)
    const last = judged.envelopes.at(-1)
    const place = places === null || last === undefined ? null : placeIn(places.blocks, last)
    const { author } = message
    return {
      path,
      bytes: bytes.length,
      author,
      meshId: toHex(meshId),
      place: place ?? null,
      beside,
    }
  }

  async #authorship(
    { author }: ChatMessage,
    content: Bytes,
    { opening, signedBy, carriers }: Evidence,
  ): Promise<Authorship> {
    const envelopes = await this.#envelopes(carriers.map(({ id }) => id))
    const card = await this.#cards.naming(author, signedBy, this.#stopping)
    if (card === undefined)
      throw new ApiError("NO_CARD", "no card of its author that names the key which signed it")
    const shown = carriers.flatMap(({ key }, i) => {
      const envelope = envelopes[i]
      return envelope === undefined ? [] : [{ key, sealed: withoutAdmission(envelope) }]
    })
    return { card, signedBy, opening, content, carriers: shown }
  }

  /** From here, or else from whoever still keeps them. */
  async #envelopes(ids: readonly Bytes[]): Promise<readonly Bytes[]> {
    const { showing, ledger } = this.#parts
    const look = async () => (await showing?.envelopes(ids))?.flatMap((each) => each ?? []) ?? []
    const here = await look()
    if (here.length === ids.length) return here
    await ledger?.bring(ids)
    const brought = await look()
    if (brought.length < ids.length)
      throw new ApiError("ENVELOPE_GONE", "the envelope that carried it is not kept any more")
    return brought
  }

  async #places(envelopes: readonly Bytes[]): Promise<PlaceProof> {
    const { showing } = this.#parts
    const proof = await showing?.places?.(envelopes, this.#stopping)
    if (proof !== undefined) return proof
    throw showing?.places === undefined
      ? new ApiError("NOT_ORDERED", "nothing is ordered in this mesh")
      : new ApiError("NOT_ORDERED", "the ledger has not given it a place yet")
  }
}

/** Which of its words are shown, by their id. Throws ApiError NO_WORDS. */
function contentOf(message: ChatMessage, original: boolean): Bytes {
  if (message.deleted || message.sets !== null || message.notice !== null)
    throw new ApiError("NO_WORDS", "there are no words in it")
  return message.edited?.counts === true && !original ? message.edited.id : message.id
}

function besideOf({ beside, hasUnknown, groupName }: Attributed): ExportBeside {
  const texts = beside.filter(isShowable).length + (hasUnknown ? 1 : 0)
  return { texts, others: beside.filter((each) => !isShowable(each)).length, group: groupName }
}

function encoded(shown: MessageExport): Bytes {
  try {
    return encodeExport(shown)
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause
    const hint = "--without-order shows who wrote it, and not when"
    const message =
      "the validators have changed so often that the proof is longer than a file may be"
    throw new ApiError("FILE_TOO_LARGE", message, { cause, hint })
  }
}

async function save({ path, replace = false }: ExportAsked, bytes: Bytes): Promise<string> {
  const mark = randomBytes(6).toString("hex")
  const place = { directory: dirname(path), name: basename(path), overwrite: replace, mark }
  return saveFile(place, once(bytes))
}

async function* once(bytes: Bytes): AsyncIterable<Bytes> {
  yield await Promise.resolve(bytes)
}

const noEvidence = () =>
  new ApiError("NO_EVIDENCE", "what would show who signed it was not kept, or is gone")

const othersInside = (texts: number) =>
  new ApiError(
    "OTHERS_INSIDE",
    `the same signature covers ${texts} other ${texts === 1 ? "text" : "texts"} of its author, which the file would show too`,
  )
