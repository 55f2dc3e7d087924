/**
 * The mailbox: the topic `/sotto/<meshId>/mailbox/1` and the envelopes this peer keeps from it (DESIGN §1, §6). Whatever way an envelope
 * comes, by gossip, by sync or from here, the same judge looks at it, cheap checks first, and what it accepts is stored. What is
 * posted is published meanwhile, at a pace that no peer's buffer overflows; if nobody is there, or a publication gets lost, sync
 * brings the envelope on. Who wrote an envelope is neither known nor noted.
 */
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES, envelopeId } from "../../crypto/envelope.ts"
import { CodedError } from "../../crypto/errors.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../../crypto/verdict.ts"
import type { Gossip, TopicRule } from "../transport/gossip.ts"
import { Publisher } from "./publisher.ts"
import { type Kept, Shelf, type ShelfOptions } from "./shelf.ts"
import type { Store, Write } from "../store/store.ts"

export const mailboxTopic = (meshId: Bytes) => `/sotto/${toHex(meshId)}/mailbox/1`

/** Envelopes being judged and stored at a time, from everybody: 16 MiB. Beyond it they are ignored, and sync asks for them later. */
export const JUDGING_MAX = 4096
/** The same for one peer, so that one flood does not shut out the others. */
export const JUDGING_PER_PEER_MAX = 1024
/** Ids that came by sync and may still be passed on when gossip brings them. */
const SYNCED_FIRST_MAX = 4096
export type AdmitCode =
  /** [REJECT] not 4096 bytes. */
  | "BAD_LENGTH"
  /** [REJECT] no kind of admission that this mesh knows. */
  | "UNKNOWN_ADMISSION"
  /** [IGNORE] kept already, or kept before and dropped. */
  | "DUPLICATE"
  /** [IGNORE] too many at once, from this peer or from all. */
  | "OVERLOADED"
  /** [IGNORE] without its admission part, and the ledger here does not vouch for it (yet). */
  | "NOT_ORDERED"

/** Let in, and what must be written in the same batch as the envelope. */
export interface Admitted {
  readonly verdict: "accept"
  readonly writes: readonly Write[]
}

/** Judges the admission part of an envelope of 4096 bytes. */
export type Admission = (
  envelope: Bytes,
  origin: Origin,
) => Verdict | Admitted | Promise<Verdict | Admitted>

/** First byte of an envelope whose admission part was taken out. */
const STRIPPED = 0

export interface MailboxParts extends ShelfOptions {
  readonly store: Store
  /** 32 bytes. */
  readonly meshId: Bytes
  /** By the first byte of the envelope. */
  readonly admissions: ReadonlyMap<number, Admission>
  /** Whether the ledger has ordered this id. What it vouches for comes in without admission, by sync. */
  readonly vouched?: (id: Bytes) => boolean
  /** Something went wrong that no caller is waiting for: a store that fails, a listener that throws. */
  readonly onFault: (error: unknown) => void
}

export type MailboxErrorCode =
  /** Own envelope that others would not take either; the cause is the verdict's code. */
  "NOT_ADMITTED"

export class MailboxError extends CodedError<MailboxErrorCode> {}

export interface Posted {
  readonly id: Bytes
  /** Peers that it was handed to by gossip; 0 when it waits for one to come and sync. */
  readonly peers: number
}

/** Where an envelope came from: a peer, or this node itself. `fetch`: it was asked for by its id, for the ledger's sake. */
export type Origin =
  { readonly from: "gossip" | "sync" | "fetch"; readonly peer: string } | { readonly from: "local" }

export type StoredListener = (kept: Kept) => void

const LOCAL: Origin = { from: "local" }
/** No peer has this id. */
const OURSELVES = ""

interface Taken {
  readonly verdict: Verdict
  readonly id?: Bytes
  /** Once it is stored; only with `accept`. */
  readonly kept?: Promise<Kept>
}

export class Mailbox {
  readonly topic: string
  readonly #parts: MailboxParts
  readonly #shelf: Shelf
  readonly #stored: Set<StoredListener>
  readonly #shed = new Set<(peer: string) => void>()
  readonly #judging = new Map<string, number>()
  #judgingAll = 0
  readonly #syncedFirst = new Set<string>()
  readonly #publisher: Publisher

  private constructor(parts: MailboxParts, shelf: Shelf, stored: Set<StoredListener>) {
    this.#parts = parts
    this.#shelf = shelf
    this.#stored = stored
    this.topic = mailboxTopic(parts.meshId)
    this.#publisher = new Publisher(this.topic, parts.onFault)
  }

  static async open(parts: MailboxParts): Promise<Mailbox> {
    const stored = new Set<StoredListener>()
    const shelf = await Shelf.open(parts.store, parts, (kept) => tell(kept, stored, parts.onFault))
    return new Mailbox(parts, shelf, stored)
  }

