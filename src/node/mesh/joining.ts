/**
 * This installation's own way into the mesh's members: from a voucher (or work, in an open mesh) to a leaf in the tree. It goes on over
 * restarts: the voucher is kept, sealed, until the ledger has taken it or refuses it. Saying the item is repeated until it is
 * ordered, so nobody in particular has to be there when it is said first.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { keyOf } from "../../consensus/item.ts"
import {
  decodeVoucher,
  encodeVoucher,
  isVouched,
  joinByVoucher,
  joinByWork,
  joiningBytes,
  spendOfVoucher,
  spendOfWork,
  type Voucher,
} from "../../consensus/join.ts"
import type { Ledger } from "../../consensus/ledger.ts"
import type { MemberAddItem } from "../../consensus/types.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { ApiError, asApiError } from "../api/errors.ts"
import type { MembershipView } from "../api/types.ts"

/** Between two times that the item is said: sooner at first, when whoever should hear it may not be connected yet. */
const SAY_MIN_MS = 500
const SAY_MAX_MS = 20_000
/** A ledger that has not moved for so long is taken to be where it is. */
const SETTLED_MS = 4_000
const LOOK_MS = 250

/** Sealed place for the voucher that is being used. */
export interface VoucherShelf {
  get(): Promise<Bytes | undefined>
  put(voucher: Bytes | undefined): Promise<void>
}

export interface JoiningParts {
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly isOpen: boolean
  readonly ledger: () => Ledger
  readonly shelf: VoucherShelf
  /** 32 bytes; made at the first call. */
  readonly commitment: () => Promise<Bytes>
  /** The commitment, if there is a secret already. */
  readonly known: () => Bytes | undefined
  /** Proof of knowledge over these bytes. */
  readonly prove: (joining: Bytes) => Promise<Bytes>
  /** Work for joining with this commitment. */
  readonly work: (
    commitment: Bytes,
    signal: AbortSignal,
  ) => Promise<{ readonly anchor: Bytes; readonly nonce: Bytes }>
  readonly say: (item: MemberAddItem) => Promise<void>
  /** Whether this period's tree holds the commitment. */
  readonly counts: () => boolean
  /** Payloads that may still be posted by proof in this period. */
  readonly left: () => number | undefined
  /** Of the way from the secret to the ledger, STEPS in all; also told when it ended before its end. */
  readonly onStep: (done: number, total: number) => void
  readonly onChange: () => void
  readonly onFault: (error: unknown) => void
}

/** The secret and the proof, saying it, having it ordered. */
const STEPS = 3

type Refusal = "VOUCHER_USED" | "BAD_VOUCHER"

export class MeshJoining {
  readonly #parts: JoiningParts
  readonly #stop = new AbortController()
  /** For the work that is being done. */
  #working = new AbortController()
  #item: MemberAddItem | undefined
  #sayMs = SAY_MIN_MS
  #movedMs = 0
  #refusal: Refusal | undefined
  /** What came in between, if the last try ended by it. */
  #fault: ApiError | undefined
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #settled = new Set<() => void>()

  constructor(parts: JoiningParts) {
    this.#parts = parts
  }

  /** Goes on with what was begun before a restart. Throws StoreError. */
  async resume(): Promise<void> {
    const kept = await this.#parts.shelf.get()
    if (kept !== undefined) this.#begin(decodeVoucher(kept))
  }

  view(): MembershipView {
    const commitment = this.#parts.known()
    return {
      state: this.#state(commitment),
      refusal: this.#refusal ?? null,
      commitment: commitment === undefined ? null : toHex(commitment),
      left: this.#parts.left() ?? null,
    }
  }

