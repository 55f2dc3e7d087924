/**
 * The ledger of one mesh at one peer: the chain, and a validator's or a follower's part on top of it, joined to the network. Hands out
 * blocks to who asks, tells chat what was ordered, and says how the ledger stands. What the ledger is, is in src/consensus.
 */
import { hybridScheme, remembering } from "../../consensus/hybrid.ts"
import { Ledger, type LedgerRules } from "../../consensus/ledger.ts"
import type { EnvelopeItem, Item, MemberAddItem, ValidatorKeys } from "../../consensus/types.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { periodMsOf } from "../../crypto/genesis.ts"
import { ignore, reject, type Verdict } from "../../crypto/verdict.ts"
import type { LedgerStatus, LedgerView, ValidatorView } from "../api/types.ts"
import type { ChatLedger } from "../chat/parts.ts"
import type { TopicRule } from "../transport/gossip.ts"
import { type ChainBlock, LedgerChain, type Replayed } from "./chain.ts"
import { changesTopic, MeshChanges } from "./changes.ts"
import { SignatureChecks } from "./checks.ts"
import { LedgerOperators } from "./operators.ts"
import type { LedgerPart } from "./part.ts"
import { LedgerPeriods } from "./periods.ts"
import { ledgerRules, ledgerTopic } from "./rules.ts"
import { LedgerSeat } from "./seat.ts"
import { servedFrom } from "./serving.ts"
import { blockView, validatorViews, verifyStored } from "./view.ts"
import { ALONE_REST_MS, Waiting } from "./waiting.ts"
import { type Wanted, wantedIn } from "./wanted.ts"
import { Finder, whereaboutsTopic } from "./whereabouts.ts"
import { MeshJoins } from "../mesh/joins.ts"
import type { Mesh } from "../mesh/mesh.ts"
import type { Network } from "../network/parts.ts"
import type { Store } from "../store/store.ts"
import { BLOCK_BYTES_MAX } from "../mailbox/sync-messages.ts"
import type { Validator } from "./validator-keys.ts"

/** Signatures that verified and are remembered: some terms of votes of a small set. */
const REMEMBERED_SIGNATURES = 16_384

export interface MeshLedgerParts {
  readonly store: Store
  readonly mesh: Mesh
  /** The profile's `ledger` directory and the mark beside new keys; undefined where nothing outlives the process. */
  readonly directory: string | undefined
  readonly newMark: string | undefined
  /** This peer's validator keys, if it has any (by now). They vote only while the set holds them. */
  readonly validator: () => Validator | undefined
  /** A block was stored, or something that `status` says has changed. */
  readonly onChange: () => void
  readonly note: (line: string) => void
  readonly onFault: (error: unknown) => void
}

