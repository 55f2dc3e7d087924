/** What some arrivals change, before it is written: the inbox fills it, the book takes it as one step. */
import type { Channel } from "../../chat/channel.ts"
import type { PieceCarrier } from "../../chat/evidence.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { Partial } from "../../crypto/fragment.ts"
import { Step } from "./book.ts"

/** Of our own envelopes in one batch: some milliseconds of work, and one write. */
const TOGETHER_MAX = 16
/** Foreign envelopes looked at before other work gets its turn: about 8 ms of decapsulations. */
const SLICE = 100

/** Envelopes looked at in one turn, and what they change: written at once, together with the place reached. */
export class Batch {
  readonly step = new Step()
  readonly ops = this.step.ops
  /** Payloads in the making, as they are after this batch; `undefined` for one that is whole now. */
  readonly partials = new Map<string, Partial | undefined>()
  /** Envelopes of this batch that carried last fragments. */
  readonly lasts = new Map<string, Bytes>()
  /** Envelopes that brought pieces of `partials`. */
  readonly carriers = new Map<string, readonly PieceCarrier[]>()
  /** Hexadecimal ids of texts in `step`. */
  readonly texts = new Set<string>()
  /** Hexadecimal ids of the envelopes, ours too, that completed a commit, or what confirms one, and wait to be ordered. */
  readonly held: ReadonlySet<string>
  /** Tags expected since. */
  readonly fresh: Bytes[] = []
  /** A commit that was held came to nothing in its place. */
  hasVoided = false
  looked = 0
  opened = 0
  /** Arrival number of the last one looked at. */
  cursor: number | undefined
  introduced: Channel | undefined
  /** To be done once it is written, within the same turn. */
  readonly after: (() => void)[] = []
  /** To be done once it is written, in turns of their own. */
  readonly later: (() => void)[] = []

  constructor(channels: Iterable<Channel>) {
    const held = Array.from(channels).flatMap(({ held, confirmations }) => [
      ...held,
      ...confirmations,
    ])
    this.held = new Set(held.map(({ envelope }) => toHex(envelope)))
  }

  get isFull(): boolean {
    const { looked, opened, introduced } = this
    return opened >= TOGETHER_MAX || looked >= SLICE || introduced !== undefined
  }
}
