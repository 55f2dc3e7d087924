/**
 * Cards as they were found, kept because they tie a leaf key to the roots of its owner: whoever is shown a message of theirs later needs
 * such a card, and the directory forgets one within days. A card names the leaf keys before its own, so one is enough for most of a year.
 */
import { primitives } from "#primitives"
import type { Address } from "../../crypto/address.ts"
import { addressBytes, addressFromBytes } from "../../crypto/address.ts"
import { type Bytes, concat, equal, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { type Card, CARD_BYTES_MAX, verifyCard, vouchesFor } from "../../crypto/card.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { ChatBook } from "./book.ts"
import type { ChatParts } from "./parts.ts"
import type { Sealed, SealedOp } from "../store/sealed.ts"
import { Turns } from "../turns.ts"

/** Cards of one person, each of which names a key that no newer one names; the oldest goes. */
export const CARDS_PER_PERSON_MAX = 4
/** People of whom cards are kept (35 KB each); who is no contact goes first, of those whoever came first. */
export const CARD_OWNERS_MAX = 1_024

type Parts = Pick<ChatParts, "findCard" | "identity" | "me" | "records" | "log">

export class KeptCards {
  readonly #parts: Parts
  readonly #book: Pick<ChatBook, "contacts">
  readonly #records: CardRecords
  readonly #turns = new Turns()
  #owners: Address[] | undefined

  constructor(parts: Parts, book: Pick<ChatBook, "contacts">) {
    this.#parts = parts
    this.#book = book
    this.#records = new CardRecords(parts.records.sealed)
  }

  /** Found, or not; kept if it was. A disk that fails costs the copy, not the card. */
  findCard: ChatParts["findCard"] = async (address, signal, fresh) => {
    const recall = (hash: Bytes) => this.#recall(address, hash)
    const card = await this.#parts.findCard(address, signal, fresh, recall)
    if (card !== undefined && card.address === address)
      await this.#turns
        .run(() => this.#keep(card))
        .catch((error: unknown) => this.#parts.log(`a card was not kept: ${String(error)}`))
    return card
  }

  /** A kept card of this hash. A disk that fails costs fetching it again. */
  async #recall(owner: Address, hash: Bytes): Promise<Bytes | undefined> {
    try {
      const kept = await this.#records.of(owner)
      return kept.find((bytes) => equal(primitives.sha3_256(bytes), hash))
    } catch (error) {
      this.#parts.log(`a kept card was not read: ${String(error)}`)
      return undefined
    }
  }

  /** The same parts, with cards kept as they are found. */
  partsKeeping(parts: ChatParts): ChatParts {
    // Not a copy: what the parts say now (whose keys are the current ones) must go on being asked of them.
    return Object.create(parts, { findCard: { value: this.findCard } }) as ChatParts
  }

  /** A card of this person's that names the leaf key: a kept one, the own one, or the one that can be found now. */
  async naming(owner: Address, key: Bytes, signal: AbortSignal): Promise<Bytes | undefined> {
    const known =
      owner === this.#parts.me ? [this.#parts.identity.card] : await this.#records.of(owner)
    const kept = known.find((bytes) => names(bytes, key))
    if (kept !== undefined || owner === this.#parts.me) return kept
    const found = await this.findCard(owner, signal, true).catch(() => undefined)
    return found !== undefined && vouchesFor(found, key) ? found.encoded : undefined
  }

  /** Nothing is kept of this person any more. */
  async forget(owner: Address): Promise<void> {
    await this.#turns.run(async () => {
      const before = await this.#known()
      if (!before.includes(owner)) return
      const owners = before.filter((each) => each !== owner)
      await this.#write(owners, [this.#records.del(owner)])
    })
  }

  async #keep(card: Card): Promise<void> {
    const before = await this.#records.of(card.address)
    if (before.some((bytes) => equal(bytes, card.encoded))) return
    const cards = needed([card, ...before.flatMap((bytes) => opened(bytes) ?? [])])
    const ops = [this.#records.put(card.address, cards)]
    const owners = await this.#known()
    if (owners.includes(card.address)) return this.#write(owners, ops)
    const gone = owners.length < CARD_OWNERS_MAX ? undefined : this.#leastWanted(owners)
    if (gone !== undefined) ops.push(this.#records.del(gone))
    await this.#write([...owners.filter((each) => each !== gone), card.address], ops)
  }

  #leastWanted(owners: readonly Address[]): Address | undefined {
    const isFriend = (owner: Address) => this.#book.contacts.get(owner)?.standing === "accepted"
    return owners.find((owner) => !isFriend(owner)) ?? owners[0]
  }

  async #known(): Promise<readonly Address[]> {
    return (this.#owners ??= await this.#records.owners())
  }

  async #write(owners: readonly Address[], ops: readonly SealedOp[]): Promise<void> {
    const isSame = owners === this.#owners
    const all = isSame ? ops : [...ops, this.#records.putOwners(owners)]
    await this.#parts.records.write(all, { sync: false })
    this.#owners = [...owners]
  }
}

/** What was kept was verified; what is damaged since is left out. */
function opened(bytes: Bytes): Card | undefined {
  try {
    return verifyCard(bytes)
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

function names(bytes: Bytes, key: Bytes): boolean {
  const card = opened(bytes)
  return card !== undefined && vouchesFor(card, key)
}

/** Newest first, without those whose keys newer ones name all. */
function needed(cards: readonly Card[]): Bytes[] {
  const kept: Card[] = []
  for (const card of cards.toSorted((a, b) => b.sequence - a.sequence)) {
    const keys = [card.leaf, ...card.formers]
    const isNew = keys.some((key) => !kept.some((newer) => vouchesFor(newer, key)))
    if (isNew && kept.length < CARDS_PER_PERSON_MAX) kept.push(card)
  }
  return kept.map(({ encoded }) => encoded)
}

/** By blinded address; who is there stands in a record of its own. */
class CardRecords {
  readonly #sealed: Sealed

  constructor(sealed: Sealed) {
    this.#sealed = sealed
  }

  #key = (owner: Address) => this.#sealed.key("cards", toHex(addressBytes(owner)))
  #ownersKey = () => this.#sealed.key("cards", "owners")

  async of(owner: Address): Promise<Bytes[]> {
    const bytes = await this.#sealed.find(this.#key(owner))
    const read = new Reader(bytes ?? new Uint8Array(0))
    const cards: Bytes[] = []
    while (read.left > 0) cards.push(read.bytes(4, CARD_BYTES_MAX))
    return cards
  }

  put(owner: Address, cards: readonly Bytes[]): SealedOp {
    const out = new Writer()
    for (const card of cards) out.bytes(card, 4)
    return this.#sealed.put(this.#key(owner), out.finish())
  }

  del = (owner: Address): SealedOp => this.#sealed.del(this.#key(owner))

  async owners(): Promise<Address[]> {
    const bytes = await this.#sealed.find(this.#ownersKey())
    const read = new Reader(bytes ?? new Uint8Array(0))
    const owners: Address[] = []
    while (read.left > 0) owners.push(addressFromBytes(read.raw(64)))
    return owners
  }

  putOwners = (owners: readonly Address[]): SealedOp =>
    this.#sealed.put(this.#ownersKey(), concat(...owners.map(addressBytes)))
}
