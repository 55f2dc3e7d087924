/**
 * Payloads of several envelopes in the making, and how many of them there may be: anybody who mines an envelope can begin one and never
 * end it. Each author of such (a channel, or all strangers together) has room for so many; one more, and their oldest is dropped.
 * Which exist is remembered here, what they hold lies sealed in the store; after a restart "oldest" is whichever the store names first.
 */
import { toHex } from "../crypto/bytes.ts"
import { type Fragment, join } from "../crypto/fragment.ts"
import type { Bytes } from "../crypto/bytes.ts"
import type { ChatRecords, PartialPlace } from "./chat-records.ts"
import type { SealedOp } from "./sealed.ts"

/** For each channel, and for all strangers together. At eight fragments of 2 KiB, 1 MiB each. */
export const PARTIALS_MAX = 64
/** Who makes those of first contact. */
export const STRANGERS = "intro"

export interface Whole {
  readonly payload: Bytes
  /** The envelope (32 bytes) that carried the last fragment: the same for everybody, in whatever order they came. */
  readonly last: Bytes
}

const nameOf = ({ under, transfer }: PartialPlace) => `${under} ${toHex(transfer)}`

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

  /** The payload when this fragment, which came in envelope `id`, completes it. What there is of it so far goes into `ops`. */
  async add(
    ops: SealedOp[],
    from: string,
    under: string,
    fragment: Fragment,
    id: Bytes,
  ): Promise<Whole | undefined> {
    if (fragment.count === 1) return { payload: fragment.data, last: id }
    const place = { from, under, transfer: fragment.transfer }
    const isLast = fragment.index === fragment.count - 1
    const joined = join(await this.#records.partial(place), fragment)
    if (joined instanceof Uint8Array) {
      const last = isLast ? id : ((await this.#records.lastOf(place)) ?? id)
      this.#open.get(from)?.delete(nameOf(place))
      ops.push(...this.#records.delPartial(place))
      return { payload: joined, last }
    }
    ops.push(...this.#keep(place), this.#records.putPartial(place, joined))
    if (isLast) ops.push(this.#records.putLastOf(place, id))
    return undefined
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
