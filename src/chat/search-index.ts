/**
 * Which messages may hold which words: an inverted index in memory. It is a hint and never an answer: what it names is read and compared
 * before anybody sees it, so an entry that is out of date costs a look and shows nothing. Pure; whoever asks drives the generators and
 * may pause between steps. Newest first, by the time that authors gave.
 */
import type { Bytes } from "../crypto/bytes.ts"
import { type Lookup, lookupsOf, type Phrase } from "./search-query.ts"
import { WordPairs } from "./search-pairs.ts"
import { termsOf, wordsOf } from "./search-words.ts"
import { WideMap } from "./wide-map.ts"

/** What filters ask about. */
export interface About {
  readonly sentAtMs: number
  readonly author: string
  readonly mine: boolean
  readonly hasFile: boolean
}

/** A message and where it lies. */
export interface Found extends About {
  /** 16 bytes. */
  readonly id: Bytes
  readonly thread: Bytes
  /** As it sorts in its thread. */
  readonly position: Bytes
}

interface Entry extends About {
  readonly id: string
  readonly thread: string
  readonly position: string
  readonly mark: number
}

/** What an entry costs besides its words, a term besides its letters, and a place in a list: as measured, in bytes. */
const ENTRY_BYTES = 290
const TERM_BYTES = 130
const PLACE_BYTES = 6
/** Steps between two pauses. */
const STRIDE = 512
/** Found messages that are put in order at a time. */
const BAND = 256

/** Ids of 16 bytes as strings of 16 characters: a third of hexadecimal ones. */
const short = (bytes: Bytes) => String.fromCharCode(...bytes)
const long = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))

/** From this length on a part of a string keeps all of it in memory. */
const PART_CHARACTERS = 13

function copied(term: string): string {
  if (term.length < PART_CHARACTERS) return term
  return String.fromCharCode(...Array.from({ length: term.length }, (_, i) => term.charCodeAt(i)))
}

/** Growing list of entry numbers, in rising order. */
class Places {
  #numbers = new Uint32Array(4)
  length = 0

