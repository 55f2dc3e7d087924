/**
 * Drives the pure ledger core of one validator (consensus/replica.ts): one input at a time, a step, everything it wrote made durable,
 * and only then its messages, blocks and timers let out, in order (DESIGN §7, Durability). One sync serves every step that came while
 * the one before was under way. Knows disks and timers, but neither streams nor people.
 */
import type { ReplicaParts } from "../../consensus/core.ts"
import { claimsOf, type Claim, type ClaimsCourt, partsOf } from "../../consensus/claims.ts"
import { decodeMessage } from "../../consensus/codec.ts"
import { Inbox } from "../../consensus/inbox.ts"
import type { Ledger } from "../../consensus/ledger.ts"
import type { Memory } from "../../consensus/recovery.ts"
import { openTermOf } from "../../consensus/recovery.ts"
import { Replica } from "../../consensus/replica.ts"
import type {
  BlockRecord,
  Certificate,
  Input,
  Item,
  Message,
  Output,
  Peer,
  Wrong,
} from "../../consensus/types.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { CodedError, CryptoError } from "../../crypto/errors.ts"
import type { LedgerProblem } from "../api/types.ts"
import { Arrivals, needsArrivals } from "./arrivals.ts"
import type { LedgerChain, Replayed } from "./chain.ts"
import type { SignatureChecks } from "./checks.ts"
import { Seals } from "./seals.ts"
import { LedgerTimers } from "./timers.ts"
import type { LedgerLog } from "./wal.ts"
import type { Want } from "./wanted.ts"

export interface DriverParts {
  readonly replica: ReplicaParts
  readonly chain: LedgerChain
  readonly log: LedgerLog
  /** Checks the signatures of big messages in threads. */
  readonly checks: Pick<SignatureChecks, "prove">
  /** To one peer, or, without one, to every other validator of the term. */
  readonly send: (to: Peer | undefined, message: Message) => void
  /** A laggard asks for blocks above a height. */
  readonly serve: (to: Peer, after: number) => void
  /** Items that are not admitted here, and that a proposal names or another validator waits for. */
  readonly want: (items: readonly Item[], why: Want) => void
  /** A block is certified and on disk. In order of height, each once. */
  readonly onBlock: (record: BlockRecord, applied: readonly Item[]) => void
  /** What this peer sent no honest one would have sent. */
  readonly lied: (from: Peer) => void
  /** Signs off the event loop. */
  readonly seal: (preimage: Bytes, signal: AbortSignal) => Promise<Bytes>
  /** One line for the log. */
  readonly note: (line: string) => void
  /** The driver has stopped for good: a disk that fails, an assertion. */
  readonly onFault: (error: unknown) => void
}

/** The event loop gets its turn after this long. */
const SLICE_MS = 8

interface Effect {
  readonly after: number
  readonly output: Output
  readonly want: Want
}

/** Stands for a peer that the core cannot answer. */
const NO_VALIDATOR: Peer = -1

/** A stable word for what failed: codes only, as messages may hold paths. */
function codeOf(error: unknown): string {
  if (error instanceof CodedError) return String(error.code)
  const { code } = error as { readonly code?: unknown }
  return typeof code === "string" ? code : "INTERNAL"
}

/** Where a validator begins: the ledger, and all blocks of the open term. */
export type Standpoint = Pick<Replayed, "ledger" | "recent">

/** How this validator stands. */
export type Standing = "validating" | "observing" | "halted"

