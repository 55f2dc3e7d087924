/**
 * A validator's part in the ledger: the driver of the core, the streams to the other validators, and what passes between the two and
 * the network: votes out and in, blocks to who lags, decided blocks to everybody.
 */
import { blockFault } from "../../consensus/certificate.ts"
import {
  decodeBlockClaim,
  decodeBlockRecord,
  encodeBlockRecord,
  encodeMessage as encodeLedgerMessage,
} from "../../consensus/codec.ts"
import { DEFAULT_TIMING } from "../../consensus/core.ts"
import type { Scheme } from "../../consensus/hybrid.ts"
import type { Ledger, LedgerRules } from "../../consensus/ledger.ts"
import { BLOCK_ITEMS_MAX, PIPELINE_SLOTS } from "../../consensus/limits.ts"
import { primaryOf, seatOf, type ValidatorSet } from "../../consensus/quorum.ts"
import type { BlockRecord, Item, Message, ValidatorKeys, Wrong } from "../../consensus/types.ts"
import { primitives } from "#primitives"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../../crypto/verdict.ts"
import type { LedgerProblem } from "../api/types.ts"
import { BACKLOG_BYTES_MAX } from "../transport/gossip.ts"
import type { LedgerChain } from "./chain.ts"
import { LedgerDriver, type Standpoint } from "./driver.ts"
import { LedgerLinks } from "./links.ts"
import type { SignatureChecks } from "./checks.ts"
import type { LedgerPart } from "./part.ts"
import { ledgerTopic } from "./rules.ts"
import { Serving } from "./serving.ts"
import { LedgerLog } from "./wal.ts"
import type { Want } from "./wanted.ts"
import type { Network } from "../network/parts.ts"
import { StreamError } from "../transport/streams.ts"
import { SyncError } from "../mailbox/sync-round.ts"
import type { Validator } from "./validator-keys.ts"

/** Between two blocks that are told to everybody: who hears of one asks for those before it. */
const ANNOUNCE_REST_MS = 100
/** After a start a validator alone orders nothing until somebody was asked for later blocks, or nobody came for so long. */
const ASK_FIRST_MS = 5_000
/** Blocks that a validator alone asks for at a time, and takes in one go. */
const BLOCKS_READ = 16

export interface ValidatorParts {
  readonly rules: LedgerRules
  /** The least time between two ticks. */
  readonly periodMs: number
  readonly scheme: Scheme
  readonly checks: SignatureChecks
  readonly chain: LedgerChain
  readonly network: Network
  readonly validator: Validator
  /** The profile's `ledger` directory and the mark beside new keys; undefined where nothing outlives the process. */
  readonly directory: string | undefined
  readonly newMark: string | undefined
  /** Who may be at the other end of a stream now. */
  readonly members: () => readonly ValidatorKeys[]
  /** A proposal names what is not admitted here. */
  readonly want: (items: readonly Item[], why: Want) => void
  /** A block is certified and stored. In order of height, each once. */
  readonly onBlock: (applied: readonly Item[]) => void
  /** Links have come or gone, or the driver has stopped. */
  readonly onChange: () => void
  readonly note: (line: string) => void
  readonly onFault: (error: unknown) => void
}

export class LedgerValidator implements LedgerPart {
  readonly #parts: ValidatorParts
  readonly #links: LedgerLinks
  readonly #serving: Serving
  #announceNext: BlockRecord | undefined
  #announcing: NodeJS.Timeout | undefined
  #driver: LedgerDriver | undefined
  #reading: Promise<void> = Promise.resolve()
  /** Admitted while others are asked first; undefined once that is over. */
  #held: Item[] | undefined
  #holding: NodeJS.Timeout | undefined
  #stopped = false

