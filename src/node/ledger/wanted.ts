/**
 * Envelopes that a proposal names and that are not admitted here, or not in the form that is proposed. Anybody may put an admission of their
 * own in front of an envelope, and its id does not cover that: so the one kept here under an id may have been paid for by another than
 * the one proposed. Then the content is here, and only the other admission is fetched and judged. Whoever proposed an item has it, so the
 * primary is asked first, and others soon after if it does not answer. What was proposed last goes first, so that a primary
 * that names what nobody has holds up the next one for a moment only. The core asks again for what was not found.
 */
import { keyOf, sameItem } from "../../consensus/item.ts"
import type { EnvelopeItem, Item } from "../../consensus/types.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { Verdict } from "../../crypto/verdict.ts"
import { orAborted } from "../deadline.ts"
import type { LedgerPart } from "./part.ts"
import { itemOf } from "./rules.ts"
import type { Mailbox } from "../mailbox/mailbox.ts"
import type { Network } from "../network/parts.ts"
import { StreamError } from "../transport/streams.ts"
import { FETCH_MAX } from "../mailbox/sync-messages.ts"
import { SyncError } from "../mailbox/sync-round.ts"

/** Envelopes that proposals name; beyond it the oldest go, and the core speaks again of what it still needs. */
export const WANTED_MAX = 1024
/** The same for what other validators ask to have ordered: one of them may ask for whatever it likes. */
const REQUESTED_MAX = 64
/** Groups of at most FETCH_MAX that are looked for side by side: one that nobody has holds up no other. */
const LANES_MAX = 4
/** Peers asked for the same. */
const PEERS_MAX = 8
/** The next peer is asked after so long, though the one before may still answer. */
const HEDGE_MS = 200
/** After this long nobody else is asked, and answers no longer count: whoever has it has answered long ago. */
const DEADLINE_MS = 2_000

/** Votes wait for what is proposed. What another validator only asks to have ordered may wait. */
export type Want = "proposed" | "requested"

export interface WantedParts {
  readonly mailbox: Pick<Mailbox, "knows" | "getMany" | "admit">
  /** Who may have them, the likeliest first. */
  readonly peers: () => readonly string[]
  /** What a peer keeps under these ids, at most FETCH_MAX; `undefined` for what it does not. Throws StreamError, SyncError. */
  readonly envelopes: (
    peer: string,
    ids: readonly Bytes[],
    signal: AbortSignal,
  ) => Promise<readonly (Bytes | undefined)[]>
  /** Judges the admission of an envelope whose content is here under another one. Throws StoreError. */
  readonly judge: (envelope: Bytes, peer: string) => Promise<Verdict>
  /** For the core. Envelopes that are new here come to it by the mailbox. */
  readonly admit: (items: readonly Item[]) => void
  readonly onFault: (error: unknown) => void
}

export class Wanted {
  readonly #parts: WantedParts
  /** What proposals name, and what is only asked for. By id and spend: two forms of one envelope are two wishes. */
  readonly #proposed = new Map<string, EnvelopeItem>()
  readonly #requested = new Map<string, EnvelopeItem>()
  /** Being looked for. */
  readonly #sought = new Set<string>()
  readonly #lanes = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  /** What is only asked for has one lane at most. */
  #isRequestLane = false

  constructor(parts: WantedParts) {
    this.#parts = parts
  }

