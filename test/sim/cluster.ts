/**
 * A whole cluster in one thread: validators, their disks, the network between them, virtual time, and checkers that look after
 * every step. Same configuration, same calls, same run. README.md shows how to write a schedule with it.
 */
import { type Bytes, compare } from "../../src/crypto/bytes.ts"
import type { ReplicaParts, Timing } from "../../src/consensus/core.ts"
import { keysOf } from "../../src/consensus/item.ts"
import type { LedgerRules } from "../../src/consensus/ledger.ts"
import type {
  BlockRecord,
  Evidence,
  Input,
  Item,
  Message,
  Output,
  Peer,
  ValidatorsItem,
} from "../../src/consensus/types.ts"
import { type Behaviour, Byzantine } from "./byzantine.ts"
import { Checkers } from "./checkers.ts"
import { type ClusterConfig, rulesOf, SIM_TIMING } from "./cluster-config.ts"
import type { Write } from "./disk.ts"
import { ItemMaker, paidAgain, validatorsItem } from "./items.ts"
import { type Keyholder, type Keyring, keyring } from "./keys.ts"
import { type Filter, Network, type Packet } from "./network.ts"
import { SimNode, type Surroundings } from "./node.ts"
import { Random } from "./random.ts"
import { type Rare, RareEvents } from "./rare.ts"
import { Deliveries, type SentMessage, Wire } from "./records.ts"
import { Scheduler } from "./scheduler.ts"

export class Cluster implements Surroundings {
  readonly rules: LedgerRules
  readonly scheduler = new Scheduler()
  readonly random: Random
  readonly network: Network
  readonly checkers: Checkers
  readonly keyring: Keyring
  readonly nodes: SimNode[] = []
  readonly #rare = new RareEvents()
  /** Filled when `record` is set. */
  readonly sent: SentMessage[] = []
  readonly evidence: { readonly node: string; readonly evidence: Evidence }[] = []
  readonly #config: ClusterConfig
  readonly #timing: Timing
  readonly #byzantine = new Map<string, Byzantine>()
  /** Keys of nodes that are not held to be correct. */
  readonly #faultyKeys = new Set<Keyholder>()
  readonly #load: Random
  readonly #delivered = new Deliveries()
  #nextHolder: number
  readonly #maker = new ItemMaker()
  readonly #wire = new Wire()

  constructor(n: number, config: ClusterConfig = {}) {
    const seed = config.seed ?? 1
    this.#config = config
    this.#timing = { ...SIM_TIMING, ...config.timing }
    this.random = new Random(seed, "disk")
    this.#load = new Random(seed, "load")
    this.keyring = keyring(config.crypto ?? "fast")
    const holders = Array.from({ length: n }, (_, i) => this.keyring.holder(i)).sort((a, b) =>
      compare(a.keys.ed25519, b.keys.ed25519),
    )
    this.#nextHolder = n
    this.rules = rulesOf(config, holders)
    this.network = new Network(this.scheduler, new Random(seed, "network"), (packet) =>
      this.#arrive(packet),
    )
    this.network.options = { ...this.network.options, ...config.links }
    this.checkers = new Checkers(this.rules, this.keyring.scheme, () => this.scheduler.now)
    holders.forEach((holder, i) => {
      if (config.twins?.includes(i) === true) {
        this.#faultyKeys.add(holder)
        this.#addNode(`${i}a`, holder)
        this.#addNode(`${i}b`, holder)
      } else this.#addNode(String(i), holder)
    })
    for (const node of this.nodes) node.start()
  }

