/**
 * One simulated validator: the driver that a real node has, over virtual time. Takes one input, steps, writes, and lets nothing
 * out before a sync covers it; one sync serves all that queued meanwhile.
 */
import { Inbox } from "../../src/consensus/inbox.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import type { LedgerRules } from "../../src/consensus/ledger.ts"
import { Replica } from "../../src/consensus/replica.ts"
import type { ReplicaParts } from "../../src/consensus/core.ts"
import { BLOCKS_PER_ANSWER } from "../../src/consensus/limits.ts"
import type {
  Blocks,
  Certificate,
  Input,
  Item,
  Message,
  Output,
  Peer,
} from "../../src/consensus/types.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { Disk } from "./disk.ts"
import type { CrashKind } from "./disk.ts"
import type { Keyholder } from "./keys.ts"
import type { Random } from "./random.ts"
import type { Scheduler } from "./scheduler.ts"

/** What a node needs from the cluster around it. */
export interface Surroundings {
  readonly rules: LedgerRules
  readonly scheduler: Scheduler
  readonly random: Random
  partsFor(node: SimNode): ReplicaParts
  /** `to` undefined: to every validator. */
  transmit(node: SimNode, to: Peer | undefined, message: Message): void
  observe(node: SimNode, output: Output): void
  stepped(node: SimNode, input: Input | undefined, outputs: readonly Output[]): void
  failed(node: SimNode, error: unknown): void
  /** Items this node should know of, those it missed while down included. */
  pendingFor(node: SimNode): readonly Item[]
  /** Whether an item may be ordered, as admission would say. */
  admissible(item: Item): boolean
}

interface Effect {
  readonly after: number
  readonly output: Output
}

const isWrite = ({ type }: Output): boolean =>
  type === "persist" || type === "store" || type === "stable"

export class SimNode {
  readonly id: string
  readonly peer: Peer
  readonly holder: Keyholder
  readonly disk: Disk
  readonly #around: Surroundings
  replica: Replica | undefined
  inbox: Inbox | undefined
  /** Timers run at this rate: 1.1 is a clock that is a tenth slow. */
  clockRate = 1
  /** Time a sync takes. */
  syncMs = 1
  /** The next sync fails and takes the process down. */
  diskFails = false
  restarts = 0
  #life = 0
  #effects: Effect[] = []
  #written = 0
  #synced = 0
  #syncing = false

  constructor(id: string, peer: Peer, holder: Keyholder, around: Surroundings) {
    this.id = id
    this.peer = peer
    this.holder = holder
    this.#around = around
    this.disk = new Disk(around.rules.meshId)
  }

  get running(): boolean {
    return this.replica !== undefined
  }

  start(): { cut: number } {
    const { rules } = this.#around
    const { memory, chain, cut } = this.disk.recover(rules.termHeights)
    const ledger = new Ledger(rules, this.disk.ledger)
    for (const block of chain.slice(ledger.height)) ledger.apply(ledger.plan(block.batch))
    this.#life++
    this.#effects = []
    this.#written = 0
    this.#synced = 0
    this.#syncing = false
    const replica = new Replica(this.#around.partsFor(this), ledger, memory)
    this.replica = replica
    this.inbox = new Inbox(
      () => replica.court(),
      (message) => replica.setAside(message),
    )
    this.#guarded(undefined, () => replica.start())
    const pending = this.#around.pendingFor(this)
    if (pending.length > 0) this.input({ type: "admit", items: pending })
    return { cut }
  }

  /** In the words of a test: "synced" loses what was not, `torn` says how many of those writes survive before the torn one. */
  crashAs(kind: CrashKind | "synced" | { readonly torn: number }): void {
    if (kind === "synced") this.crash("lose-unsynced")
    else if (typeof kind === "string") this.crash(kind)
    else this.crash("torn", kind.torn)
  }

  crash(kind: CrashKind, kept?: number): void {
    this.#life++
    this.replica = undefined
    this.inbox = undefined
    this.disk.crash(kind, this.#around.random, kept)
  }

  input(input: Input): void {
    const { replica } = this
    if (replica !== undefined) this.#guarded(input, () => replica.step(input))
  }

  /** A message arrives, as an object or as bytes. */
  receive(from: Peer, message: Message | Bytes): void {
    const { inbox } = this
    if (inbox === undefined) return
    const taken =
      message instanceof Uint8Array ? inbox.takeBytes(from, message) : inbox.take(from, message)
    if (taken !== undefined && "type" in taken) this.input(taken)
  }

  #guarded(input: Input | undefined, step: () => Output[]): void {
    let outputs: Output[]
    try {
      outputs = step()
    } catch (error) {
      this.#around.failed(this, error)
      this.crash("keep")
      return
    }
    this.#around.stepped(this, input, outputs)
    for (const output of outputs) this.#write(output)
    for (const output of outputs)
      if (!isWrite(output)) this.#effects.push({ after: this.#written, output })
    this.#sync()
  }

  #write(output: Output): void {
    if (output.type === "persist")
      this.disk.write({ kind: "log", term: output.term, record: output.record })
    else if (output.type === "store") this.disk.write({ kind: "block", record: output.record })
    else if (output.type === "stable") this.#writeStable(output.certificate)
    if (isWrite(output)) this.#written++
  }

