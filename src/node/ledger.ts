/**
 * The ledger of one mesh at one peer: the chain, and a validator's driver or a follower on top of it, joined to the network. Hands out
 * blocks to who asks, tells chat what was ordered, and says how the ledger stands. What the ledger is, is in src/consensus.
 */
import { certificateFault } from "../consensus/certificate.ts"
import {
  decodeBlockRecord,
  encodeBlockRecord,
  encodeMessage as encodeLedgerMessage,
} from "../consensus/codec.ts"
import { DEFAULT_TIMING } from "../consensus/core.ts"
import { Follower } from "../consensus/follower.ts"
import { hybridScheme, remembering, type Scheme } from "../consensus/hybrid.ts"
import { keyOf, keysOf } from "../consensus/item.ts"
import { Ledger, type LedgerRules } from "../consensus/ledger.ts"
import { PIPELINE_SLOTS, POOL_ITEMS_MAX } from "../consensus/limits.ts"
import { primaryOf, seatOf, type ValidatorSet } from "../consensus/quorum.ts"
import type { BlockRecord, EnvelopeItem, Item, Message, ValidatorKeys } from "../consensus/types.ts"
import { primitives } from "#primitives"
import { type Bytes, equal, toHex } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../crypto/verdict.ts"
import type { LedgerStatus, LedgerView, ValidatorView } from "./api/types.ts"
import { BACKLOG_BYTES_MAX, type TopicRule } from "./gossip.ts"
import { type ChainBlock, envelopesOf, LedgerChain, type Replayed } from "./ledger-chain.ts"
import { LedgerDriver } from "./ledger-driver.ts"
import { LedgerFollower } from "./ledger-follower.ts"
import { LedgerLinks } from "./ledger-links.ts"
import { Finder, whereaboutsTopic } from "./ledger-whereabouts.ts"
import { ledgerRules, ledgerTopic, workItem } from "./ledger-rules.ts"
import { LedgerLog } from "./ledger-wal.ts"
import type { Mesh } from "./mesh-membership.ts"
import type { Network } from "./network.ts"
import type { Store } from "./store.ts"
import { BLOCK_BYTES_MAX, BLOCKS_BYTES_MAX } from "./sync-messages.ts"
import type { Validator } from "./validator-keys.ts"

/** Signatures that verified and are remembered: some terms of votes of a small set. */
const REMEMBERED_SIGNATURES = 16_384
/** Blocks in one answer to a lagging validator; checked there in one go. */
const BLOCKS_SERVED = 16
/** Items given to the core in one step. */
const ADMIT_MAX = 1024
/** With so many waiting in the core, others stay in the mailbox until it has room again. */
const POOL_FULL = POOL_ITEMS_MAX / 2
/** Envelopes without a place that are counted; beyond it the count stands still. */
const WAITING_MAX = 65_536
/** Envelopes wait and no block has come for so long: the ledger stands still, and says so. */
export const STALLED_AFTER_MS = 10_000
const SCAN_PAGE = 1024
const SLICE_MS = 8

export interface MeshLedgerParts {
  readonly store: Store
  readonly mesh: Mesh
  /** The profile's `ledger` directory and the mark beside new keys; undefined where nothing outlives the process. */
  readonly directory: string | undefined
  readonly newMark: string | undefined
  /** This peer's validator keys, if it has any. They vote only if the set holds them. */
  readonly validator: Validator | undefined
  /** A block was stored, or something that `status` says has changed. */
  readonly onChange: () => void
  readonly note: (line: string) => void
  readonly onFault: (error: unknown) => void
}

export class MeshLedger {
  readonly rules: LedgerRules
  readonly chain: LedgerChain
  readonly #parts: MeshLedgerParts
  readonly #scheme: Scheme = remembering(hybridScheme(), REMEMBERED_SIGNATURES)
  readonly #listeners = new Set<() => void>()
  readonly #waiting = new Map<string, { readonly id: Bytes; readonly sinceMs: number }>()
  readonly #undo: (() => void)[] = []
  readonly #finder: Finder
  #network: Network | undefined
  #driver: LedgerDriver | undefined
  #follower: LedgerFollower | undefined
  #links: LedgerLinks | undefined
  #lastBlockMs = performance.now()
  #admitting: EnvelopeItem[] = []
  #admitSoon = false
  /** The core was full when something came: the mailbox is looked through again when it has room. */
  #missed = false
  #scanning: Promise<void> | undefined
  readonly #wanted = new Map<string, Bytes>()
  #fetching: Promise<void> | undefined
  #stallTimer: NodeJS.Timeout | undefined
  #stopped = false