  #addNode(id: string, holder: Keyholder): SimNode {
    const node = new SimNode(id, this.nodes.length, holder, this)
    this.nodes.push(node)
    return node
  }

  // ---- what a test does

  node(id: string | number): SimNode {
    const found = this.nodes.find((node) => node.id === String(id))
    if (found === undefined) throw new Error(`there is no node ${id}`)
    return found
  }

  /** New items for everyone's pool; a validator that is down gets them when it returns. */
  submit(count: number): readonly Item[] {
    const items = Array.from({ length: count }, () => this.#maker.envelope())
    this.submitItems(items)
    return items
  }

  submitItems(items: readonly Item[]): void {
    this.checkers.submit(items)
    for (const node of this.nodes)
      this.scheduler.after(this.#load.between(0, 20), () => node.input({ type: "admit", items }))
  }

  /** New envelopes that somebody else has paid for as well: some validators admit the one form first, some the other. */
  submitVariants(count: number): readonly Item[] {
    const items = Array.from({ length: count }, () => this.#maker.envelope())
    this.checkers.submit(items)
    const others = items.map(paidAgain)
    for (const other of others) this.checkers.variants.set(keysOf(other).id, other)
    for (const node of this.nodes) {
      const mixed = items.map((item, i) => (this.#load.chance(50) ? others[i]! : item))
      this.scheduler.after(this.#load.between(0, 20), () =>
        node.input({ type: "admit", items: mixed }),
      )
    }
    return items
  }

  /** New members, so that the state root has more to cover than envelopes. */
  submitMembers(count: number): readonly Item[] {
    const items = Array.from({ length: count }, () => this.#maker.member())
    this.submitItems(items)
    return items
  }

  /** Adds fresh validators to the set, and removes some by id, with every operator's approval. New nodes start at once. */
  changeValidators(add: number, remove: readonly string[] = []): ValidatorsItem {
    const holders = Array.from({ length: add }, () => this.keyring.holder(this.#nextHolder++))
    const { ledger } = this.checkers
    const removed = remove.map((id) => this.node(id).holder)
    const operators = this.nodes.map(({ holder }) => holder)
    const item = validatorsItem({ ledger, added: holders, removed, operators })
    for (const holder of holders) this.#addNode(String(this.nodes.length), holder).start()
    this.submitItems([item])
    return item
  }

  partition(groups: readonly (readonly string[])[]): void {
    this.network.partition(groups)
  }

  /** Links work again. Held messages go on when `keepHeld` is not set, or stay held. */
  heal(keepHeld = false): void {
    this.network.heal()
    if (!keepHeld) this.network.release()
  }

  hold(filter: Filter): () => void {
    return this.network.filter("hold", filter)
  }
  drop(filter: Filter): () => void {
    return this.network.filter("drop", filter)
  }
  release(filter: Filter = {}): void {
    this.network.release(filter)
  }

  /** `torn` may say how many of the unsynced writes survive before the torn one. */
  crash(id: string | number, kind: Parameters<SimNode["crashAs"]>[0] = "keep"): void {
    const node = this.node(id)
    if (node.running) node.crashAs(kind)
  }

  restart(id: string | number): void {
    const node = this.node(id)
    if (node.running) return
    this.checkers.restarted(node)
    node.restarts++
    const { cut } = node.start()
    if (this.isCorrect(node) && node.replica?.mode === "halted")
      this.checkers.violated(node.id, "halts as it comes back")
    if (cut > 0) this.rare.tornTails++
  }

  /** From now on this node lies in a named way; "none" makes it honest in what it sends, though never again trusted. */
  byzantine(id: string | number, behaviour: Behaviour | "none"): void {
    const node = this.node(id)
    this.#faultyKeys.add(node.holder)
    if (behaviour === "none") {
      this.#byzantine.delete(node.id)
      return
    }
    const wire = {
      validators: () => this.#validatorsFor(node),
      put: (to: Peer, message: Message | Bytes, delayMs = 0) => {
        if (delayMs === 0) this.#put(node, to, message)
        else this.scheduler.after(delayMs, () => this.#put(node, to, message))
      },
    }
    const random = new Random(this.#config.seed ?? 1, `byzantine ${node.id}`)
    const { requestMs } = this.#timing
    this.#byzantine.set(
      node.id,
      new Byzantine(behaviour, node, random, wire, this.rules.meshId, requestMs),
    )
  }

  /** Takes a validator's place: its replica stops, and the test signs and sends in its name. */
  byz(id: string | number): {
    readonly holder: Keyholder
    send(to: string, message: Message | Bytes): void
  } {
    const node = this.node(id)
    this.#faultyKeys.add(node.holder)
    node.crash("keep")
    return {
      holder: node.holder,
      send: (to, message) => {
        for (const target of this.nodes)
          if (target !== node && (to === "*" || target.id === to))
            this.#put(node, target.peer, message)
      },
    }
  }

  /** Starts a second instance of a validator's key, on a copy of nothing: a new disk. */
  twin(id: string | number): SimNode {
    const first = this.node(id)
    this.#faultyKeys.add(first.holder)
    const second = this.#addNode(`${first.id}'`, first.holder)
    second.start()
    return second
  }

  /** Puts a message that was sent before on the network again. */
  replay({ from, to, message }: SentMessage): void {
    this.#put(this.node(from), this.node(to).peer, message)
  }

  /** A damaged disk is beyond trust: the node counts as faulty until it votes again. */
  distrust(id: string | number): void {
    this.#faultyKeys.add(this.node(id).holder)
  }

  /** Runs for so long in virtual time, or until something is violated. */
  run(ms: number): void {
    const until = this.scheduler.now + ms
    while (this.scheduler.step(until)) if (this.checkers.violations.length > 0) return
    this.scheduler.now = until
  }

  /** Runs until the condition holds, looked at every 50 ms; false when it did not within the limit. */
  runUntil(condition: () => boolean, limitMs: number): boolean {
    const end = this.scheduler.now + limitMs
    while (this.scheduler.now < end) {
      if (condition()) return true
      this.run(50)
      if (this.checkers.violations.length > 0) return false
    }
    return condition()
  }

  // ---- what a test sees

  get rare(): Rare {
    return this.#rare.counts
  }

  isCorrect(node: SimNode): boolean {
    return !this.#faultyKeys.has(node.holder)
  }

  get correct(): readonly SimNode[] {
    return this.nodes.filter((node) => this.isCorrect(node))
  }

  get violations(): Checkers["violations"] {
    return this.checkers.violations
  }

  /** Blocks delivered by a node, with their certificates; only when `record` is set. */
  delivered(id: string | number): readonly BlockRecord[] {
    return this.#delivered.of(String(id))
  }

  /** Writes that a crash would put at risk. */
  unsynced(id: string | number): readonly Write[] {
    return this.node(id).disk.unsynced
  }

  /** Every running correct node has ordered everything that was submitted and can be ordered. */
  settled(): boolean {
    return this.correct.every((node) => !node.running || this.checkers.missingAt(node.id) === 0)
  }

  /** Submitted items ordered at every running correct node; changes of the validators are not counted. */
  orderedEverywhere(): number {
    return this.checkers.orderedAt(this.correct.filter((node) => node.running))
  }

  // ---- Surroundings

  partsFor(node: SimNode): ReplicaParts {
    return {
      scheme: this.keyring.scheme,
      ed25519: node.holder.keys.ed25519,
      sign: node.holder.sign,
      timing: this.#timing,
      pipelineSlots: this.#config.pipelineSlots ?? 8,
      nonce: 1 + node.peer + 1000 * node.restarts,
    }
  }

  transmit(node: SimNode, to: Peer | undefined, message: Message): void {
    if (this.isCorrect(node)) this.checkers.sent(node, message)
    const byzantine = this.#byzantine.get(node.id)
    if (byzantine !== undefined) {
      byzantine.transmit(to, message)
      return
    }
    if (to !== undefined) this.#put(node, to, message)
    else for (const peer of this.#validatorsFor(node)) this.#put(node, peer, message)
  }

  /** Everyone else whose key is, or is about to be, in the set. */
  #validatorsFor(node: SimNode): readonly Peer[] {
    const others = this.nodes.filter(({ holder }) => holder !== node.holder)
    return others.filter(({ holder }) => this.checkers.isValidator(holder)).map(({ peer }) => peer)
  }

  #put(node: SimNode, to: Peer, message: Message | Bytes): void {
    const target = this.nodes[to]
    if (target === undefined) return
    if (!(message instanceof Uint8Array) && "signature" in message && message.type !== "seal")
      this.checkers.soup(message, this.isCorrect(node))
    const wire = this.#config.wire === true && !(message instanceof Uint8Array)
    const packet: Packet = {
      from: node.id,
      to: target.id,
      fromPeer: node.peer,
      message: wire ? this.#wire.carry(message) : message,
    }
    if (this.#config.record === true)
      this.sent.push({ at: this.scheduler.now, from: node.id, to: target.id, message })
    this.network.send(packet)
  }

  #arrive({ to, fromPeer, message }: Packet): void {
    const node = this.nodes.find((other) => other.id === to)
    if (node === undefined || !node.running) return
    if (this.#isOwnWord(node, message)) return
    this.#byzantine.get(node.id)?.received(message)
    node.receive(fromPeer, message)
  }

  /** A twin must not learn of its double from its own signatures, or it would rightly stop. */
  #isOwnWord(node: SimNode, message: Message | Bytes): boolean {
    if (message instanceof Uint8Array || !("signer" in message)) return false
    if (this.isCorrect(node)) return false
    return message.signer === node.replica?.seat
  }

  observe(node: SimNode, output: Output): void {
    if (output.type === "deliver") {
      if (this.isCorrect(node)) this.checkers.delivered(node, output)
      if (this.#config.record === true) this.#delivered.add(node.id, output.record)
      if (output.record.batch.items.length === 0) this.rare.nullBlocks++
    } else if (output.type === "blame" && output.evidence !== undefined)
      this.evidence.push({ node: node.id, evidence: output.evidence })
    else if (output.type === "lie" && this.isCorrect(node)) this.#accused(node, output)
  }

  /** Nobody loses standing for what an honest validator sends. */
  #accused(by: SimNode, { from, code }: Extract<Output, { type: "lie" }>): void {
    const liar = this.nodes.find(({ peer }) => peer === from)
    if (liar !== undefined && this.isCorrect(liar))
      this.checkers.violated(by.id, `says that ${liar.id} lied: ${code}`)
  }

  stepped(node: SimNode, input: Input | undefined, outputs: readonly Output[]): void {
    if (this.isCorrect(node)) this.checkers.stepped(node, outputs)
    this.#rare.stepped(node, input, outputs)
  }

  failed(node: SimNode, error: unknown): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (this.isCorrect(node)) this.checkers.violated(node.id, what)
  }

  pendingFor(node: SimNode): readonly Item[] {
    const has = this.isCorrect(node) ? this.checkers.deliveredAt(node.id) : new Set<string>()
    return [...this.checkers.submitted].filter(([key]) => !has.has(key)).map(([, item]) => item)
  }

  admissible(item: Item): boolean {
    return this.checkers.isAdmissible(item)
  }
}

/** A cluster of n validators, started. */
export const cluster = (n: number, config: ClusterConfig = {}): Cluster => new Cluster(n, config)