  push(number: number): void {
    if (this.length > 0 && this.#numbers[this.length - 1] === number) return
    if (this.length === this.#numbers.length) {
      const larger = new Uint32Array(Math.ceil(this.length * 1.5))
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers[this.length++] = number
  }

  list(): Uint32Array {
    return this.#numbers.subarray(0, this.length)
  }
}

export class SearchIndex {
  readonly #entries: (Entry | undefined)[] = []
  readonly #numbers = new WideMap<number>()
  /** Most words are in one message only. */
  readonly #terms = new WideMap<number | Places>()
  readonly #pairs = new WordPairs()
  #bytes = 0
  #dropped = 0

  /** What it takes, about. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#numbers.size
  }

  /** Entries that are gone while their words still stand; a new index has none. */
  get dropped(): number {
    return this.#dropped
  }

  /** A message as it is now; one that is there already with the same text stays as it is. */
  put(found: Found, text: string): void {
    const id = short(found.id)
    const mark = markOf(text)
    const known = this.#numbers.get(id)
    if (known !== undefined) {
      if (this.#entries[known]?.mark === mark) return
      this.remove(found.id)
    }
    const number = this.#entries.length
    const { sentAtMs, author, mine, hasFile } = found
    const [thread, position] = [short(found.thread), short(found.position)]
    this.#entries.push({ id, thread, position, sentAtMs, author, mine, hasFile, mark })
    this.#numbers.set(id, number)
    this.#bytes += ENTRY_BYTES
    const words = wordsOf(text)
    for (const term of termsOf(words)) this.#place(term, number)
    this.#pairs.put(number, words)
  }

  #place(term: string, number: number): void {
    const known = this.#terms.get(term)
    if (known === number) return
    this.#bytes += PLACE_BYTES
    if (known === undefined) {
      this.#terms.set(copied(term), number)
      this.#bytes += TERM_BYTES + term.length
    } else if (typeof known === "number") {
      const places = new Places()
      places.push(known)
      places.push(number)
      this.#terms.set(term, places)
      this.#bytes += TERM_BYTES
    } else known.push(number)
  }

  has(id: Bytes): boolean {
    return this.#numbers.has(short(id))
  }

  remove(id: Bytes): void {
    const name = short(id)
    const number = this.#numbers.get(name)
    if (number === undefined) return
    this.#numbers.delete(name)
    this.#entries[number] = undefined
    this.#dropped++
  }

  /** Messages that may hold all of these phrases and pass the filter, newest first. Yields undefined for a pause. */
  *find(
    phrases: readonly Phrase[],
    passes: (about: About, thread: string) => boolean,
  ): Generator<Found | undefined, void> {
    const lookups = phrases.flatMap(lookupsOf)
    const pairs = phrases.map((phrase) => this.#pairs.asked(phrase))
    const marks = new Uint8Array(this.#entries.length)
    for (const [round, lookup] of lookups.entries())
      for (const places of this.#placesOf(lookup)) {
        if (places !== undefined)
          for (const number of places) if (marks[number] === round) marks[number] = round + 1
        yield undefined
      }
    const found: Entry[] = []
    for (const [number, reached] of marks.entries()) {
      const may = reached === lookups.length && pairs.every((each) => this.#pairs.may(number, each))
      const entry = may ? this.#entries[number] : undefined
      if (entry !== undefined && passes(entry, entry.thread)) found.push(entry)
      if (number % (STRIDE * 8) === 0) yield undefined
    }
    yield* newestFirst(found)
  }

  *#placesOf({ term, prefix }: Lookup): Generator<readonly number[] | Uint32Array | undefined> {
    const listed = (places: number | Places | undefined) =>
      places === undefined ? undefined : typeof places === "number" ? [places] : places.list()
    if (!prefix) {
      yield listed(this.#terms.get(term))
      return
    }
    let looked = 0
    for (const part of this.#terms.parts)
      for (const [candidate, places] of part) {
        if (candidate.startsWith(term)) yield listed(places)
        else if (++looked % (STRIDE * 8) === 0) yield undefined
      }
  }
}

/** Whether a filter's thread is this one, as `find` names it. */
export const threadName = short

const newerFirst = (a: Entry, b: Entry) =>
  b.sentAtMs - a.sentAtMs || compared(b.position, a.position) || compared(a.id, b.id)
const compared = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** In bands, so that the order of a hundred thousand is not made for the sake of the first fifty. */
function* newestFirst(found: readonly Entry[]): Generator<Found | undefined, void> {
  let last: Entry | undefined
  for (;;) {
    const band = yield* newestAfter(found, last)
    for (const { id, thread, position, ...about } of band)
      yield { ...about, id: long(id), thread: long(thread), position: long(position) }
    last = band.at(-1)
    if (band.length < BAND) return
  }
}

function* newestAfter(
  found: readonly Entry[],
  last: Entry | undefined,
): Generator<undefined, Entry[]> {
  let band: Entry[] = []
  let floor: Entry | undefined
  const cut = () => {
    band = band.sort(newerFirst).slice(0, BAND)
    floor = band.length === BAND ? band.at(-1) : undefined
  }
  for (const [i, entry] of found.entries()) {
    if (i % STRIDE === 0) yield undefined
    if (last !== undefined && newerFirst(entry, last) <= 0) continue
    if (floor !== undefined && newerFirst(entry, floor) >= 0) continue
    if (band.push(entry) === 2 * BAND) cut()
  }
  cut()
  return band
}

/** 32 bits that tell an edited text from the one before. */
function markOf(text: string): number {
  let mark = text.length
  for (let i = 0; i < text.length; i++) mark = (Math.imul(mark, 31) + text.charCodeAt(i)) | 0
  return mark
}
