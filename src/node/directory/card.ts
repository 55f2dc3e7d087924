/**
 * Looks up a person's card: the records of their address (lookup.ts), and then what the newest of them points to, unless a card of
 * that hash is remembered. The blob is fetched from the peers that showed the record, and then from the other nearest ones. What comes
 * must have the blob's id, open under the address, hold a card of the hash that the record says, and that card must be the address's own
 * with the sequence number that the record claims. Liars cost time, within a deadline; they never give a wrong card.
 */
import { primitives } from "#primitives"
import { type Address, addressBytes } from "../../crypto/address.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { openCardBlob } from "../../crypto/card-blob.ts"
import { directoryKey, openRecord, type RecordContent } from "../../crypto/directory-record.ts"
import { firstSound } from "./card-blob-fetch.ts"
import type { CardBlobPeers } from "./card-blob-peers.ts"
import { deadline } from "../deadline.ts"
import {
  askDays,
  type AskParts,
  type Day,
  daysOf,
  LOOKUP_DEADLINE_MS,
  type Shown,
} from "./lookup.ts"
import type { Shelf } from "./shelf.ts"

/** A card as the directory gives it: verified, and the newest seen. */
export interface FoundCard {
  /** The encoded card. */
  readonly card: Bytes
  readonly sequence: number
  /**
   * The last-resort key package with composite signatures that was published with it, unjudged; null when there is none. Absent where the
   * card was remembered and nothing was fetched.
   */
  readonly composite?: Bytes | null
}

/**
 * Decides about card bytes from a stranger: the sequence number the card itself carries when it is this address's and both its
 * signatures verify, `undefined` otherwise. Must not throw.
 */
export type VerifyCard = (
  address: Address,
  card: Bytes,
) => number | undefined | Promise<number | undefined>

/** The card of this SHA3-256 hash, if it is remembered, with what was found beside it. */
export type Recall = (cardHash: Bytes) => Promise<Omit<FoundCard, "sequence"> | undefined>

export interface CardLookupParts extends AskParts {
  readonly shelf: Pick<Shelf, "find" | "findBlob">
  readonly blobs: Pick<CardBlobPeers, "get">
  readonly verifyCard: VerifyCard
}

export interface CardLookupOptions {
  readonly signal?: AbortSignal | undefined
  /** Cards with a lower sequence number are not looked at. */
  readonly atLeast: number
  readonly recall: Recall
  /** The key package beside the card is wanted, too: then a card that is remembered without it is fetched. */
  readonly withPackage: boolean
}

/**
 * The best card that the mesh gives, or `undefined`. Rejects with the caller's own abort reason, or CryptoError BAD_KEY for
 * an address that can belong to nobody.
 */
export async function lookUpCard(
  parts: CardLookupParts,
  address: Address,
  options: CardLookupOptions,
): Promise<FoundCard | undefined> {
  const { signal: caller, atLeast } = options
  caller?.throwIfAborted()
  const days = await daysOf(address, parts.clock)
  const whole = deadline(parts.clock, LOOKUP_DEADLINE_MS, caller)
  const over = new AbortController()
  const fetching = new Fetching(parts, address, {
    ...options,
    signal: AbortSignal.any([whole.signal, over.signal]),
  })
  const open = (record: Bytes, { epoch }: Day) => {
    const opened = openRecord(addressBytes(address), epoch, record)
    return opened.verdict === "accept" && opened.sequence >= atLeast ? opened : undefined
  }
  try {
    // Fetched while the other days are asked: they seldom know better.
    const onToday = (best: Shown<RecordContent>) => void fetching.card(best).catch(() => undefined)
    const shown = await askDays(parts, days, { open, signal: whole.signal, onToday })
    const found = await firstOf(shown, (each) => fetching.card(each))
    caller?.throwIfAborted()
    return found
  } finally {
    over.abort()
    whole.clear()
  }
}

async function firstOf<T, R>(
  all: readonly T[],
  get: (each: T) => Promise<R | undefined>,
): Promise<R | undefined> {
  for (const each of all) {
    const got = await get(each)
    if (got !== undefined) return got
  }
  return undefined
}

/** What the records of one lookup point to, each fetched once. */
class Fetching {
  readonly #parts: CardLookupParts
  readonly #address: Address
  readonly #options: CardLookupOptions & { readonly signal: AbortSignal }
  readonly #cards = new Map<RecordContent, Promise<FoundCard | undefined>>()

  constructor(
    parts: CardLookupParts,
    address: Address,
    options: CardLookupOptions & { readonly signal: AbortSignal },
  ) {
    this.#parts = parts
    this.#address = address
    this.#options = options
  }

  /** The card that a record is about, sound and verified; `undefined` when nobody gives it in time. */
  card(shown: Shown<RecordContent>): Promise<FoundCard | undefined> {
    const known = this.#cards.get(shown.value) ?? this.#card(shown)
    this.#cards.set(shown.value, known)
    return known
  }

  async #card(shown: Shown<RecordContent>): Promise<FoundCard | undefined> {
    const { recall, withPackage } = this.#options
    const recalled = await recall(shown.value.cardHash)
    if (recalled !== undefined && !(withPackage && recalled.composite === undefined)) {
      const sound = await this.#sound(recalled, shown.value)
      if (sound !== undefined) return sound
    }
    return (await this.#here(shown)) ?? (await this.#fetch(shown))
  }

  async #here({ day: { blinded, epoch }, value }: Shown<RecordContent>) {
    const blob = await this.#parts.shelf.findBlob(blinded, value.blobId)
    return blob === undefined ? undefined : await this.#open(blob, epoch, value)
  }

  #fetch({ day, value, holders }: Shown<RecordContent>): Promise<FoundCard | undefined> {
    const { blobs, clock } = this.#parts
    const name = { blinded: day.blinded, id: value.blobId }
    return firstSound({
      peers: (signal) => this.#peers(day, [...holders], signal),
      ask: async (peer, signal) => {
        const blob = await blobs.get(peer, name, signal)
        return blob === undefined ? undefined : await this.#open(blob, day.epoch, value)
      },
      clock,
      signal: this.#options.signal,
    })
  }

  /** Who showed the record, and then whoever else is near enough to keep it. */
  async *#peers(
    { blinded }: Day,
    holders: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    yield* holders
    try {
      const near = this.#parts.dht.getClosestPeers(directoryKey(blinded), { signal })
      for await (const event of near)
        if (event.name === "FINAL_PEER" && !holders.includes(event.peer.id.toString()))
          yield event.peer.id.toString()
    } catch {
      // The signal, or nobody is there.
    }
  }

  async #open(blob: Bytes, epoch: number, record: RecordContent): Promise<FoundCard | undefined> {
    const place = { address: addressBytes(this.#address), epoch }
    const content = openCardBlob(place, record.digest, blob)
    return content === undefined ? undefined : await this.#sound(content, record)
  }

  async #sound(
    content: Omit<FoundCard, "sequence">,
    { cardHash, sequence }: RecordContent,
  ): Promise<FoundCard | undefined> {
    if (!equal(primitives.sha3_256(content.card), cardHash)) return undefined
    const verified = await this.#parts.verifyCard(this.#address, content.card)
    return verified === sequence ? { ...content, sequence } : undefined
  }
}