export class MeshLedger {
  readonly rules: LedgerRules
  readonly chain: LedgerChain
  /** What admission asks of the ledger. */
  readonly periods = new LedgerPeriods(() => this.#ledger)
  readonly #parts: MeshLedgerParts
  readonly #scheme = remembering(hybridScheme(), REMEMBERED_SIGNATURES)
  readonly #checks = new SignatureChecks(this.#scheme)
  readonly #listeners = new Set<() => void>()
  readonly #undo: (() => void)[] = []
  readonly #finder: Finder
  readonly #changes: MeshChanges
  readonly operators: LedgerOperators
  readonly #seat: LedgerSeat
  /** What the ledger is before it is joined. */
  readonly #genesis: Ledger
  #network: Network | undefined
  #waiting: Waiting | undefined
  #wanted: Wanted | undefined

  private constructor(parts: MeshLedgerParts, chain: LedgerChain) {
    this.#parts = parts
    this.chain = chain
    this.rules = ledgerRules(parts.mesh)
    this.#genesis = new Ledger(this.rules)
    const { meshId } = this.rules
    this.#finder = new Finder({
      meshId,
      scheme: this.#scheme,
      validators: () => this.#membersNow(),
      own: parts.validator,
      isLinked: (key) => this.#part?.linked?.some((each) => equal(each, key)) ?? false,
      addresses: () => this.#network?.addresses() ?? [],
      publish: (message) =>
        this.#networkOrThrow.transport.gossip.publish(whereaboutsTopic(meshId), message),
      dial: (addresses, signal) => this.#networkOrThrow.transport.dial(addresses, signal),
      nowMs: () => performance.now(),
    })
    const joins = new MeshJoins({
      rule: () => ({
        meshId,
        isOpen: parts.mesh.genesis.policy === "open",
        set: this.#ledger.set,
        prices: this.periods.prices(),
      }),
      verify: (claim) => this.#networkOrThrow.verifier.verify(claim),
      nowMs: () => performance.now(),
    })
    this.#changes = new MeshChanges({
      meshId,
      store: parts.store,
      scheme: this.#scheme,
      ledger: () => this.#ledger,
      validator: parts.validator,
      judgeJoin: (item) => joins.judge(item),
      publish: (message) => this.#publish(changesTopic(meshId), message),
      admit: (items) => this.#part?.admit(items),
      onChange: parts.onChange,
      note: parts.note,
      onFault: parts.onFault,
    })
    this.#seat = new LedgerSeat({
      ...parts,
      rules: this.rules,
      periodMs: periodMsOf(parts.mesh.genesis),
      chain,
      scheme: this.#scheme,
      checks: this.#checks,
      members: () => this.#membersNow(),
      waits: () => (this.#waiting?.size ?? 0) > 0,
      want: (items, why) => {
        this.#wanted?.want(items, why)
        this.#changes.want(items)
      },
      onBlock: (applied) => this.#applied(applied),
      onNewest: () => this.#tell(),
      onLinks: () => {
        this.#finder.changed()
        parts.onChange()
      },
      onPart: () => {
        this.#waiting?.scan()
        this.#changes.applied()
        this.#finder.changed()
        parts.onChange()
      },
    })
    this.operators = new LedgerOperators({
      ledger: () => this.#ledger,
      changes: this.#changes,
      validator: parts.validator,
    })
  }

  /** Undefined in a mesh without validators. Throws StoreError. */
  static async open(parts: MeshLedgerParts): Promise<MeshLedger | undefined> {
    if (parts.mesh.genesis.validators.length === 0) return undefined
    const inMemory = parts.directory === undefined
    return new MeshLedger(parts, await LedgerChain.open(parts.store, { inMemory }))
  }

  /** For the transport. */
  topics(): readonly TopicRule[] {
    const blocks = {
      topic: ledgerTopic(this.rules.meshId),
      messageBytesMax: BLOCK_BYTES_MAX,
      judge: (data: Bytes, peer: string) => this.#judge(data.slice(), peer),
    }
    return [blocks, this.#finder.rule(), this.#changes.rule()]
  }

  /** For peers that ask: encoded blocks above a height. Throws StreamError GONE. */
  served(after: number, limit: number): Promise<readonly Bytes[]> {
    return servedFrom(this.chain, after, limit)
  }

  /** Takes part from now on. Throws StoreError. */
  async join(network: Network): Promise<void> {
    this.#network = network
    const { onChange, onFault } = this.#parts
    const replayed = await this.#replayed()
    const waiting = new Waiting({
      isOrdered: (item) => this.#isOrdered(item),
      mailbox: network.mailbox,
      pooled: () => this.#part?.pooled,
      admit: (items) => this.#part?.admitSoon(items),
      restMs: () => (this.#ledger.set.size === 1 ? ALONE_REST_MS : 0),
      onFirst: () => this.#part?.awaits(),
      onStalled: onChange,
      onFault,
    })
    this.#waiting = waiting
    this.#wanted = wantedIn(network, () => this.#part, onFault)
    await this.#seat.start(replayed, network)
    await this.#changes.start()
    const { libp2p } = network.transport
    const onConnect = ({ detail }: { detail: { toString(): string } }) =>
      this.#part?.connected(detail.toString())
    const onDisconnect = ({ detail }: { detail: { toString(): string } }) =>
      this.#part?.disconnected(detail.toString())
    libp2p.addEventListener("peer:connect", onConnect)
    libp2p.addEventListener("peer:disconnect", onDisconnect)
    this.#undo.push(
      () => libp2p.removeEventListener("peer:connect", onConnect),
      () => libp2p.removeEventListener("peer:disconnect", onDisconnect),
      network.mailbox.onStored(({ id, bytes }) => waiting.stored(id.slice(), bytes)),
      network.transport.gossip.onSubscribed(changesTopic(this.rules.meshId), () =>
        this.#changes.connected(),
      ),
    )
    for (const peer of network.transport.peers()) this.#part?.connected(peer)
    waiting.scan()
    this.#finder.start()
  }

  /** The state knows the newest ids without the disk; only a chain that is longer than its memory has others. */
  #isOrdered(item: EnvelopeItem): boolean {
    const ledger = this.#part?.ledger
    if (ledger?.has(item) === true) return true
    const { retentionTerms, termHeights } = this.rules
    const isWhole = ledger !== undefined && this.chain.height <= retentionTerms * termHeights
    return !isWhole && this.chain.orderedAt(item.id) !== undefined
  }

  async #replayed(): Promise<Replayed> {
    const replayed = await this.chain.replay(this.rules)
    const { without } = replayed
    if (without !== undefined && this.chain.height >= this.rules.termHeights)
      this.#parts.note(`ledger: replayed from the genesis, as there is no snapshot: ${without}`)
    return replayed
  }

  async stop(): Promise<void> {
    for (const undo of this.#undo.splice(0)) undo()
    await this.#finder.stop()
    await this.#changes.stop()
    await this.#seat.stop()
    await this.#checks.stop()
    await this.#wanted?.stop()
    await this.#waiting?.stop()
    this.#listeners.clear()
  }

  // ---- for chat

  /** The order as chat sees it, and the envelopes that it names. */
  forChat(network: Network): ChatLedger {
    return {
      height: () => this.height,
      orderedAt: (id) => this.orderedAt(id),
      blocksAfter: (height, limit) => this.blocksAfter(height, limit),
      bring: (ids) => network.fetch(ids),
    }
  }

  get height(): number {
    return this.chain.height
  }

  /** The state after the last block here. */
  get state(): Ledger {
    return this.#ledger
  }

  /** Says to the mesh that somebody joins. */
  sayJoin(item: MemberAddItem): Promise<void> {
    return this.#changes.say(item)
  }

  /** The ledger's own clock after the newest block. */
  get period(): number {
    return this.#ledger.fields.periods[0].period
  }

  /** Whether somebody who was asked knew of no block after the last one here, and nobody has shown one. */
  get isNewest(): boolean {
    return this.#part?.isNewest === true
  }

  /** Called after every stored block, and when it is first known that there is no later one. Returns how to end it. */
  onBlock(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  orderedAt(id: Bytes): number | undefined {
    return this.chain.orderedAt(id)
  }

  /** What the blocks above a height ordered, at most so many blocks. */
  blocksAfter(height: number, limit: number): Promise<readonly ChainBlock[]> {
    return this.chain.orderedAfter(height, limit)
  }

  // ---- how it stands

  status(): LedgerStatus {
    const { height } = this.chain
    const { set } = this.#ledger
    return {
      height,
      validators: set.size,
      quorum: set.quorum,
      role: this.#part?.role ?? "following",
      linked: this.#part?.linked?.length ?? null,
      behind: Math.max(0, (this.#part?.announced ?? height) - height),
      waiting: this.#waiting?.size ?? 0,
      stalled: this.#waiting?.stalled ?? false,
      problem: this.#part?.problem ?? null,
    }
  }

  /** The operator's word that this validator may vote again. */
  async resume(): Promise<"now" | "next-start" | "no"> {
    const resumed = (await this.#part?.resume()) ?? "no"
    this.#parts.onChange()
    return resumed
  }

  view(): LedgerView {
    const { last } = this.chain
    const { set, lastSet } = this.#ledger
    return {
      ...this.status(),
      set: toHex(set.digest),
      last: last === undefined ? null : blockView(last, lastSet),
    }
  }

  validators(): readonly ValidatorView[] {
    return validatorViews(
      this.#ledger,
      this.#parts.validator()?.keys.ed25519,
      this.#part?.linked ?? null,
    )
  }

  /** Checks the whole stored chain again, from the genesis on. */
  verify(
    progress: (done: number, total: number) => void,
  ): Promise<{ height: number; code: string | null }> {
    return verifyStored(this.chain, this.rules, progress)
  }

  get #part(): LedgerPart | undefined {
    return this.#seat.part
  }

  get #ledger(): Ledger {
    return this.#part?.ledger ?? this.#genesis
  }

  #publish(topic: string, message: Bytes): Promise<unknown> {
    const gossip = this.#network?.transport.gossip
    if (gossip === undefined || gossip.subscribers(topic).length === 0) return Promise.resolve(0)
    return gossip.publish(topic, message)
  }

  get #networkOrThrow(): Network {
    if (this.#network === undefined) throw new Error("the ledger has joined no network")
    return this.#network
  }

  /** The validators of the last term, this one and the next, as far as they are known. */
  #membersNow(): readonly ValidatorKeys[] {
    const { set, lastSet, fields } = this.#ledger
    return [...new Set([...set.members, ...lastSet.members, ...fields.nextSet.members])]
  }

  async #judge(bytes: Bytes, peer: string): Promise<Verdict> {
    try {
      return (await this.#part?.heard(bytes, peer)) ?? ignore("NOT_JOINED")
    } catch (error) {
      // [REJECT] it decodes
      if (error instanceof CryptoError) return reject(error.code)
      throw error
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  #applied(applied: readonly Item[]): void {
    this.#waiting?.ordered(applied)
    this.#changes.applied()
    this.#seat.fit()
    this.#tell()
    this.#parts.onChange()
    this.#waiting?.refill()
  }
}
