/**
 * Blocks for validators that lag: answers to their STATUS, a few of them ahead, so that the next one is on its way while the last is
 * checked. Whoever says twice that it stands at the same height has lost what was sent, and gets it again.
 */
import { encodeBlocks } from "../../consensus/codec.ts"
import { BLOCKS_PER_ANSWER } from "../../consensus/limits.ts"
import type { Peer } from "../../consensus/types.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import type { LedgerChain } from "./chain.ts"
import { StreamError } from "../transport/streams.ts"
import { BLOCKS_BYTES_MAX } from "../mailbox/sync-messages.ts"

/** On the way to one laggard: three answers. */
const AHEAD_BYTES_MAX = 3 * BLOCKS_BYTES_MAX
/** Laggards that are remembered; beyond it all are served from where they say. */
const LAGGARDS_MAX = 256

interface Laggard {
  readonly after: number
  /** Answers it has not passed yet. */
  readonly sent: { readonly upTo: number; readonly bytes: number }[]
}

type Chain = Pick<LedgerChain, "encodedAfter" | "stable">
type Send = (to: Peer, message: Bytes) => void

/** For a follower that asks. Throws StreamError GONE where these are not kept any more: that there are none would be another answer. */
export async function servedFrom(
  chain: LedgerChain,
  after: number,
  limit: number,
): Promise<readonly Bytes[]> {
  if (chain.hasLetGo(after)) throw new StreamError("GONE", "blocks that are not kept here")
  return await chain.encodedAfter(after, limit, BLOCKS_BYTES_MAX)
}

export class Serving {
  readonly #chain: Chain
  readonly #send: Send
  readonly #laggards = new Map<Peer, Laggard>()
  readonly #busy = new Set<Peer>()

  constructor(chain: Chain, send: Send) {
    this.#chain = chain
    this.#send = send
  }

  /** It has everything up to this height. Throws StoreError. */
  async serve(to: Peer, after: number): Promise<void> {
    if (this.#busy.has(to)) return
    this.#busy.add(to)
    try {
      await this.#topUp(to, after)
    } finally {
      this.#busy.delete(to)
    }
  }

  async #topUp(to: Peer, after: number): Promise<void> {
    const before = this.#laggards.get(to)
    const goesOn = before !== undefined && before.after < after
    const sent = goesOn ? before.sent.filter(({ upTo }) => upTo > after) : []
    let upTo = sent.at(-1)?.upTo ?? after
    let ahead = sent.reduce((sum, { bytes }) => sum + bytes, 0)
    do {
      const blocks = await this.#chain.encodedAfter(upTo, BLOCKS_PER_ANSWER, BLOCKS_BYTES_MAX)
      const message = this.#answer(upTo, blocks)
      this.#send(to, message)
      if (blocks.length === 0) break
      upTo += blocks.length
      ahead += message.length
      sent.push({ upTo, bytes: message.length })
    } while (ahead < AHEAD_BYTES_MAX)
    if (this.#laggards.size >= LAGGARDS_MAX) this.#laggards.clear()
    this.#laggards.set(to, { after, sent })
  }

  /** With the newest boundary checkpoint when the answer reaches it. */
  #answer(after: number, blocks: readonly Bytes[]): Bytes {
    const { stable } = this.#chain
    const reach = after + blocks.length
    const useful = stable !== undefined && reach >= stable.height && after <= stable.height
    return encodeBlocks(blocks, useful ? stable : undefined)
  }
}