export class LedgerDriver {
  readonly #parts: DriverParts
  readonly #replica: Replica
  readonly #inbox: Inbox
  readonly #stopping = new AbortController()
  readonly #timers = new LedgerTimers((timer, token) =>
    this.input({ type: "timeout", timer, token }),
  )
  readonly #arrivals = new Arrivals((items) => {
    if (!this.#ended) this.#run(() => this.#replica.step({ type: "admit", items }))
  })
  readonly #seals: Seals
  readonly #effects: Effect[] = []
  #blocks: { readonly record: BlockRecord; readonly applied: readonly Item[] }[] = []
  #stable: Certificate | undefined
  #written = 0
  #synced = 0
  #syncing: Promise<void> | undefined
  #failed = false
  #failure: unknown
  /** Wrong messages so far, by what was wrong with them. */
  readonly wrong = new Map<string, number>()
  viewChanges = 0

  private constructor(parts: DriverParts, ledger: Ledger, memory: Memory) {
    this.#parts = parts
    this.#seals = new Seals(
      {
        sign: parts.seal,
        sealed: (height, signature) => this.input({ type: "sealed", height, signature }),
        note: parts.note,
      },
      this.#stopping.signal,
    )
    this.#replica = new Replica(parts.replica, ledger, memory)
    this.#inbox = new Inbox(
      () => this.#replica.court(),
      (message) => this.#replica.setAside(message),
    )
  }

  /** Comes back from whatever the disk holds, and starts. Throws StoreError. */
  static async start({ ledger, recent }: Standpoint, parts: DriverParts): Promise<LedgerDriver> {
    const { chain, log } = parts
    const { stable } = chain
    const { rules } = ledger
    const term = openTermOf(chain.height, rules.termHeights, stable)
    const { records, past, cutBytes, guardTerm } = await log.recall(term)
    if (cutBytes > 0)
      parts.note(`ledger: cut ${cutBytes} bytes of a record that was never finished`)
    if (past !== "intact") parts.note(`ledger: the memory of past votes is ${past}: observing`)
    const driver = new LedgerDriver(parts, ledger, {
      blocks: recent.filter(({ height }) => height > term * rules.termHeights),
      records,
      past,
      ...(guardTerm === undefined ? {} : { guardTerm }),
      ...(stable === undefined ? {} : { boundary: stable }),
    })
    driver.#run(() => driver.#replica.start())
    return driver
  }

  get replica(): Replica {
    return this.#replica
  }

  get standing(): Standing {
    if (this.#failed || this.#replica.mode === "halted") return "halted"
    return this.#replica.mode === "voter" ? "validating" : "observing"
  }

  /** Why it does not vote, where somebody has to do something about it. */
  get problem(): LedgerProblem | null {
    if (this.#failed) return { code: "STOPPED", detail: codeOf(this.#failure) }
    const { halted, isAloneWithoutMemory } = this.#replica
    if (halted !== undefined)
      return { code: "IMPOSSIBLE_STATE", detail: `${halted.code} ${halted.detail}` }
    return isAloneWithoutMemory ? { code: "MEMORY_LOST", detail: "" } : null
  }

  /**
   * The operator's word that it may vote again. Resolves, when that is on the disk, with whether it does so now or after the next
   * start; "no" when there is nothing that waits for such a word.
   */
  async resume(): Promise<"now" | "next-start" | "no"> {
    const { halted, isAloneWithoutMemory } = this.#replica
    if (this.#ended || (halted === undefined && !isAloneWithoutMemory)) return "no"
    this.input({ type: "resume" })
    await this.settled()
    if (this.#failed) throw this.#failure
    return halted === undefined ? "now" : "next-start"
  }

  /** Resolves when what was asked for so far is on the disk, or nothing more will be. */
  async settled(): Promise<void> {
    await this.#syncing
  }

  /** Blocks from a peer that is no validator; each carries its proof. */
  offer(records: readonly BlockRecord[]): void {
    if (!this.#ended) this.#take(this.#inbox.take(NO_VALIDATOR, { type: "blocks", records }))
  }

  /** Items that nobody waits for: they are in the core before anything is proposed or judged that may need them. */
  admitSoon(items: readonly Item[]): void {
    if (!this.#ended) this.#arrivals.add(items, this.#replica.waiting > 0)
  }

  /** Items admitted and not ordered. */
  get waiting(): number {
    return this.#replica.waiting + this.#arrivals.size
  }

  input(input: Input): void {
    if (this.#ended) return
    if (this.#arrivals.size > 0 && needsArrivals(input)) this.#arrivals.flush()
    const isRequest = input.type === "message" && input.message.type === "request"
    this.#run(() => this.#replica.step(input), isRequest ? "requested" : "proposed")
  }

  /** A message from a peer. What is wrong with it, if something is; for a big one that is known later. */
  receive(from: Peer, bytes: Bytes): Wrong | undefined | Promise<Wrong | undefined> {
    if (this.#ended) return undefined
    let message: Message
    try {
      message = decodeMessage(bytes)
    } catch (error) {
      if (error instanceof CryptoError) return this.#take({ verdict: "reject", code: error.code })
      throw error
    }
    const claims = claimsOf(message, this.#claimsCourt())
    if (claims.length === 0) return this.#take(this.#inbox.take(from, message))
    return this.#receiveBig(from, message, claims)
  }

  async #receiveBig(from: Peer, message: Message, claims: Claim[]): Promise<Wrong | undefined> {
    await this.#parts.checks.prove(claims)
    let wrong: Wrong | undefined
    let began = performance.now()
    for (const part of partsOf(message)) {
      if (this.#ended) break
      wrong ??= this.#take(this.#inbox.take(from, part))
      if (performance.now() - began < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      began = performance.now()
    }
    return wrong
  }

  /** Sets as they are now: a set that changes on the way is found out when the blocks are judged. */
  #claimsCourt(): ClaimsCourt {
    const { meshId, term, set } = this.#replica.court()
    const { nextSet } = this.#replica.ledger.fields
    return { meshId, setOf: (wanted) => (wanted === term ? set : nextSet) }
  }

  #take(taken: Input | Wrong | undefined): Wrong | undefined {
    if (taken === undefined) return undefined
    if ("verdict" in taken) {
      this.wrong.set(taken.code, (this.wrong.get(taken.code) ?? 0) + 1)
      return taken
    }
    this.input(taken)
    return undefined
  }

  /** Resolves when what was being written is on disk. What was not synced was never acted on. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#timers.stop()
    this.#arrivals.stop()
    await this.#syncing
    await this.#seals.idle()
    await this.#parts.log.close()
  }

  get #ended(): boolean {
    return this.#failed || this.#stopping.signal.aborted
  }

  #run(step: () => Output[], want: Want = "proposed"): void {
    let outputs: Output[]
    try {
      outputs = step()
    } catch (error) {
      this.#fail(error)
      return
    }
    for (const output of outputs) this.#write(output)
    for (const output of outputs) this.#effects.push({ after: this.#written, output, want })
    if (this.#synced === this.#written) this.#release()
    else this.#syncing ??= this.#syncAll()
  }

  /** A state that must not be, or a disk that fails: nothing more leaves. */
  #fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#failure = error
    this.#timers.stop()
    this.#effects.length = 0
    this.#parts.onFault(error)
  }

  #write(output: Output): void {
    if (output.type === "persist") this.#parts.log.append(output.term, output.record)
    // With every block to store comes the same one to deliver, and that one says what it changed.
    else if (output.type === "deliver") this.#blocks.push(output)
    else if (output.type === "stable") this.#stable = output.certificate
    else return
    this.#written++
  }

  async #syncAll(): Promise<void> {
    try {
      while (this.#synced !== this.#written && !this.#ended) {
        // What else this turn of the event loop brings goes into the same sync.
        await new Promise((resolve) => setImmediate(resolve))
        await this.#sync()
        this.#release()
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#syncing = undefined
    }
  }

  /** Blocks before the log that goes on above them: a log never speaks of heights whose chain is not there. */
  async #sync(): Promise<void> {
    const { chain, log } = this.#parts
    const upTo = this.#written
    const blocks = this.#blocks
    const stable = this.#stable
    this.#blocks = []
    this.#stable = undefined
    const logged = log.take()
    await chain.keep(blocks, stable, { sync: true })
    await log.sync(logged)
    if (stable !== undefined) await log.forget(stable.term)
    this.#synced = upTo
  }

  /** Lets out what a sync covers, in order. */
  #release(): void {
    while (!this.#ended) {
      const [next] = this.#effects
      if (next === undefined || next.after > this.#synced) return
      this.#effects.shift()
      this.#carryOut(next)
    }
  }

  #carryOut({ output, want: why }: Effect): void {
    const { send, serve, want, onBlock, lied, note } = this.#parts
    switch (output.type) {
      case "send":
        send(output.to, output.message)
        return
      case "broadcast":
        if (output.message.type === "view-change") this.viewChanges++
        send(undefined, output.message)
        return
      case "serve":
        serve(output.to, output.after)
        return
      case "timer":
        this.#timers.arm(output.timer, output.token, output.afterMs)
        return
      case "deliver":
        onBlock(output.record, output.applied)
        return
      case "want":
        want(output.items, why)
        return
      case "term":
        for (const { from, message } of this.#inbox.release())
          this.#take(this.#inbox.take(from, message))
        return
      case "seal":
        this.#seals.want(output.height, output.preimage)
        return
      case "observe":
        note(`ledger: not voting before term ${output.voteFromTerm}: ${output.reason}`)
        return
      case "blame":
        note(`ledger: validator ${output.signer}: ${output.code}`)
        return
      case "lie":
        note(`ledger: a forged certificate from a validator's peer: ${output.code}`)
        lied(output.from)
        return
      case "halt":
        note(`ledger: HALTED ${output.code}: ${output.detail}`)
        return
      // written already
      case "persist":
      case "store":
      case "stable":
        return
    }
  }
}