  want(items: readonly Item[], why: Want): void {
    const envelopes = items.filter((item) => item.type === "envelope")
    if (envelopes.length === 0 || this.#stop.signal.aborted) return
    this.#wantMissing(envelopes, why).catch(this.#parts.onFault)
  }

  /** What is here in this form needs no lane. */
  async #wantMissing(items: readonly EnvelopeItem[], why: Want): Promise<void> {
    const missing = await this.#notHere(items)
    if (this.#stop.signal.aborted) return
    const [wanted, most] =
      why === "proposed" ? [this.#proposed, WANTED_MAX] : [this.#requested, REQUESTED_MAX]
    for (const item of missing) {
      const name = nameOf(item)
      if (this.#sought.has(name)) continue
      // the newest stands last
      wanted.delete(name)
      wanted.set(name, item)
      const [oldest] = wanted.keys()
      if (wanted.size > most && oldest !== undefined) wanted.delete(oldest)
    }
    this.#openLanes()
  }

  #openLanes(): void {
    if (this.#stop.signal.aborted) return
    while (this.#lanes.size < LANES_MAX && this.#proposed.size > 0) this.#open(this.#proposed)
    if (this.#lanes.size >= LANES_MAX || this.#requested.size === 0 || this.#isRequestLane) return
    this.#isRequestLane = true
    this.#open(this.#requested)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#lanes)
  }

  /** The newest of them. */
  #open(wanted: Map<string, EnvelopeItem>): void {
    const group = [...wanted].slice(-FETCH_MAX)
    for (const [name] of group) {
      wanted.delete(name)
      this.#sought.add(name)
    }
    const lane = this.#bring(group.map(([, item]) => item))
      .catch(this.#parts.onFault)
      .finally(() => {
        for (const [name] of group) this.#sought.delete(name)
        this.#lanes.delete(lane)
        if (wanted === this.#requested) this.#isRequestLane = false
        this.#openLanes()
      })
    this.#lanes.add(lane)
  }

  /** Looks for them until all are found, the time is over or nobody is left. */
  async #bring(items: readonly EnvelopeItem[]): Promise<void> {
    const missing = new Map(items.map((item) => [nameOf(item), item]))
    const found = new AbortController()
    const over = [found.signal, this.#stop.signal, AbortSignal.timeout(DEADLINE_MS)]
    const signal = AbortSignal.any(over)
    const asked: Promise<void>[] = []
    for (const peer of this.#parts.peers().slice(0, PEERS_MAX)) {
      if (signal.aborted) break
      const asking = this.#ask(peer, missing, signal, found)
      // looked at below; a failure is not unhandled until then
      asking.catch(() => undefined)
      asked.push(asking)
      await soonerOf(asking, signal)
    }
    if (signal.aborted) return
    // whoever answers later than that is not waited for
    await orAborted(Promise.all(asked), signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  /** Those that are not; the others are admitted. */
  async #notHere(items: readonly EnvelopeItem[]): Promise<readonly EnvelopeItem[]> {
    const { mailbox, admit } = this.#parts
    const kept = await mailbox.getMany(items.map(({ id }) => id))
    const isHere = (item: EnvelopeItem, i: number): boolean => {
      const envelope = kept[i]
      return envelope !== undefined && sameItem(itemOf(item.id, envelope), item)
    }
    const here = items.filter(isHere)
    if (here.length > 0 && !this.#stop.signal.aborted) admit(here)
    return items.filter((item) => !here.includes(item))
  }

  /** What this peer has of what is missing by then; `found` is aborted when nothing is missing any more. */
  async #ask(
    peer: string,
    missing: Map<string, EnvelopeItem>,
    signal: AbortSignal,
    found: AbortController,
  ): Promise<void> {
    const items = [...missing.values()]
    try {
      const ids = items.map(({ id }) => id)
      const envelopes = await this.#parts.envelopes(peer, ids, signal)
      await Promise.all(
        items.map(async (item, i) => {
          const envelope = envelopes[i]
          if (envelope === undefined || !missing.has(nameOf(item)) || signal.aborted) return
          if (await this.#take(item, envelope, peer)) missing.delete(nameOf(item))
        }),
      )
    } catch (error) {
      // it left, lies or is slow: that is said by the mailbox's reading, and another one is asked here
      const isPeers = error instanceof StreamError || error instanceof SyncError
      if (!isPeers && !signal.aborted) throw error
    }
    if (missing.size === 0) found.abort()
  }

  /** Whether this is the envelope that was wanted, in its form, and its admission holds. */
  async #take(item: EnvelopeItem, envelope: Bytes, peer: string): Promise<boolean> {
    const { mailbox, judge, admit } = this.#parts
    const isWanted = sameItem(itemOf(item.id, envelope), item)
    if (!mailbox.knows(item.id)) {
      const verdict = await mailbox.admit(envelope, { from: "fetch", peer })
      if (verdict.verdict === "accept") return isWanted
      // [IGNORE] another one came meanwhile; this may be the other form
      if (verdict.verdict !== "ignore" || verdict.code !== "DUPLICATE") return false
    }
    // [IGNORE] another spend than the one proposed
    if (!isWanted || (await judge(envelope, peer)).verdict !== "accept") return false
    if (!this.#stop.signal.aborted) admit([item])
    return true
  }
}

/** Asks the validators of this mesh, the primary first, and then everybody else. */
export function wantedIn(
  network: Network,
  part: () => LedgerPart | undefined,
  onFault: (error: unknown) => void,
): Wanted {
  return new Wanted({
    mailbox: network.mailbox,
    peers: () => [...new Set([...(part()?.proposers ?? []), ...network.transport.peers()])],
    envelopes: (peer, ids, signal) => network.envelopes(peer, ids, signal),
    judge: (envelope, peer) => network.judgeAgain(envelope, peer),
    admit: (items) => part()?.admit(items),
    onFault,
  })
}

const nameOf = ({ id, spend }: EnvelopeItem): string => keyOf(id) + toHex(spend)

/** Resolves when the work is done or has failed, when it takes long, or at the signal. */
async function soonerOf(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const enough = Promise.withResolvers<undefined>()
  const done = () => enough.resolve(undefined)
  const timer = setTimeout(done, HEDGE_MS)
  signal.addEventListener("abort", done, { once: true })
  work.then(done, done)
  try {
    if (!signal.aborted) await enough.promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", done)
  }
}
