/**
 * Between the wire and the core: decodes, judges, and holds what came a term too early. Peers open a term at different moments;
 * without this, whoever opens last would have to ask for everything again. Bounded for each peer.
 */
import { CryptoError } from "../crypto/errors.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { decodeMessage } from "./codec.ts"
import { EARLY_MESSAGES_PER_PEER } from "./limits.ts"
import type { Input, Message, Peer, Wrong } from "./types.ts"
import { isWrong, termOfMessage, verify } from "./verify.ts"
import type { Court } from "./verify.ts"

interface Early {
  readonly from: Peer
  readonly message: Message
}

/** True for a message that can change nothing any more, whether or not it is true. */
export type SetAside = (message: Message) => boolean

export class Inbox {
  readonly #court: () => Court
  readonly #setAside: SetAside
  #early: Early[] = []
  readonly #counts = new Map<Peer, number>()

  /** `court` gives the open term's at the time of asking. */
  constructor(court: () => Court, setAside: SetAside = () => false) {
    this.#court = court
    this.#setAside = setAside
  }

  get heldMessages(): number {
    return this.#early.length
  }

  /** An input for the core, what is wrong, or undefined when the message is held for the next term or needed no more. */
  takeBytes(from: Peer, bytes: Bytes): Input | Wrong | undefined {
    let message: Message
    try {
      message = decodeMessage(bytes)
    } catch (error) {
      if (error instanceof CryptoError) return { verdict: "reject", code: error.code }
      throw error
    }
    return this.take(from, message)
  }

  take(from: Peer, message: Message): Input | Wrong | undefined {
    const court = this.#court()
    if (termOfMessage(message) === court.term + 1) return this.#hold(from, message)
    // Signatures are the most of our work, and a quorum is there before the last vote comes.
    if (this.#setAside(message)) return undefined
    const judged = verify(message, court)
    return isWrong(judged) ? judged : { type: "message", from, message: judged }
  }

  /** To be called when the core says that a term is open: what was held for it, to be taken again. */
  release(): readonly Early[] {
    const early = this.#early
    this.#early = []
    this.#counts.clear()
    return early
  }

  #hold(from: Peer, message: Message): Wrong | undefined {
    const count = this.#counts.get(from) ?? 0
    if (count >= EARLY_MESSAGES_PER_PEER) return { verdict: "ignore", code: "TOO_EARLY" }
    this.#counts.set(from, count + 1)
    this.#early.push({ from, message })
    return undefined
  }
}