  #state(commitment: Bytes | undefined): MembershipView["state"] {
    const isIn = commitment !== undefined && this.#parts.ledger().fields.members.has(commitment)
    if (isIn) return this.#parts.counts() ? "member" : "joined"
    return this.#running !== undefined || this.#item !== undefined ? "joining" : "none"
  }

  /**
   * Uses a voucher (encoded), or works for membership without one. Resolves when the ledger has taken it, or with what it is at by
   * then when `signal` aborts; it goes on then. Throws ApiError BAD_VOUCHER, VOUCHER_USED, NOT_INVITED.
   */
  async join(voucher: Bytes | undefined, signal: AbortSignal): Promise<MembershipView> {
    if (this.view().state !== "none") return await this.#outcome(signal)
    if (voucher === undefined) {
      if (!this.#parts.isOpen)
        throw new ApiError("NOT_INVITED", "this mesh takes members by invitation only")
      this.#beginWork()
      return await this.#outcome(signal)
    }
    const decoded = this.#read(voucher)
    await this.#parts.shelf.put(encodeVoucher(decoded))
    this.#begin(decoded)
    return await this.#outcome(signal)
  }

  /** Gives up work that is being done; what was said to the mesh already cannot be taken back. */
  cancel(): MembershipView {
    this.#working.abort(new ApiError("STOPPING", "the work was called off"))
    return this.view()
  }

  /** A block was applied. */
  applied(): void {
    this.#movedMs = performance.now()
    const { ledger, shelf, onChange } = this.#parts
    const item = this.#item
    if (item === undefined || ledger().allows(item)) return
    this.#item = undefined
    clearTimeout(this.#timer)
    // used up: by us, or by somebody who had the same ticket
    const by = ledger().vouchers.get(keyOf(item.voucher))
    if (by === undefined || !equal(by, item.commitment)) this.#refusal = "VOUCHER_USED"
    shelf.put(undefined).catch(this.#parts.onFault)
    onChange()
    this.#settle()
  }

  async stop(): Promise<void> {
    this.#stop.abort(new ApiError("STOPPING", "the node is stopping"))
    this.#working.abort(this.#stop.signal.reason)
    clearTimeout(this.#timer)
    await this.#running
    this.#settle()
  }

  /** Throws ApiError BAD_VOUCHER. */
  #read(bytes: Bytes): Voucher {
    try {
      return decodeVoucher(bytes)
    } catch (cause) {
      this.#refusal = "BAD_VOUCHER"
      throw new ApiError("BAD_VOUCHER", "the ticket's voucher is none that this program knows", {
        cause,
      })
    }
  }

  #begin(voucher: Voucher): void {
    this.#working = new AbortController()
    this.#run(async () => {
      const { meshId, ledger, shelf, commitment: own, prove } = this.#parts
      const commitment = await own()
      const spend = spendOfVoucher(meshId, voucher)
      const by = ledger().vouchers.get(keyOf(spend))
      if (by !== undefined) {
        // by somebody else, or by us before operators took us out
        const isIn = equal(by, commitment) && ledger().fields.members.has(commitment)
        if (!isIn) this.#refusal = "VOUCHER_USED"
        await shelf.put(undefined)
        return
      }
      if (!(await this.#isVouched(voucher))) {
        this.#refusal = "BAD_VOUCHER"
        await shelf.put(undefined)
        return
      }
      this.#parts.onStep(1, STEPS)
      const proof = await prove(joiningBytes(meshId, commitment, spend))
      this.#say(joinByVoucher(meshId, commitment, voucher, proof))
    })
  }

  /** A newcomer's ledger may still be on its way to the set that the operator is in: it is given time for as long as it moves. */
  async #isVouched(voucher: Voucher): Promise<boolean> {
    const { meshId, ledger } = this.#parts
    this.#movedMs = performance.now()
    const { signal } = this.#stop
    while (!isVouched(meshId, ledger().set, voucher)) {
      if (performance.now() - this.#movedMs > SETTLED_MS) return false
      await sleep(LOOK_MS, undefined, { signal, ref: false })
    }
    return true
  }

  #beginWork(): void {
    this.#working = new AbortController()
    this.#run(async () => {
      const { meshId, commitment: own, prove, work } = this.#parts
      const commitment = await own()
      const done = await work(commitment, this.#working.signal)
      const joining = joiningBytes(meshId, commitment, spendOfWork(meshId, commitment))
      this.#say(joinByWork(meshId, commitment, done, await prove(joining)))
    })
  }

  #run(work: () => Promise<void>): void {
    this.#refusal = undefined
    this.#fault = undefined
    this.#sayMs = SAY_MIN_MS
    this.#parts.onStep(0, STEPS)
    this.#running = work()
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted || this.#working.signal.aborted) return
        this.#fault = asApiError(error)
        this.#parts.onFault(error)
      })
      .finally(() => {
        this.#running = undefined
        if (this.#item === undefined) this.#settle()
        else this.#parts.onStep(2, STEPS)
        this.#parts.onChange()
      })
  }

  /** Now, and again until it is ordered. */
  #say(item: MemberAddItem): void {
    if (this.#stop.signal.aborted) return
    this.#item = item
    this.#parts.say(item).catch(() => undefined)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#say(item), this.#sayMs)
    this.#timer.unref()
    this.#sayMs = Math.min(2 * this.#sayMs, SAY_MAX_MS)
    this.applied()
  }

  #settle(): void {
    this.#parts.onStep(STEPS, STEPS)
    for (const settled of this.#settled) settled()
    this.#settled.clear()
  }

  async #outcome(signal: AbortSignal): Promise<MembershipView> {
    if (this.view().state === "joining" && !signal.aborted)
      await new Promise<void>((resolve) => {
        this.#settled.add(resolve)
        signal.addEventListener("abort", () => resolve(), { once: true })
      })
    if (this.#refusal !== undefined) throw new ApiError(this.#refusal, REFUSED[this.#refusal])
    if (this.#fault !== undefined) throw this.#fault
    return this.view()
  }
}

const REFUSED: Readonly<Record<Refusal, string>> = {
  VOUCHER_USED: "this invitation has made a member already",
  BAD_VOUCHER: "no operator of this mesh vouches for this invitation",
}
