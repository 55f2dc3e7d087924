/**
 * Tells people that they were added to a group: the Welcome of a commit that the ledger has ordered, in intro envelopes to their card's
 * key, or in a blob where it is too long for those. It is kept until it has left, so a crash between the order and the telling leaves nobody out.
 */
import { encodeFarHello } from "../../chat/far-hello.ts"
import { encodeHello } from "../../chat/hello.ts"
import { groupThreadIdOf } from "../../chat/thread.ts"
import type { Address } from "../../crypto/address.ts"
import type { BlobRef } from "../../crypto/blob.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { Card } from "../../crypto/card.ts"
import { INTRO_PLAINTEXT_BYTES, sealIntro } from "../../crypto/envelope.ts"
import { cut, INTRO_FRAGMENTS_MAX, payloadBytesMax } from "../../crypto/fragment.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"
import type { Invitation } from "./records.ts"

const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 10 * 60_000
/** A Welcome that no keeper has taken by then is tried again later, after other invitations. */
const BRING_TIMEOUT_MS = 60_000

const FEW = 4

const nameOf = ({ group, epoch }: Invitation) => `${toHex(group)} ${epoch}`

export class Invitations {
  readonly #parts: ChatParts
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #stopping = new AbortController()
  readonly #open = new Map<string, Invitation>()
  #sending: Promise<void> | undefined
  #more = false
  #pauseMs = FIRST_RETRY_MS
  #cancel: () => void = () => undefined

  constructor(parts: ChatParts, book: ChatBook, outbox: Outbox) {
    this.#parts = parts
    this.#book = book
    this.#outbox = outbox
  }

  async load(): Promise<void> {
    for (const each of await this.#book.records.invitations()) this.#open.set(nameOf(each), each)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancel()
    await this.#sending
  }

  /** Adds to `step` that these people are to be told. They are, once it is written. Within a turn. */
  add(step: Step, invitation: Invitation): void {
    step.ops.push(this.#book.records.putInvitation(invitation))
    this.#open.set(nameOf(invitation), invitation)
  }

  /** Peers changed: whose card was not there may be found now. */
  retryNow(): void {
    this.#pauseMs = FIRST_RETRY_MS
    this.kick()
  }

  kick(): void {
    if (this.#stopping.signal.aborted || this.#open.size === 0) return
    this.#cancel()
    this.#more = this.#sending !== undefined
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
      if (this.#more) this.kick()
    })
  }

  async #sendAll(): Promise<void> {
    for (const invitation of [...this.#open.values()])
      try {
        for (const who of invitation.to) {
          if (this.#stopping.signal.aborted) return
          await this.#send(invitation, who)
        }
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.#parts.log(`inviting into a group failed: ${String(error)}`)
      }
    if (this.#open.size === 0) return
    this.#cancel = this.#parts.clock.after(this.#pauseMs, () => this.kick())
    this.#pauseMs = Math.min(2 * this.#pauseMs, LAST_RETRY_MS)
  }

  async #send(invitation: Invitation, who: Address): Promise<void> {
    // Who comes back from a backup may have another card than a minute ago; of many at once all were looked up just now.
    const isFew = invitation.to.length <= FEW
    const card = await this.#parts.findCard(who, this.#stopping.signal, isFew)
    if (card?.address !== who) return
    const id = groupThreadIdOf(invitation.group)
    const payload = await this.#payloadOf(invitation, card)
    const envelopes = cut(payload, INTRO_PLAINTEXT_BYTES, INTRO_FRAGMENTS_MAX).map((plaintext) =>
      sealIntro(this.#parts.meshId, card.intro, plaintext),
    )
    await this.#outbox.posting.sendSealed({ id }, envelopes, (step) => {
      const now = this.#open.get(nameOf(invitation)) ?? invitation
      const left = { ...now, to: now.to.filter((each) => each !== who) }
      if (left.to.length > 0) this.add(step, left)
      else {
        step.ops.push(this.#book.records.delInvitation(left))
        this.#open.delete(nameOf(left))
      }
    })
  }

  /** The Welcome itself where it fits envelopes, which show nobody who talks to whom; else where it lies. */
  async #payloadOf(invitation: Invitation, card: Card): Promise<Bytes> {
    const { me, identity } = this.#parts
    const { welcome, since } = invitation
    const hello = { from: me, name: identity.name }
    const near = encodeHello({ ...hello, welcome, group: { since } })
    if (near.length <= payloadBytesMax(INTRO_PLAINTEXT_BYTES, INTRO_FRAGMENTS_MAX)) return near
    const ref = await this.#brought(invitation)
    return encodeFarHello({ ...hello, since, ref }, card.address, identity.leaf)
  }

  /** Brings the Welcome to where all of them can fetch it, once. */
  async #brought(invitation: Invitation): Promise<BlobRef> {
    const { ref: known } = this.#open.get(nameOf(invitation)) ?? invitation
    if (known !== undefined) return known
    const { payloads } = this.#parts
    if (payloads === undefined) throw new Error("there is nobody to keep a long Welcome")
    const patience = AbortSignal.timeout(BRING_TIMEOUT_MS)
    const ref = await payloads.put(
      invitation.welcome,
      AbortSignal.any([patience, this.#stopping.signal]),
    )
    await this.#book.turns.run(async () => {
      const step = new Step()
      this.add(step, { ...(this.#open.get(nameOf(invitation)) ?? invitation), ref })
      await this.#book.commit(step)
    })
    return ref
  }
}
