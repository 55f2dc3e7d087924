/**
 * Asks the mesh for the records of an address. The reader derives the blinded keys of today, yesterday and tomorrow, asks for today's
 * first and then for the others. Nothing here believes a peer: a record counts only if it opens under the address, which `open` decides.
 * Junk, foreign and stale answers cost time, within a deadline. What a card's record points to is fetched elsewhere (card.ts).
 */
import { setImmediate } from "node:timers/promises"
import type { KadDHT } from "@libp2p/kad-dht"
import { type Address, addressBytes } from "../../crypto/address.ts"
import { blindedKey } from "../../crypto/blinding.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { directoryKey, epochAt } from "../../crypto/directory-record.ts"
import { assert } from "../../crypto/errors.ts"
import type { Clock } from "../clock.ts"
import { deadline } from "../deadline.ts"
import type { Shelf } from "./shelf.ts"

/** Peers asked for records, and this peer's own shelf. */
export interface AskParts {
  readonly dht: KadDHT
  readonly shelf: Pick<Shelf, "find">
  readonly clock: Clock
}

/** A day on which an address may have a record. */
export interface Day {
  readonly epoch: number
  readonly blinded: Bytes
}

/** A record that opened. */
export interface Shown<T> {
  readonly day: Day
  /** What is in it. */
  readonly value: T
  /** The peers that showed it, as far as they were heard; without this one. */
  readonly holders: readonly string[]
}

/** What a record of that day says, if it opens and is worth looking at. */
export type Open<T> = (record: Bytes, day: Day) => T | undefined

/** All three days together, and what has to be fetched then. */
export const LOOKUP_DEADLINE_MS = 20_000
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

/** Today, yesterday and tomorrow. Rejects with CryptoError BAD_KEY for an address that can belong to nobody. */
export async function daysOf(address: Address, clock: Clock): Promise<Day[]> {
  const today = epochAt(clock.nowMs())
  const days: Day[] = []
  for (const epoch of [today, today - 1, today + 1]) {
    days.push({ epoch, blinded: blindedKey(addressBytes(address), epoch) })
    // Blinding takes up to 4 ms: three in a row would hold up everything else.
    await setImmediate()
  }
  return days
}

export interface AskOptions<T> {
  readonly open: Open<T>
  readonly signal: AbortSignal
  /** Told what today's peers gave before the other days are asked, if they gave anything. */
  readonly onToday?: (best: Shown<T>) => void
}

/** Everything that opened, the highest sequence number first, and of equal ones today's first. Never rejects. */
export async function askDays<T extends { readonly sequence: number }>(
  parts: AskParts,
  [today, ...neighbours]: readonly Day[],
  { open, signal, onToday }: AskOptions<T>,
): Promise<Shown<T>[]> {
  assert(today !== undefined, "a lookup begins with today")
  const first = await askDay(parts, { day: today, open, signal, emptyEnough: Infinity })
  const [best] = first
  if (best === undefined) {
    const all = neighbours.map((day) => askDay(parts, { day, open, signal, emptyEnough: Infinity }))
    return newestFirst((await Promise.all(all)).flat())
  }
  onToday?.(best)
  const grace = deadline(parts.clock, NEIGHBOUR_GRACE_MS, signal)
  const brief = { open, signal: grace.signal, emptyEnough: EMPTY_ENOUGH }
  try {
    const others = await Promise.all(neighbours.map((day) => askDay(parts, { day, ...brief })))
    return newestFirst([first, ...others].flat())
  } finally {
    grace.clear()
  }
}

const newestFirst = <T extends { readonly sequence: number }>(all: readonly Shown<T>[]) =>
  all.toSorted((a, b) => b.value.sequence - a.value.sequence)

interface Question<T> {
  readonly day: Day
  readonly open: Open<T>
  readonly signal: AbortSignal
  /** Peers without a record after which the others are not heard. */
  readonly emptyEnough: number
}

/** What one day's key gives. Ends with the query, with enough answers or empty hands, or with the signal; never rejects. */
async function askDay<T extends { readonly sequence: number }>(
  { dht, shelf }: AskParts,
  { day, open, signal, emptyEnough }: Question<T>,
): Promise<Shown<T>[]> {
  const answers = new Answers(day, open)
  let empty = 0
  try {
    const own = await shelf.find(day.blinded)
    if (own !== undefined) answers.hear(own)
    for await (const event of dht.get(directoryKey(day.blinded), { signal })) {
      if (event.name !== "PEER_RESPONSE") continue
      if (event.record === undefined) empty++
      else answers.hear(event.record.value, event.from.toString())
      if (answers.enough || empty >= emptyEnough) break
    }
  } catch {
    // The signal, or a peer that would not take kad-dht's correction of its stale record: what was heard until then stands.
  }
  return newestFirst(answers.all())
}

interface Heard<T> {
  readonly record: Bytes
  readonly value: T | undefined
  readonly holders: string[]
}

/** The answers to one question, each different record judged once. */
class Answers<T extends { readonly sequence: number }> {
  readonly #heard: Heard<T>[] = []
  readonly #day: Day
  readonly #open: Open<T>
  #agreeing = 0
  #best: number | undefined

  constructor(day: Day, open: Open<T>) {
    this.#day = day
    this.#open = open
  }

  get enough(): boolean {
    return this.#agreeing >= ANSWERS_ENOUGH
  }

  all(): Shown<T>[] {
    return this.#heard.flatMap(({ value, holders }) =>
      value === undefined ? [] : [{ day: this.#day, value, holders }],
    )
  }

  /** Without `peer` it is what lies here. */
  hear(record: Bytes, peer?: string): void {
    const heard = this.#judge(record)
    if (heard?.value === undefined) return
    if (peer !== undefined) heard.holders.push(peer)
    const { sequence } = heard.value
    if (this.#best === undefined || sequence > this.#best) {
      this.#best = sequence
      this.#agreeing = 0
    }
    if (sequence === this.#best) this.#agreeing++
  }

  #judge(record: Bytes): Heard<T> | undefined {
    const known = this.#heard.find((heard) => equal(heard.record, record))
    if (known !== undefined || this.#heard.length >= DISTINCT_MAX) return known
    const heard = { record, value: this.#open(record, this.#day), holders: [] }
    this.#heard.push(heard)
    return heard
  }
}