  /** For the transport: how this topic's messages are judged. */
  rule(): TopicRule {
    return {
      topic: this.topic,
      messageBytesMax: ENVELOPE_BYTES,
      // a copy: the frame it came in may hold many more
      judge: (data, peer) => this.#judgeGossip(data.slice(), peer),
    }
  }

  /** From now on posts are published. */
  publishThrough(gossip: Gossip): void {
    this.#publisher.through(gossip)
  }

  get count(): number {
    return this.#shelf.count
  }

  /** Sequence number of the newest envelope; 0 when there is none. */
  get lastSeq(): number {
    return this.#shelf.lastSeq
  }

  get firstSeq(): number {
    return this.#shelf.firstSeq
  }

  /** Most envelopes that are kept. */
  get envelopesMax(): number {
    return this.#shelf.envelopesMax
  }

  /** Whether this id is kept, or was and is remembered. */
  knows(id: Bytes): boolean {
    return this.#shelf.knows(id)
  }

  /** Whether the ledger has ordered an envelope of this id. */
  isVouched(id: Bytes): boolean {
    return this.#parts.vouched?.(id) === true
  }

  /** Called for each stored envelope, in order of arrival, right after it was stored. Returns how to end it. */
  onStored(listener: StoredListener): () => void {
    this.#stored.add(listener)
    return () => void this.#stored.delete(listener)
  }

  /** Called when an envelope from this peer was ignored because there were too many at once. */
  onShed(listener: (peer: string) => void): () => void {
    this.#shed.add(listener)
    return () => void this.#shed.delete(listener)
  }

  entriesAfter(seq: number, limit: number): Promise<readonly Kept[]> {
    return this.#shelf.entriesAfter(seq, limit)
  }

  idsAfter(seq: number, limit: number): Promise<readonly { seq: number; id: Bytes }[]> {
    return this.#shelf.idsAfter(seq, limit)
  }