  /** The ledger is kept at boundaries; a step may open a term by a block of the next, so it may be further on already. */
  #writeStable(certificate: Certificate): void {
    const ledger = this.replica!.ledger.snapshot()
    if (ledger.height === certificate.height)
      this.disk.write({ kind: "stable", certificate, ledger })
    else this.disk.write({ kind: "stable", certificate, ledger: this.disk.ledger })
  }

  #sync(): void {
    this.#release()
    if (this.#syncing || this.#synced === this.#written) return
    this.#syncing = true
    const life = this.#life
    const upTo = this.#written
    this.#around.scheduler.after(this.syncMs, () => {
      if (life !== this.#life) return
      if (this.diskFails) {
        this.diskFails = false
        this.crash("torn")
        return
      }
      this.disk.sync(upTo - this.#synced)
      this.#synced = upTo
      this.#syncing = false
      this.#sync()
    })
  }

  /** Lets out what a sync covers, in order. Everything of a step waits for all that the step wrote. */
  #release(): void {
    let count = 0
    for (const effect of this.#effects) {
      if (effect.after > this.#synced) break
      count++
    }
    for (const { output } of this.#effects.splice(0, count)) this.#carryOut(output)
  }

  #carryOut(output: Output): void {
    const around = this.#around
    around.observe(this, output)
    const life = this.#life
    switch (output.type) {
      case "send":
        around.transmit(this, output.to, output.message)
        return
      case "broadcast":
        around.transmit(this, undefined, output.message)
        return
      case "timer": {
        const { timer, token } = output
        around.scheduler.after(output.afterMs * this.clockRate, () => {
          if (life === this.#life) this.input({ type: "timeout", timer, token })
        })
        return
      }
      case "serve":
        around.transmit(this, output.to, this.answer(output.after))
        return
      case "want": {
        const items = output.items.filter((item) => around.admissible(item))
        if (items.length === 0) return
        around.scheduler.after(5, () => {
          if (life === this.#life) this.input({ type: "admit", items })
        })
        return
      }
      case "term": {
        const early = this.inbox?.release() ?? []
        for (const { from, message } of early) this.receive(from, message)
        return
      }
      // Written already, or only looked at by `observe`.
      case "persist":
      case "store":
      case "stable":
      case "deliver":
      case "blame":
      case "lie":
      case "observe":
      case "seal":
      case "halt":
        return
    }
  }

  answer(after: number): Blocks {
    const records = this.disk.blocks.slice(after, after + BLOCKS_PER_ANSWER)
    const { stable } = this.disk
    const reach = after + records.length
    const useful = stable !== undefined && reach >= stable.height && after <= stable.height
    return useful ? { type: "blocks", records, checkpoint: stable } : { type: "blocks", records }
  }
}