  private constructor(parts: ValidatorParts) {
    const { network, rules, validator, scheme, members, onChange, onFault } = parts
    this.#parts = parts
    this.#serving = new Serving(parts.chain, (to, message) => this.#links.send(to, message))
    this.#links = new LedgerLinks({
      streams: network.streams,
      meshId: rules.meshId,
      peer: network.transport.peer,
      keys: validator.keys,
      sign: validator.sign,
      scheme,
      validators: members,
      receive: (from, bytes) => {
        const wrong = this.#driver?.receive(from, bytes)
        return wrong instanceof Promise ? wrong.then(received) : received(wrong)
      },
      lied: (peer) => void network.distrust(peer).catch(onFault),
      onChange,
      onFault,
    })
  }

  /** Comes back from whatever the disk holds, and votes if it may. Throws StoreError. */
  static async start(replayed: Standpoint, parts: ValidatorParts): Promise<LedgerValidator> {
    const self = new LedgerValidator(parts)
    await self.#start(replayed)
    return self
  }

  async #start(replayed: Standpoint): Promise<void> {
    const { scheme, checks, validator, chain, directory, newMark, rules, periodMs } = this.#parts
    const { want, onBlock, onChange, note, onFault } = this.#parts
    this.#driver = await LedgerDriver.start(replayed, {
      replica: {
        scheme,
        ed25519: validator.keys.ed25519,
        sign: validator.sign,
        timing: { ...DEFAULT_TIMING, tickMs: periodMs },
        pipelineSlots: PIPELINE_SLOTS,
        nonce: newNonce(),
      },
      chain,
      checks,
      log: new LedgerLog({ directory, newMark, meshId: rules.meshId }),
      send: (to, message) => {
        if (to === undefined) this.#broadcast(message)
        else this.#links.send(to, encodeLedgerMessage(message))
      },
      serve: (to, after) => void this.#serving.serve(to, after).catch(onFault),
      want,
      onBlock: (record, applied) => {
        onBlock(applied)
        this.#announce(record)
      },
      lied: (from) => this.#links.accuse(from),
      seal: (preimage, signal) => validator.seal(preimage, signal),
      note,
      onFault: (error) => {
        note("ledger: this validator has stopped")
        onFault(error)
        onChange()
      },
    })
    if (this.#isAlone && chain.height > 0) {
      this.#held = []
      this.#holding = setTimeout(() => this.#letGo(), ASK_FIRST_MS)
      this.#holding.unref()
    }
    await this.#links.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#announcing)
    clearTimeout(this.#holding)
    await this.#links.stop()
    await this.#reading
    await this.#driver?.stop()
  }

  get ledger(): Ledger {
    return this.#running.replica.ledger
  }
  get role() {
    return this.#running.standing
  }
  get linked(): readonly Bytes[] {
    return this.#links.connected
  }
  get proposers(): readonly string[] {
    const { term, view } = this.#running.replica
    const { set } = this.#running.replica.court()
    const primary = set.members[primaryOf(term, view, set.size)]?.ed25519
    const isPrimary = ({ key }: { key: Bytes }) => primary !== undefined && equal(key, primary)
    const peers = this.#links.peersByKey()
    const ordered = [...peers.filter(isPrimary), ...peers.filter((each) => !isPrimary(each))]
    return ordered.map(({ peer }) => peer)
  }
  get announced(): number {
    return this.#parts.chain.height
  }
  /** Who votes has been told where the others are; who votes alone decides it. */
  get isNewest(): boolean {
    return this.role === "validating" && this.#held === undefined
  }
  get problem(): LedgerProblem | null {
    return this.#running.problem
  }
  get pooled(): number {
    return this.#running.waiting + (this.#held?.length ?? 0)
  }

  admit(items: readonly Item[]): void {
    if (this.#held === undefined) this.#running.input({ type: "admit", items })
    else this.#held.push(...items)
  }

  admitSoon(items: readonly Item[]): void {
    if (this.#held === undefined) this.#running.admitSoon(items)
    else this.#held.push(...items)
  }

  #letGo(): void {
    clearTimeout(this.#holding)
    const held = this.#held ?? []
    this.#held = undefined
    while (held.length > 0) this.admit(held.splice(0, BLOCK_ITEMS_MAX))
  }

  awaits(): void {
    // what waits was admitted, and the core has a timer for it
  }

  /** Asks who is there for what they have first: what a validator alone forgot, only they can have. */
  async resume(): Promise<"now" | "next-start" | "no"> {
    if (this.#isAlone)
      for (const peer of this.#parts.network.transport.peers()) await this.#readFrom(peer)
    return await this.#running.resume()
  }

  connected(peer: string): void {
    this.#links.reach(peer)
    if (!this.#isAlone) return
    this.#reading = this.#reading.then(() => this.#readFrom(peer))
  }

  get #isAlone(): boolean {
    const { set } = this.#running.replica.court()
    return set.size === 1 && seatOf(set, this.#parts.validator.keys.ed25519) === 0
  }

  /** Blocks above ours: there are some only if this validator was put back to an older day (consensus/README, A validator alone). */
  async #readFrom(peer: string): Promise<void> {
    const { chain, network, onFault } = this.#parts
    try {
      for (let before = -1; before < chain.height && !this.#stopped;) {
        before = chain.height
        const blocks = await network.blocksFrom(peer, before, BLOCKS_READ)
        this.#running.offer(blocks.map((bytes) => decodeBlockRecord(bytes)))
        await this.#running.settled()
      }
      this.#letGo()
    } catch (error) {
      if (error instanceof StreamError || error instanceof SyncError) return
      if (!(error instanceof CryptoError)) onFault(error)
    }
  }

  disconnected(peer: string): void {
    this.#links.lost(peer)
  }

  /** Validators learn blocks from each other; what gossip brings they only pass on, and so look at no item of it. */
  heard(bytes: Bytes): Verdict {
    const claim = decodeBlockClaim(bytes)
    const set = this.#setOf(claim.certificate.term)
    if (set === undefined) return ignore("OTHER_TERM")
    const { rules, scheme } = this.#parts
    const fault = blockFault(claim, rules.meshId, set, scheme)
    return fault === undefined ? ACCEPT : reject(fault)
  }

  get #running(): LedgerDriver {
    if (this.#driver === undefined) throw new Error("the driver has not started")
    return this.#driver
  }

  #broadcast(message: Message): void {
    const members = this.#driver?.replica.court().set.members ?? []
    const own = this.#parts.validator.keys.ed25519
    const others = members.filter(({ ed25519 }) => !equal(ed25519, own))
    if (others.length > 0) this.#links.broadcast(encodeLedgerMessage(message), others)
  }

  /** The primary of the view that decided a block tells everybody; of blocks that follow each other at once, only of the last. */
  #announce(record: BlockRecord): void {
    const { term, view, signatures } = record.certificate
    const set = this.#setOf(term)
    if (set === undefined || signatures.length === 0) return
    const { keys } = this.#parts.validator
    if (primaryOf(term, view, set.size) !== seatOf(set, keys.ed25519)) return
    const rests = this.#announcing !== undefined
    this.#announceNext = record
    if (!rests) this.#publish()
  }

  #publish(): void {
    const record = this.#announceNext
    this.#announceNext = undefined
    this.#announcing = undefined
    if (record === undefined || this.#stopped) return
    this.#announcing = setTimeout(() => this.#publish(), ANNOUNCE_REST_MS)
    this.#announcing.unref()
    const { network, rules, onFault } = this.#parts
    const { gossip } = network.transport
    // Whoever misses it asks: a block is never worth a flood of buffers.
    if (gossip.backlogBytes > BACKLOG_BYTES_MAX) return
    const topic = ledgerTopic(rules.meshId)
    if (gossip.subscribers(topic).length === 0) return
    gossip.publish(topic, encodeBlockRecord(record)).catch((error: unknown) => {
      if (!this.#stopped) onFault(error)
    })
  }

  /** The validator set of the open term or the one before. */
  #setOf(term: number): ValidatorSet | undefined {
    const replica = this.#driver?.replica
    if (replica === undefined) return undefined
    if (term === replica.term) return replica.court().set
    return term === replica.term - 1 ? replica.ledger.lastSet : undefined
  }
}

const received = (wrong: Wrong | undefined) => (wrong?.verdict === "reject" ? "reject" : "taken")

const newNonce = () => 1 + Number.parseInt(toHex(primitives.randomBytes(6)), 16)
