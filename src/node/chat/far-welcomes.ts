/**
 * Invitations into large groups, whose Welcome lies in a blob (far-hello.ts): followed only for an accepted contact whose card has signed
 * them, fetched beside everything else, and joined like any other. Kept until then, so a restart goes on with them.
 */
import type { Channel } from "../../chat/channel.ts"
import { decodeFarHello, type FarHello, isSignedBy } from "../../chat/far-hello.ts"
import { encodeHello } from "../../chat/hello.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { Card } from "../../crypto/card.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { BlobError } from "../blobs/blobs.ts"
import { type ChatBook, Step } from "./book.ts"
import { CardSearches } from "./card-search.ts"
import { Batch } from "./inbox-batch.ts"
import type { ChatParts } from "./parts.ts"

/** Invitations that are being followed; one more, and the one that waits longest is dropped. */
export const FAR_WELCOMES_MAX = 64
/** Times a blob is looked for before an invitation is given up: with the pauses between them some nine hours of running. */
const FAR_TRIES_MAX = 60
/** Cards that did not sign it before it is given up: the inviter may have changed keys in between. */
const SIGNER_TRIES = 3
const FETCH_TIMEOUT_MS = 60_000

export interface FarWelcomeEvents {
  /** The channel that an encoded hello's Welcome makes, if it is sound; adds it to the batch. Within a turn. */
  enter(batch: Batch, hello: Bytes): Promise<Channel | undefined>
  introduced(channel: Channel): void
}

export class FarWelcomes {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #events: FarWelcomeEvents
  readonly #stopping = new AbortController()
  readonly #searches: CardSearches
  readonly #open = new Map<string, Bytes>()

  constructor(parts: ChatParts, book: ChatBook, events: FarWelcomeEvents) {
    this.#parts = parts
    this.#book = book
    this.#events = events
    this.#searches = new CardSearches(parts, book, this.#stopping.signal)
  }

  async load(): Promise<void> {
    for (const payload of await this.#book.records.farWelcomes())
      this.#open.set(nameOf(decodeFarHello(payload)), payload)
    this.kick()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#searches.stop()
  }

  /** Peers changed: who keeps a blob may be among them. */
  retryNow(): void {
    this.#searches.awaken()
  }

  /** Such a hello came. What is not followed leaves no trace. Within a turn. */
  take(step: Step, payload: Bytes): void {
    const far = soundly(payload)
    if (far === undefined || !this.#isWanted(far)) return
    const { records } = this.#book
    const [oldest] = this.#open
    if (this.#open.size >= FAR_WELCOMES_MAX && oldest !== undefined) {
      this.#open.delete(oldest[0])
      step.ops.push(records.delFarWelcome(oldest[0]))
    }
    step.ops.push(records.putFarWelcome(nameOf(far), payload))
    this.#open.set(nameOf(far), payload)
  }

  /** After what `take` added was written, and at the start. */
  kick(): void {
    for (const [name, payload] of this.#open) this.#follow(name, payload)
  }

  /** From somebody we are in contact with, and know to be the one of that name. */
  #isWanted({ from }: FarHello): boolean {
    const contact = this.#book.contacts.get(from)
    const isFriend = contact?.standing === "accepted" && contact.claims === null
    return isFriend && this.#parts.order === "ledger" && this.#parts.payloads !== undefined
  }

  #follow(name: string, payload: Bytes): void {
    const far = decodeFarHello(payload)
    const tries = { signer: 0, blob: 0 }
    this.#searches.begin(name, far.from, {
      wanted: () => this.#open.has(name) && this.#isWanted(far),
      found: (card) => this.#found(name, payload, card, tries),
    })
  }

  /** Whether that is the end of it. */
  async #found(
    name: string,
    payload: Bytes,
    { leaf, formers }: Card,
    tries: { signer: number; blob: number },
  ): Promise<boolean> {
    if (![leaf, ...formers].some((key) => isSignedBy(payload, this.#book.me, key))) {
      if (++tries.signer < SIGNER_TRIES) return false
      this.#parts.log("an invitation was given up: no card of its sender has signed it")
      await this.#end(name)
      return true
    }
    const far = decodeFarHello(payload)
    const welcome = await this.#fetch(far)
    if (welcome === undefined) {
      if (++tries.blob < FAR_TRIES_MAX) return false
      this.#parts.log("an invitation was given up: nobody has what it names")
      await this.#end(name)
      return true
    }
    await this.#join(name, far, welcome)
    return true
  }

  /** Undefined when it is not there now. Nothing at all when it is not what it should be. */
  async #fetch({ ref }: FarHello): Promise<Bytes | undefined> {
    const patience = AbortSignal.timeout(FETCH_TIMEOUT_MS)
    const signal = AbortSignal.any([patience, this.#stopping.signal])
    try {
      return await this.#parts.payloads?.get(ref, signal)
    } catch (error) {
      if (this.#stopping.signal.aborted) throw error
      if (error instanceof BlobError && error.code === "BLOB_DAMAGED") return new Uint8Array(0)
      if (!patience.aborted) this.#parts.log(`fetching a Welcome came to nothing: ${String(error)}`)
      return undefined
    }
  }

  async #join(name: string, { from, name: called, since }: FarHello, welcome: Bytes) {
    const hello = encodeHello({ from, name: called, welcome, group: { since } })
    const { channel, later } = await this.#book.turns.run(async () => {
      const batch = new Batch(this.#book.channels.values())
      const channel = await this.#events.enter(batch, hello)
      batch.ops.push(this.#book.records.delFarWelcome(name))
      await this.#book.commit(batch.step, { sync: true })
      this.#open.delete(name)
      return { channel, later: batch.later }
    })
    for (const act of later) act()
    if (channel !== undefined) this.#events.introduced(channel)
  }

  async #end(name: string): Promise<void> {
    await this.#book.turns.run(async () => {
      const step = new Step()
      step.ops.push(this.#book.records.delFarWelcome(name))
      await this.#book.commit(step)
      this.#open.delete(name)
    })
  }
}

const nameOf = ({ from, ref }: FarHello) => `${from} ${toHex(ref.root)}`

function soundly(payload: Bytes): FarHello | undefined {
  try {
    return decodeFarHello(payload)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