  /** Those of these envelopes that are not kept here. */
  missing(ids: readonly Bytes[]): Promise<readonly Bytes[]> {
    return Promise.resolve(ids.filter((id) => !this.#shelf.isKept(id)))
  }

  /** In the order of `ids`; `undefined` for what is not here. */
  getMany(ids: readonly Bytes[]): Promise<readonly (Bytes | undefined)[]> {
    return this.#shelf.getMany(ids)
  }

  /** Takes the admission part out of these envelopes, where they are here; `writes` go into the same batch. Throws StoreError. */
  strip(ids: readonly Bytes[], writes: readonly Write[]): Promise<void> {
    return this.#shelf.change(ids, stripped, writes)
  }

  /** Envelopes under this tag, 16 bytes. */
  byTag(tag: Bytes): Promise<readonly Kept[]> {
    return this.#shelf.byTag(tag)
  }

  /** Judges, and stores what is accepted before it resolves. Throws StoreError. */
  async admit(envelope: Bytes, origin: Origin): Promise<Verdict> {
    const { verdict, id, kept } = await this.#take(envelope, origin)
    await kept
    if (kept !== undefined && id !== undefined && origin.from === "sync") this.#rememberSynced(id)
    return verdict
  }

  /**
   * Publishes an own envelope, and stores it beside. Harmless when repeated: what is stored already is only published. Whoever posts has
   * it on the disk and posts it again until a peer has it, so it is not written through here a second time, and peers need not wait
   * for it. Throws MailboxError NOT_ADMITTED, StoreError.
   */
  async post(envelope: Bytes): Promise<Posted> {
    const { verdict, kept } = await this.#take(envelope, LOCAL)
    if (verdict.verdict !== "accept" && verdict.code !== "DUPLICATE")
      throw new MailboxError("NOT_ADMITTED", `own envelope refused: ${verdict.code}`)
    const id = envelopeId(envelope)
    if (verdict.verdict !== "accept") await this.#renew(id, envelope)
    const [peers] = await Promise.all([this.#publisher.publish(envelope), kept])
    return { id, peers }
  }

  /** An own envelope that is here already under an admission that has lost its worth: the new one takes its place. */
  async #renew(id: Bytes, envelope: Bytes): Promise<void> {
    const [kept] = await this.getMany([id])
    if (kept === undefined || isStripped(kept) || equal(kept, envelope)) return
    const verdict = await this.#parts.admissions.get(envelope[0] ?? STRIPPED)?.(envelope, LOCAL)
    if (verdict?.verdict !== "accept")
      throw new MailboxError("NOT_ADMITTED", `own envelope refused: ${verdict?.code ?? "no kind"}`)
    const writes = "writes" in verdict ? verdict.writes : []
    await this.#shelf.change([id], (now) => (isStripped(now) ? undefined : envelope), writes)
  }

  /** Lets what is being stored settle; what waits for publication is left to sync. */
  async stop(): Promise<void> {
    await this.#publisher.stop()
    await this.#shelf.settled()
  }

  /** Gossip passes an envelope on as soon as it is accepted; storing goes on beside. */
  async #judgeGossip(envelope: Bytes, peer: string): Promise<Verdict> {
    const { verdict, id, kept } = await this.#take(envelope, { from: "gossip", peer })
    kept?.catch(this.#parts.onFault)
    const known = verdict.verdict === "ignore" && id !== undefined
    return known && this.#cameBySync(id, envelope) ? ACCEPT : verdict
  }

  /** Judges and, if it is accepted, begins to store: in one turn, so that of two copies at once one is kept. */
  async #take(envelope: Bytes, origin: Origin): Promise<Taken> {
    // [REJECT] an envelope has 4096 bytes
    if (envelope.length !== ENVELOPE_BYTES) return { verdict: reject("BAD_LENGTH") }
    const admission = this.#parts.admissions.get(envelope[0] ?? 0)
    // gossip is for what is new, and that has its admission
    const mayBeVouched = this.#parts.vouched !== undefined && isAskedFor(origin)
    // [REJECT] its admission is of a kind that this mesh knows
    if (admission === undefined && !(mayBeVouched && isStripped(envelope)))
      return { verdict: reject("UNKNOWN_ADMISSION") }
    const id = envelopeId(envelope)
    // [IGNORE] it is new
    if (this.knows(id)) return { verdict: ignore("DUPLICATE"), id }
    // the ledger's word is worth more than any admission, and an admission that nobody checked is not passed on
    if (mayBeVouched && this.isVouched(id))
      return this.#keep(id, stripped(envelope) ?? envelope, ACCEPT)
    if (admission === undefined) return { verdict: ignore("NOT_ORDERED"), id }
    const peer = origin.from === "local" ? OURSELVES : origin.peer
    // [IGNORE] there is room to judge it
    if (!this.#enter(peer)) return this.#shedding(peer, id)
    try {
      // [REJECT or IGNORE] it was paid for
      const verdict = await admission(envelope, origin)
      if (verdict.verdict === "accept") {
        // another copy may have come in meanwhile
        if (this.knows(id)) return { verdict: ignore("DUPLICATE"), id }
        return this.#keep(id, envelope, verdict)
      }
      return verdict.code === "OVERLOADED" ? this.#shedding(peer, id) : { verdict, id }
    } finally {
      this.#leave(peer)
    }
  }

  #keep(id: Bytes, envelope: Bytes, verdict: Verdict | Admitted): Taken {
    const writes = "writes" in verdict ? verdict.writes : []
    const kept = this.#shelf.keep(id, envelope, { writes })
    // whoever called looks at it in a moment; until then a failure is not unhandled
    kept.catch(() => undefined)
    return { verdict: ACCEPT, id, kept }
  }

  /** Too much at once: sync asks that peer again when there is time. */
  #shedding(peer: string, id: Bytes): Taken {
    if (peer !== OURSELVES) for (const listener of this.#shed) listener(peer)
    return { verdict: ignore("OVERLOADED"), id }
  }

  #enter(peer: string): boolean {
    const own = this.#judging.get(peer) ?? 0
    const all = this.#judgingAll + this.#shelf.arriving
    // own envelopes are few and always get in
    if (peer !== OURSELVES && (all >= JUDGING_MAX || own >= JUDGING_PER_PEER_MAX)) return false
    this.#judging.set(peer, own + 1)
    this.#judgingAll += 1
    return true
  }

  #leave(peer: string): void {
    const own = this.#judging.get(peer) ?? 1
    if (own === 1) this.#judging.delete(peer)
    else this.#judging.set(peer, own - 1)
    this.#judgingAll -= 1
  }

  /**
   * Sync sometimes overtakes gossip. Such an envelope is a duplicate here but perhaps not behind us, so it is passed on, once,
   * provided it is byte for byte the one that was judged.
   */
  #cameBySync(id: Bytes, envelope: Bytes): boolean {
    const kept = this.#parts.store.peek("envelopes", id)
    return kept !== undefined && equal(kept, envelope) && this.#syncedFirst.delete(toHex(id))
  }

  #rememberSynced(id: Bytes): void {
    this.#syncedFirst.add(toHex(id))
    if (this.#syncedFirst.size <= SYNCED_FIRST_MAX) return
    for (const oldest of this.#syncedFirst) {
      this.#syncedFirst.delete(oldest)
      return
    }
  }
}

/** What sync brings was asked for by its id. */
const isAskedFor = ({ from }: Origin) => from === "sync" || from === "fetch"

/** No admission at all, in its one spelling. */
const isStripped = (envelope: Bytes) =>
  envelope[0] === STRIPPED && envelope.subarray(0, ADMISSION_BYTES).every((byte) => byte === 0)

/** The same without its admission; undefined when it has none. */
const stripped = (envelope: Bytes): Bytes | undefined =>
  isStripped(envelope) ? undefined : envelope.slice().fill(0, 0, ADMISSION_BYTES)

function tell(
  kept: readonly Kept[],
  listeners: ReadonlySet<StoredListener>,
  onFault: (error: unknown) => void,
): void {
  for (const entry of kept)
    for (const listener of listeners) {
      try {
        listener(entry)
      } catch (error) {
        onFault(error)
      }
    }
}
