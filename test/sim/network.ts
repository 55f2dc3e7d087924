/**
 * The network between simulated nodes: each directed link loses, duplicates, delays and reorders; partitions cut links, one way
 * or both; filters hold, drop or watch single messages. Everything seeded.
 */
import type { Message, Peer } from "../../src/consensus/types.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import type { Random } from "./random.ts"
import type { Scheduler } from "./scheduler.ts"

export interface LinkOptions {
  /** Delay of a message, milliseconds: uniform between the two. */
  readonly delayMs: readonly [number, number]
  /** Percent of messages that take ten times as long. */
  readonly tailPercent: number
  readonly lossPercent: number
  readonly duplicatePercent: number
}

export const GOOD_LINKS: LinkOptions = {
  delayMs: [1, 10],
  tailPercent: 0,
  lossPercent: 0,
  duplicatePercent: 0,
}

export interface Packet {
  readonly from: string
  readonly to: string
  readonly fromPeer: Peer
  readonly message: Message | Bytes
}

/** What a filter looks at. Absent fields match everything. */
export interface Filter {
  readonly from?: string
  readonly to?: string
  readonly type?: string
  readonly term?: number
  readonly view?: number
  readonly height?: number
  /** Share of the matching messages that it applies to; all without it. */
  readonly percent?: number
  /** Virtual time at which the filter ends. */
  readonly until?: number
}

export type FilterAction = "drop" | "hold"

interface Rule {
  readonly action: FilterAction
  readonly filter: Filter
}

const field = (message: Message | Bytes, name: "term" | "view" | "height"): number | undefined => {
  if (message instanceof Uint8Array) return undefined
  const value = (message as unknown as Record<string, unknown>)[name]
  return typeof value === "number" ? value : undefined
}

const fits = <T>(wanted: T | undefined, actual: T): boolean =>
  wanted === undefined || wanted === "*" || wanted === actual

export class Network {
  options: LinkOptions = GOOD_LINKS
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #deliver: (packet: Packet) => void
  /** Groups that reach only themselves; a node in no group reaches nobody. Undefined: everyone reaches everyone. */
  #groups: readonly (readonly string[])[] | undefined
  /** Directed links that are cut besides. */
  readonly #cut = new Set<string>()
  readonly #rules = new Set<Rule>()
  readonly held: Packet[] = []
  sent = 0

  constructor(scheduler: Scheduler, random: Random, deliver: (packet: Packet) => void) {
    this.#scheduler = scheduler
    this.#random = random
    this.#deliver = deliver
  }

  partition(groups: readonly (readonly string[])[]): void {
    this.#groups = groups
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`)
  }

  /** Links work again; messages that were held stay held unless they are released. */
  heal(): void {
    this.#groups = undefined
    this.#cut.clear()
  }

  /** Also forgets every filter. */
  clear(): void {
    this.heal()
    this.#rules.clear()
  }

  filter(action: FilterAction, filter: Filter): () => void {
    const rule = { action, filter }
    this.#rules.add(rule)
    return () => this.#rules.delete(rule)
  }

  /** Lets held messages go on, those that match. */
  release(filter: Filter = {}): void {
    const going = this.held.filter((packet) => this.#matches(filter, packet))
    this.held.splice(0, this.held.length, ...this.held.filter((packet) => !going.includes(packet)))
    for (const packet of going) this.#travel(packet)
  }

  discardHeld(): void {
    this.held.length = 0
  }

  send(packet: Packet): void {
    this.sent++
    for (const { action, filter } of this.#rules) {
      if (!this.#matches(filter, packet)) continue
      if (filter.percent !== undefined && !this.#random.chance(filter.percent)) continue
      if (action === "hold") this.held.push(packet)
      return
    }
    if (!this.#connected(packet.from, packet.to)) return
    const { lossPercent, duplicatePercent } = this.options
    if (lossPercent > 0 && this.#random.chance(lossPercent)) return
    this.#travel(packet)
    if (duplicatePercent > 0 && this.#random.chance(duplicatePercent)) this.#travel(packet)
  }

  #travel(packet: Packet): void {
    const { delayMs, tailPercent } = this.options
    const [low, high] = delayMs
    let delay = low + (high - low) * this.#random.fraction()
    if (tailPercent > 0 && this.#random.chance(tailPercent)) delay *= 10
    this.#scheduler.after(delay, () => {
      // A partition also stops what is under way.
      if (this.#connected(packet.from, packet.to)) this.#deliver(packet)
    })
  }

  #connected(from: string, to: string): boolean {
    if (this.#cut.size > 0 && this.#cut.has(`${from}>${to}`)) return false
    if (this.#groups === undefined) return true
    return this.#groups.some((group) => group.includes(from) && group.includes(to))
  }

  #matches(filter: Filter, { from, to, message }: Packet): boolean {
    if (filter.until !== undefined && this.#scheduler.now >= filter.until) return false
    const type = message instanceof Uint8Array ? "bytes" : message.type
    return (
      fits(filter.from, from) &&
      fits(filter.to, to) &&
      fits(filter.type, type) &&
      fits(filter.term, field(message, "term")) &&
      fits(filter.view, field(message, "view")) &&
      fits(filter.height, field(message, "height"))
    )
  }
}
