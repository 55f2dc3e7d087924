/**
 * Asks the mesh for a person's card. The reader derives the blinded keys of today, yesterday and tomorrow, asks for today's
 * first and then for the others, and of what opens and verifies takes the highest sequence number. Nothing here believes a peer: a record must open
 * under the address, and the card inside must be the address's own, with the sequence number that the record claims. Junk,
 * foreign and stale answers cost time, within a deadline; they never give a wrong card.
 */
import { setImmediate } from "node:timers/promises"
import type { KadDHT } from "@libp2p/kad-dht"
import { type Address, addressBytes } from "../crypto/address.ts"
import { blindedKey, type RecordKind } from "../crypto/blinding.ts"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { directoryKey, epochAt, openRecord } from "../crypto/directory-record.ts"
import { assert } from "../crypto/errors.ts"
import { offerSequence } from "../crypto/one-time.ts"
import type { Clock } from "./clock.ts"
import { deadline } from "./deadline.ts"
import type { Shelf } from "./directory-shelf.ts"

/** A card as the directory gives it: verified, and the newest seen. */
export interface FoundCard {
  /** The encoded card. */
  readonly card: Bytes
  readonly sequence: number
}

/**
 * Decides about card bytes from a stranger: the sequence number the card itself carries when it is this address's and both its
 * signatures verify, `undefined` otherwise. Must not throw.
 */
export type VerifyCard = (
  address: Address,
  card: Bytes,
) => number | undefined | Promise<number | undefined>

export interface LookupParts {
  readonly dht: KadDHT
  readonly shelf: Shelf
  readonly clock: Clock
  readonly verifyCard: VerifyCard
}

export interface LookupOptions {
  readonly signal?: AbortSignal | undefined
  /** Cards with a lower sequence number are not looked at. */
  readonly atLeast: number
  /** What is looked for; an offer's "card" is the encoded offer. */
  readonly kind?: RecordKind
}

/** All three days together. */
const LOOKUP_DEADLINE_MS = 20_000
/**
 * Once today has answered, yesterday and tomorrow can know better only for as long as clocks differ around midnight: then so
 * many of the closest peers without a record are enough, and so long a time.
 */
const EMPTY_ENOUGH = 8
const NEIGHBOUR_GRACE_MS = 1_500
/** Peers that gave the best record; with so many, the others need not be heard. */
const ANSWERS_ENOUGH = 6
/** Different records of one day that are opened; an honest mesh has one, or two while a card is changing. */
const DISTINCT_MAX = 16

/**
 * The best card that the mesh gives, or `undefined`. Rejects with the caller's own abort reason, or CryptoError BAD_KEY for
 * an address that can belong to nobody.
 */
export async function lookUp(
  parts: LookupParts,
  address: Address,
  { signal, atLeast, kind = "card" }: LookupOptions,
): Promise<FoundCard | undefined> {
  signal?.throwIfAborted()
  const today = epochAt(parts.clock.nowMs())
  const questions: Question[] = []
  for (const epoch of [today, today - 1, today + 1]) {
    const blinded = blindedKey(addressBytes(address), epoch, kind)
    questions.push({ address, epoch, blinded, atLeast, kind })
    // Blinding takes up to 4 ms: three in a row would hold up everything else.
    await setImmediate()
  }
  const whole = deadline(parts.clock, LOOKUP_DEADLINE_MS, signal)
  try {
    const found = await askDays(parts, questions, whole.signal)
    signal?.throwIfAborted()
    return found
      .filter((card) => card !== undefined)
      .reduce<FoundCard | undefined>(newer, undefined)
  } finally {
    whole.clear()
  }
}

/** Today, and then its neighbours: thoroughly when today knows nothing, briefly when it does. */
async function askDays(
  parts: LookupParts,
  [today, ...neighbours]: readonly Question[],
  signal: AbortSignal,
): Promise<(FoundCard | undefined)[]> {
  assert(today !== undefined, "a lookup begins with today")
  const first = await askDay(parts, today, signal, Infinity)
  if (first === undefined)
    return Promise.all(neighbours.map((day) => askDay(parts, day, signal, Infinity)))
  const grace = deadline(parts.clock, NEIGHBOUR_GRACE_MS, signal)
  try {
    const brief = neighbours.map((day) => askDay(parts, day, grace.signal, EMPTY_ENOUGH))
    return [first, ...(await Promise.all(brief))]
  } finally {
    grace.clear()
  }
}

interface Question {
  readonly address: Address
  readonly epoch: number
  readonly blinded: Bytes
  readonly atLeast: number
  readonly kind: RecordKind
}

const newer = (a: FoundCard | undefined, b: FoundCard): FoundCard =>
  a === undefined || b.sequence > a.sequence ? b : a

/** What one day's key gives. Ends with the query, with enough answers or empty hands, or with the signal; never rejects. */
async function askDay(
  parts: LookupParts,
  question: Question,
  signal: AbortSignal,
  emptyEnough: number,
): Promise<FoundCard | undefined> {
  const { blinded } = question
  const answers = new Answers(parts.verifyCard, question)
  let empty = 0
  try {
    const own = await parts.shelf.find(blinded)
    if (own !== undefined) await answers.hear(own)
    for await (const event of parts.dht.get(directoryKey(blinded), { signal })) {
      if (event.name !== "PEER_RESPONSE") continue
      if (event.record === undefined) empty++
      else await answers.hear(event.record.value)
      if (answers.enough || empty >= emptyEnough) break
    }
  } catch {
    // The signal, or a peer that would not take kad-dht's correction of its stale record: what was heard until then stands.
  }
  return answers.best
}

/** The answers to one question, each different record judged once. */
class Answers {
  readonly #heard: { readonly record: Bytes; readonly card: FoundCard | undefined }[] = []
  readonly #verifyCard: VerifyCard
  readonly #question: Question
  #agreeing = 0
  best: FoundCard | undefined

  constructor(verifyCard: VerifyCard, question: Question) {
    this.#verifyCard = verifyCard
    this.#question = question
  }

  get enough(): boolean {
    return this.#agreeing >= ANSWERS_ENOUGH
  }

  async hear(record: Bytes): Promise<void> {
    const card = await this.#judge(record)
    if (card === undefined) return
    if (this.best === undefined || card.sequence > this.best.sequence) {
      this.best = card
      this.#agreeing = 0
    }
    if (card.sequence === this.best.sequence) this.#agreeing++
  }

  async #judge(record: Bytes): Promise<FoundCard | undefined> {
    const known = this.#heard.find((heard) => equal(heard.record, record))
    if (known !== undefined) return known.card
    if (this.#heard.length >= DISTINCT_MAX) return undefined
    const card = await this.#open(record)
    this.#heard.push({ record, card })
    return card
  }

  async #open(record: Bytes): Promise<FoundCard | undefined> {
    const { address, epoch, atLeast, kind } = this.#question
    const opened = openRecord(addressBytes(address), epoch, record, kind)
    if (opened.verdict !== "accept" || opened.sequence < atLeast) return undefined
    const sequence =
      kind === "card"
        ? await this.#verifyCard(address, opened.payload)
        : offerSequence(opened.payload)
    return sequence === opened.sequence ? { card: opened.payload, sequence } : undefined
  }
}
