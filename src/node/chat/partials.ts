/**
 * Payloads of several envelopes in the making, and how many of them there may be: anybody who mines an envelope can begin one and never
 * end it. Each author of such (a channel, or all strangers together) has room for so many; one more, and their oldest is dropped.
 * Which exist is remembered here, what they hold lies sealed in the store; after a restart "oldest" is whichever the store names first.
 */
import { toHex } from "../../crypto/bytes.ts"
import type { Carrier, PieceCarrier } from "../../chat/evidence.ts"
import {
  type Fragment,
  COMPOSITE_FRAGMENTS_MAX,
  join,
  type Partial,
} from "../../crypto/fragment.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import type { ChatRecords, PartialPlace } from "./records.ts"
import type { SealedOp } from "../store/sealed.ts"

/** For each channel, and for all strangers together. At eight fragments of 2 KiB, 1 MiB each. */
export const PARTIALS_MAX = 64
/** Who makes those of first contact. */
export const STRANGERS = "intro"

const nameOf = ({ under, transfer }: PartialPlace) => `${under} ${toHex(transfer)}`

/** What is going to be written at once. */
export interface PartialStep {
  readonly ops: SealedOp[]
  /** Those that `ops` change, as they will be; `undefined` for one that is whole by then. */
  readonly partials: Map<string, Partial | undefined>
  /** Envelopes (32 bytes) that carried the last fragments of some of them. */
  readonly lasts: Map<string, Bytes>
  /** Envelopes that brought pieces, of those in `partials`. */
  readonly carriers: Map<string, readonly PieceCarrier[]>
}

export interface Whole {
  readonly payload: Bytes
  /** The envelope (32 bytes) that carried the last fragment: the same for everybody, in whatever order they came. */
  readonly last: Bytes
  /** What brought it, in the order of the fragments; none of what can be shown to nobody (commits, first contact). */
  readonly carriers: readonly Carrier[]
}

/** In order, when there is one for each fragment. */
function wholeOf(brought: readonly PieceCarrier[], count: number): Carrier[] {
  const sorted = brought.toSorted((a, b) => a.index - b.index)
  return sorted.length === count ? sorted.map(({ id, key }) => ({ id, key })) : []
}

export class Partials {
  readonly #records: ChatRecords
  readonly #open = new Map<string, Map<string, PartialPlace>>()

  constructor(records: ChatRecords) {
    this.#records = records
  }

  /** Takes stock; what was begun by someone who is no longer `known`, or is too much, is dropped. */
  async load(known: (from: string) => boolean): Promise<void> {
    const gone: SealedOp[] = []
    for (const place of await this.#records.partials())
      if (known(place.from)) gone.push(...this.#keep(place))
      else gone.push(...this.#records.delPartial(place))
    if (gone.length > 0) await this.#records.write(gone, { sync: false })
  }

  /** Payloads in the making of this author. */
  count(from: string): number {
    return this.#open.get(from)?.size ?? 0
  }

  /** The payload when this fragment, which came in envelope `id`, completes it. What there is of it so far goes into the step. */
  async add(
    { ops, partials, lasts, carriers }: PartialStep,
    from: string,
    under: string,
    fragment: Fragment,
    id: Bytes,
    key?: Bytes,
  ): Promise<Whole | undefined> {
    if (fragment.count === 1)
      return { payload: fragment.data, last: id, carriers: key === undefined ? [] : [{ id, key }] }
    const place = { from, under, transfer: fragment.transfer }
    const name = `${from} ${nameOf(place)}`
    const before = partials.has(name) ? partials.get(name) : await this.#records.partial(place)
    const joined = join(before, fragment)
    partials.set(name, joined instanceof Uint8Array ? undefined : joined)
    if (fragment.index === fragment.count - 1) lasts.set(name, id)
    const brought = await this.#brought(carriers, name, place, fragment, id, key)
    if (joined instanceof Uint8Array) {
      this.#open.get(from)?.delete(nameOf(place))
      ops.push(...this.#records.delPartial(place))
      const last = lasts.get(name) ?? (await this.#records.lastOf(place)) ?? id
      return { payload: joined, last, carriers: wholeOf(brought, fragment.count) }
    }
    ops.push(...this.#keep(place), this.#records.putPartial(place, joined))
    if (lasts.get(name) === id) ops.push(this.#records.putLastOf(place, id))
    if (brought.length > 0) ops.push(this.#records.putCarriersOf(place, brought))
    return undefined
  }

  /** What brought the pieces that are here, with this one; of a piece that comes twice, what brought it first. */
  async #brought(
    carriers: PartialStep["carriers"],
    name: string,
    place: PartialPlace,
    { index, count }: Fragment,
    id: Bytes,
    key: Bytes | undefined,
  ): Promise<readonly PieceCarrier[]> {
    if (key === undefined || count > COMPOSITE_FRAGMENTS_MAX) return []
    const before = carriers.get(name) ?? (await this.#records.carriersOf(place))
    const isNew = before.every((each) => each.index !== index)
    const after = isNew ? [...before, { index, id, key }] : before
    carriers.set(name, after)
    return after
  }

  #keep(place: PartialPlace): SealedOp[] {
    const open = this.#open.get(place.from) ?? new Map<string, PartialPlace>()
    this.#open.set(place.from, open.set(nameOf(place), place))
    const [oldest] = open
    if (open.size <= PARTIALS_MAX || oldest === undefined) return []
    open.delete(oldest[0])
    return this.#records.delPartial(oldest[1])
  }

  /** This author is gone, and with them what they began. */
  forget(from: string): SealedOp[] {
    const places = this.#open.get(from)?.values() ?? []
    const ops = Array.from(places, (place) => this.#records.delPartial(place)).flat()
    this.#open.delete(from)
    return ops
  }
}