  private constructor(parts: MeshLedgerParts, chain: LedgerChain) {
    this.#parts = parts
    this.chain = chain
    this.rules = ledgerRules(parts.mesh)
    const { meshId } = this.rules
    this.#finder = new Finder({
      meshId,
      scheme: this.#scheme,
      validators: () => this.#membersNow(),
      own: parts.validator,
      isLinked: (key) => this.#links?.connected.some((each) => equal(each, key)) ?? false,
      addresses: () => this.#network?.addresses() ?? [],
      publish: (message) =>
        this.#networkOrThrow.transport.gossip.publish(whereaboutsTopic(meshId), message),
      dial: (addresses, signal) => this.#networkOrThrow.transport.dial(addresses, signal),
      nowMs: () => performance.now(),
    })
  }

  /** Undefined in a mesh without validators. Throws StoreError. */
  static async open(parts: MeshLedgerParts): Promise<MeshLedger | undefined> {
    if (parts.mesh.genesis.validators.length === 0) return undefined
    return new MeshLedger(parts, await LedgerChain.open(parts.store))
  }

  /** For the transport. */
  topics(): readonly TopicRule[] {
    const blocks = {
      topic: ledgerTopic(this.rules.meshId),
      messageBytesMax: BLOCK_BYTES_MAX,
      judge: (data: Bytes, peer: string) => this.#judge(data.slice(), peer),
    }
    return [blocks, this.#finder.rule()]
  }

  /** For peers that ask: encoded blocks above a height. */
  served(after: number, limit: number): Promise<readonly Bytes[]> {
    return this.chain.encodedAfter(after, limit, BLOCKS_BYTES_MAX)
  }

  /** Takes part from now on. Throws StoreError. */
  async join(network: Network): Promise<void> {
    this.#network = network
    const { validator } = this.#parts
    const replayed = await this.chain.replay(this.rules)
    const { set, fields } = replayed.ledger
    const seated = ({ keys }: Validator) =>
      [set, fields.nextSet].some((each) => seatOf(each, keys.ed25519) >= 0)
    if (validator !== undefined && seated(validator)) await this.#drive(validator, replayed)
    else this.#follow(replayed.ledger)
    const { libp2p } = network.transport
    const onConnect = ({ detail }: { detail: { toString(): string } }) =>
      this.#connected(detail.toString())
    const onDisconnect = ({ detail }: { detail: { toString(): string } }) =>
      this.#links?.lost(detail.toString())
    libp2p.addEventListener("peer:connect", onConnect)
    libp2p.addEventListener("peer:disconnect", onDisconnect)
    this.#undo.push(
      () => libp2p.removeEventListener("peer:connect", onConnect),
      () => libp2p.removeEventListener("peer:disconnect", onDisconnect),
      network.mailbox.onStored(({ id }) => this.#stored(id.slice())),
    )
    for (const peer of network.transport.peers()) this.#connected(peer)
    this.#scan()
    this.#finder.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#stallTimer)
    for (const undo of this.#undo.splice(0)) undo()
    await this.#finder.stop()
    await this.#links?.stop()
    await this.#driver?.stop()
    await this.#follower?.stop()
    await this.#scanning
    await this.#fetching
    this.#listeners.clear()
  }

  // ---- for chat

  get height(): number {
    return this.chain.height
  }

  /** Called after every stored block. Returns how to end it. */
  onBlock(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  orderedAt(id: Bytes): number | undefined {
    return this.chain.orderedAt(id)
  }

  /** What the blocks above a height ordered, at most so many blocks. */
  async blocksAfter(height: number, limit: number): Promise<readonly ChainBlock[]> {
    const found: ChainBlock[] = []
    for await (const record of this.chain.records(height)) {
      const ids = envelopesOf(record.batch.items).filter(
        (id) => this.chain.orderedAt(id) === record.height,
      )
      found.push({ height: record.height, ids })
      if (found.length === limit) break
    }
    return found
  }

  // ---- how it stands

  status(): LedgerStatus {
    const { height } = this.chain
    const { set } = this.#state()
    return {
      height,
      validators: set.size,
      quorum: set.quorum,
      role: this.#driver?.standing ?? "following",
      linked: this.#links === undefined ? null : this.#links.connected.length,
      behind: Math.max(0, (this.#follower?.announced ?? height) - height),
      waiting: this.#waiting.size,
      stalled: this.#stalled(),
    }
  }

  view(): LedgerView {
    const { last } = this.chain
    const { set, lastSet } = this.#state()
    return {
      ...this.status(),
      set: toHex(set.digest),
      last:
        last === undefined
          ? null
          : {
              hash: toHex(last.certificate.digest),
              parent: toHex(last.parent),
              items: last.batch.items.length,
              term: last.certificate.term,
              view: last.certificate.view,
              signers: last.certificate.signatures.map(({ signer }) =>
                toHex(lastSet.members[signer]?.ed25519 ?? new Uint8Array(0)),
              ),
            },
    }
  }

  validators(): readonly ValidatorView[] {
    const { set } = this.#state()
    const linked = this.#links?.connected ?? []
    const own = this.#parts.validator?.keys.ed25519
    return set.members.map(({ ed25519 }, seat) => ({
      seat,
      key: toHex(ed25519),
      own: own !== undefined && equal(own, ed25519),
      linked: this.#links === undefined ? null : linked.some((key) => equal(key, ed25519)),
    }))
  }

  /** Checks the whole stored chain again, from the genesis on: every link, every state, every signature. */
  async verify(
    progress: (done: number, total: number) => void,
  ): Promise<{ height: number; code: string | null }> {
    // Nothing remembered: what is checked now is checked now.
    const follower = new Follower(new Ledger(this.rules), hybridScheme())
    const total = this.chain.height
    let began = performance.now()
    for await (const record of this.chain.records()) {
      if (record.height > total) break
      const taken = follower.take(record)
      if (!taken.ok) return { height: record.height, code: taken.code }
      if (performance.now() - began < SLICE_MS) continue
      progress(record.height, total)
      await new Promise((resolve) => setImmediate(resolve))
      began = performance.now()
    }
    return { height: follower.ledger.height, code: null }
  }

  #stalled(): boolean {
    const [oldest] = this.#waiting.values()
    if (oldest === undefined) return false
    const sinceMs = Math.max(oldest.sinceMs, this.#lastBlockMs)
    return performance.now() - sinceMs > STALLED_AFTER_MS
  }

  /** The state of the ledger, wherever it is kept. */
  #state(): Pick<Ledger, "set" | "lastSet"> {
    return this.#driver?.replica.ledger ?? this.#follower?.ledger ?? this.#atStart
  }

  get #atStart(): Ledger {
    return new Ledger(this.rules)
  }

  // ---- taking part

  #follow(ledger: Ledger): void {
    const network = this.#networkOrThrow
    this.#follower = new LedgerFollower({
      ledger,
      chain: this.chain,
      scheme: this.#scheme,
      peers: () => network.transport.peers(),
      ask: (peer, after, limit) => network.blocksFrom(peer, after, limit),
      waits: () => this.#waiting.size > 0,
      onBlock: (_, applied) => this.#applied(applied),
      note: this.#parts.note,
      onFault: this.#parts.onFault,
    })
    this.#follower.start()
  }

  async #drive(validator: Validator, replayed: Replayed): Promise<void> {
    const network = this.#networkOrThrow
    const { directory, newMark, note, onFault, onChange } = this.#parts
    const { meshId } = this.rules
    const scheme = this.#scheme
    const { keys, sign } = validator
    const log = new LedgerLog({ directory, newMark, meshId })
    const links = new LedgerLinks({
      streams: network.streams,
      meshId,
      peer: network.transport.peer,
      keys,
      sign,
      scheme,
      validators: () => this.#membersNow(),
      receive: (from, bytes) => {
        const wrong = this.#driver?.receive(from, bytes)
        return wrong?.verdict === "reject" ? "reject" : "taken"
      },
      onChange: () => {
        this.#finder.changed()
        onChange()
      },
      onFault,
    })
    this.#links = links
    const broadcast = (message: Message) => {
      const members = this.#driver?.replica.court().set.members ?? []
      const others = members.filter(({ ed25519 }) => !equal(ed25519, keys.ed25519))
      if (others.length > 0) links.broadcast(encodeLedgerMessage(message), others)
    }
    this.#driver = await LedgerDriver.start(replayed, {
      replica: {
        scheme,
        ed25519: keys.ed25519,
        sign,
        timing: DEFAULT_TIMING,
        pipelineSlots: PIPELINE_SLOTS,
        nonce: newNonce(),
      },
      chain: this.chain,
      log,
      send: (to, message) => {
        if (to === undefined) broadcast(message)
        else links.send(to, encodeLedgerMessage(message))
      },
      serve: (to, after) => void this.#serve(links, to, after).catch(onFault),
      want: (items) => this.#want(items),
      onBlock: (record, applied) => {
        this.#applied(applied)
        this.#announce(record, keys)
      },
      seal: (preimage, signal) => validator.seal(preimage, signal),
      note,
      onFault: (error) => {
        note("ledger: this validator has stopped")
        onFault(error)
        onChange()
      },
    })
    await links.start()
  }

  get #networkOrThrow(): Network {
    if (this.#network === undefined) throw new Error("the ledger has joined no network")
    return this.#network
  }

  #membersNow(): readonly ValidatorKeys[] {
    const { set, lastSet, fields } =
      this.#driver?.replica.ledger ?? this.#follower?.ledger ?? this.#atStart
    return [...new Set([...set.members, ...lastSet.members, ...fields.nextSet.members])]
  }

  #connected(peer: string): void {
    this.#links?.reach(peer)
    this.#follower?.catchUp(peer)
  }

  async #serve(links: LedgerLinks, to: number, after: number): Promise<void> {
    const blocks = await this.chain.encodedAfter(after, BLOCKS_SERVED, BLOCKS_BYTES_MAX)
    const records = blocks.map((bytes) => decodeBlockRecord(bytes))
    const { stable } = this.chain
    const reach = after + records.length
    const useful = stable !== undefined && reach >= stable.height && after <= stable.height
    const checkpoint = useful ? { checkpoint: stable } : {}
    links.send(to, encodeLedgerMessage({ type: "blocks", records, ...checkpoint }))
  }

  /** The primary of the view that decided a block tells everybody. */
  #announce(record: BlockRecord, keys: ValidatorKeys): void {
    const network = this.#networkOrThrow
    const { gossip } = network.transport
    const { term, view, signatures } = record.certificate
    const set = this.#setOf(term)
    if (set === undefined || signatures.length === 0) return
    if (primaryOf(term, view, set.size) !== seatOf(set, keys.ed25519)) return
    // Whoever misses it asks: a block is never worth a flood of buffers.
    if (gossip.backlogBytes > BACKLOG_BYTES_MAX) return
    if (gossip.subscribers(ledgerTopic(this.rules.meshId)).length === 0) return
    gossip
      .publish(ledgerTopic(this.rules.meshId), encodeBlockRecord(record))
      .catch((error: unknown) => {
        if (!this.#stopped) this.#parts.onFault(error)
      })
  }

  /** The validator set of the open term or the one before. */
  #setOf(term: number): ValidatorSet | undefined {
    const replica = this.#driver?.replica
    if (replica === undefined) return undefined
    if (term === replica.term) return replica.court().set
    return term === replica.term - 1 ? replica.ledger.lastSet : undefined
  }

  async #judge(bytes: Bytes, peer: string): Promise<Verdict> {
    let record: BlockRecord
    try {
      record = decodeBlockRecord(bytes)
    } catch (error) {
      // [REJECT] it decodes
      if (error instanceof CryptoError) return reject(error.code)
      throw error
    }
    if (this.#follower !== undefined) return await this.#follower.judge(record, peer)
    return this.#judgeAsValidator(record)
  }

  /** Validators learn blocks from each other; what gossip brings they only pass on. */
  #judgeAsValidator({ height, certificate }: BlockRecord): Verdict {
    const set = this.#setOf(certificate.term)
    if (set === undefined || certificate.height !== height) return ignore("OTHER_TERM")
    const fault = certificateFault(certificate, this.rules.meshId, set, this.#scheme)
    return fault === undefined ? ACCEPT : reject(fault)
  }

  // ---- envelopes in, blocks out

  #stored(id: Bytes): void {
    const item = workItem(id)
    if (this.#stopped || this.#isOrdered(item)) return
    this.#waitFor(item)
    if (this.#driver === undefined) return
    if (this.#driver.replica.waiting + this.#admitting.length >= POOL_FULL) {
      this.#missed = true
      return
    }
    this.#admitting.push(item)
    if (this.#admitSoon) return
    this.#admitSoon = true
    setImmediate(() => this.#admit())
  }

  /** What came in one turn of the event loop goes into the core together. */
  #admit(): void {
    this.#admitSoon = false
    while (this.#admitting.length > 0 && !this.#stopped)
      this.#driver?.input({ type: "admit", items: this.#admitting.splice(0, ADMIT_MAX) })
  }

  /** The state knows the newest ids without the disk; only a chain that is longer than its memory has others. */
  #isOrdered(item: EnvelopeItem): boolean {
    const ledger = this.#driver?.replica.ledger ?? this.#follower?.ledger
    if (ledger?.has(item) === true) return true
    const { retentionTerms, termHeights } = this.rules
    const remembered = ledger !== undefined && this.chain.height <= retentionTerms * termHeights
    return !remembered && this.chain.orderedAt(item.id) !== undefined
  }

  #waitFor(item: EnvelopeItem): void {
    const key = keysOf(item).id
    if (this.#waiting.size >= WAITING_MAX || this.#waiting.has(key)) return
    const first = this.#waiting.size === 0
    this.#waiting.set(key, { id: item.id, sinceMs: performance.now() })
    if (first) this.#follower?.lookSoon()
    this.#watch()
  }

  /** Standing still is nothing that happens, and yet has to be told. */
  #watch(): void {
    if (this.#stallTimer !== undefined || this.#stopped) return
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined
      if (this.#stalled()) this.#parts.onChange()
      else if (this.#waiting.size > 0) this.#watch()
    }, STALLED_AFTER_MS / 2)
    this.#stallTimer.unref()
  }

  #applied(applied: readonly Item[]): void {
    this.#lastBlockMs = performance.now()
    for (const item of applied)
      if (item.type === "envelope") this.#waiting.delete(keysOf(item).id)
    for (const listener of this.#listeners) listener()
    this.#parts.onChange()
    const room = (this.#driver?.replica.waiting ?? 0) < POOL_FULL / 2
    if (this.#missed && room) {
      this.#missed = false
      this.#scan()
    }
  }

  /** Looks through the mailbox for envelopes without a place: after a start, and after the core was full. */
  #scan(): void {
    this.#scanning ??= this.#scanAll()
      .catch(this.#parts.onFault)
      .finally(() => (this.#scanning = undefined))
  }

  async #scanAll(): Promise<void> {
    const { mailbox } = this.#networkOrThrow
    let seq = 0
    for (;;) {
      const page = await mailbox.idsAfter(seq, SCAN_PAGE)
      const last = page.at(-1)
      if (last === undefined || this.#stopped || this.#missed) return
      for (const { id } of page) this.#stored(id)
      seq = last.seq
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** A proposal names what is not admitted here: known envelopes are admitted, the others fetched. Arriving admits them. */
  #want(items: readonly Item[]): void {
    const { mailbox } = this.#networkOrThrow
    const here: Item[] = []
    for (const item of items) {
      if (item.type !== "envelope") continue
      const due = workItem(item.id)
      // [IGNORE] with another spend it is no item of this mesh, whoever proposes it
      if (!equal(due.spend, item.spend) || item.root !== undefined) continue
      if (mailbox.knows(item.id)) here.push(due)
      else if (this.#wanted.size < ADMIT_MAX) this.#wanted.set(keyOf(item.id), item.id)
    }
    if (here.length > 0) setImmediate(() => this.#driver?.input({ type: "admit", items: here }))
    if (this.#wanted.size === 0) return
    this.#fetching ??= this.#fetchWanted()
      .catch(this.#parts.onFault)
      .finally(() => (this.#fetching = undefined))
  }

  async #fetchWanted(): Promise<void> {
    const network = this.#networkOrThrow
    while (this.#wanted.size > 0 && !this.#stopped) {
      const ids = [...this.#wanted.values()]
      this.#wanted.clear()
      await network.fetch(ids)
    }
  }
}

const newNonce = () => 1 + Number.parseInt(toHex(primitives.randomBytes(6)), 16)
