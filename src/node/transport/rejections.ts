/**
 * Peers whose messages were rejected. After a few nothing more of theirs is judged, and somebody looks at once whether they may stay; after
 * fewer, a moment later, whether gossip still thinks enough of them: gossip itself only stops to listen, and goes on decrypting and
 * decoding.
 */
import { ignore } from "../../crypto/verdict.ts"
import type { TopicRule } from "./gossip.ts"

/** Rejected messages of one peer after which nothing more of it is looked at; gossip's own grey list begins with the third. */
export const REJECTED_MAX = 8
/** Gossip works out a peer's score ten times a second. */
const LOOK_AFTER_MS = 200

/** Kept only of peers that are connected. */
export class Rejections {
  readonly #counts = new Map<string, number>()
  readonly #looks = new Map<string, NodeJS.Timeout>()
  /** Set by whoever can cut off a peer; until then nobody is. */
  onLook: (peer: string) => void = () => undefined

  /** The same rule, with an eye on who breaks it. */
  watching(rule: TopicRule): TopicRule {
    return {
      ...rule,
      judge: async (data, peer) => {
        // [IGNORE] it comes from somebody who sends what is not worth a look
        if (this.isHopeless(peer)) {
          this.#look(peer)
          return ignore("UNTRUSTED")
        }
        const verdict = await rule.judge(data, peer)
        if (verdict.verdict === "reject") this.#count(peer)
        return verdict
      },
    }
  }

  /** Whether nothing of this peer is judged any more. */
  isHopeless(peer: string): boolean {
    return (this.#counts.get(peer) ?? 0) >= REJECTED_MAX
  }

  /** The peer has gone. */
  forget(peer: string): void {
    this.#counts.delete(peer)
  }

  stop(): void {
    for (const timer of this.#looks.values()) clearTimeout(timer)
    this.#looks.clear()
  }

  #count(peer: string): void {
    this.#counts.set(peer, (this.#counts.get(peer) ?? 0) + 1)
    this.#look(peer, this.isHopeless(peer) ? 0 : LOOK_AFTER_MS)
  }

  #look(peer: string, afterMs = LOOK_AFTER_MS): void {
    if (afterMs > 0 && this.#looks.has(peer)) return
    clearTimeout(this.#looks.get(peer))
    const timer = setTimeout(() => {
      this.#looks.delete(peer)
      this.onLook(peer)
    }, afterMs)
    timer.unref()
    this.#looks.set(peer, timer)
  }
}
