/**
 * Changes of the mesh on their way into the ledger, on the topic `/sotto/<meshId>/changes/1`: proposals of operators with the
 * approvals they have so far, and people's joining. Every peer keeps the open proposals and passes on what is new in them; whoever has
 * some says them again now and then and to newcomers, so no message has to arrive, and no peer has to be there. Validators give
 * what is complete to the ledger.
 *
 *   version 1 ‖ salt 8 ‖ an item, whose approvals and proofs of possession need not be complete
 */
import { primitives } from "#primitives"
import { hasQuorum } from "../../consensus/approval.ts"
import type { Scheme } from "../../consensus/hybrid.ts"
import { decodeItem, encodeItem } from "../../consensus/item.ts"
import type { Ledger } from "../../consensus/ledger.ts"
import { BATCH_MAX_BYTES } from "../../consensus/limits.ts"
import {
  type Change,
  type Proposal,
  proposalOf,
  Proposals,
  unproven,
} from "../../consensus/proposals.ts"
import { seatOf } from "../../consensus/quorum.ts"
import type { Item, MemberAddItem } from "../../consensus/types.ts"
import { type Bytes, concat, equal, Reader, toHex, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../../crypto/verdict.ts"
import { ApiError } from "../api/errors.ts"
import type { TopicRule } from "../transport/gossip.ts"
import type { Store } from "../store/store.ts"
import type { Validator } from "./validator-keys.ts"

export const changesTopic = (meshId: Bytes) => `/sotto/${toHex(meshId)}/changes/1`

const VERSION = 1
const SALT_BYTES = 8
const MESSAGE_BYTES_MAX = 1 + SALT_BYTES + BATCH_MAX_BYTES
/** Between two times that open proposals are said again. */
const SAY_MIN_MS = 20_000
const SAY_MAX_MS = 60_000
/** After a peer came, or a proposal changed: what comes together is said once. */
const SAY_SOON_MS = 500

const keyFor = (id: Bytes) => concat(utf8("change "), id)
const STORED = { gte: utf8("change "), lt: utf8("change!") } as const

export interface ChangesParts {
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly store: Store
  readonly scheme: Scheme
  readonly ledger: () => Ledger
  /** This peer's validator keys, in the set or not. */
  readonly validator: () => Validator | undefined
  /** Judges a new member's item by more than the ledger's state; see `mesh-joins`. */
  readonly judgeJoin: (item: MemberAddItem) => Promise<Verdict>
  /** Resolves when it was handed out. */
  readonly publish: (message: Bytes) => Promise<unknown>
  /** To the core, where this peer validates. */
  readonly admit: (items: readonly Item[]) => void
  readonly onChange: () => void
  readonly note: (line: string) => void
  readonly onFault: (error: unknown) => void
}

export function encodeChange(item: Item): Bytes {
  return new Writer()
    .u8(VERSION)
    .raw(primitives.randomBytes(SALT_BYTES))
    .raw(encodeItem(item))
    .finish()
}

/** Throws CryptoError. */
export function decodeChange(bytes: Bytes): Item {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "a change of the mesh")
  read.raw(SALT_BYTES)
  return decodeItem(read.raw(read.left))
}

export class MeshChanges {
  readonly #parts: ChangesParts
  readonly #proposals: Proposals
  #timer: NodeJS.Timeout | undefined
  #soon = false
  #writing: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(parts: ChangesParts) {
    this.#parts = parts
    this.#proposals = new Proposals(parts.scheme, parts.ledger)
  }

  rule(): TopicRule {
    return {
      topic: changesTopic(this.#parts.meshId),
      messageBytesMax: MESSAGE_BYTES_MAX,
      judge: (data) => this.judge(data.slice()),
    }
  }

  /** Takes up what was open when this peer stopped. Throws StoreError. */
  async start(): Promise<void> {
    for await (const [key, bytes] of this.#parts.store.range("mesh", STORED)) {
      const item = storedChange(bytes)
      // what is over or was never whole is forgotten
      if (item === undefined || "code" in this.#proposals.take(item)) this.#write(key, undefined)
    }
    for (const proposal of this.#proposals.list()) this.#prove(proposal)
    this.#admitComplete()
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#writing
  }

  /** Oldest first. */
  open(): readonly Proposal[] {
    return this.#proposals.list()
  }

  async judge(bytes: Bytes): Promise<Verdict> {
    let item: Item
    try {
      item = decodeChange(bytes)
    } catch (error) {
      // [REJECT] it decodes
      if (error instanceof CryptoError) return reject(error.code)
      throw error
    }
    switch (item.type) {
      case "validators":
      case "member-remove": {
        const taken = this.#proposals.take(item)
        if ("verdict" in taken) return taken
        this.#changed(taken.proposal)
        return ACCEPT
      }
      case "member-add": {
        const verdict = await this.#join(item)
        return verdict
      }
      // [REJECT] it is a change of the mesh
      case "envelope":
      case "tick":
        return reject("NOT_A_CHANGE")
    }
  }

  /**
   * This operator's approval of a change, proposed before or now for the first time. Harmless when repeated. Throws ApiError NOT_OPERATOR,
   * CHANGE_REFUSED.
   */
  approve(item: Change): Proposal {
    const { ledger, validator } = this.#parts
    const own = validator()
    const signer = own === undefined ? -1 : seatOf(ledger().set, own.keys.ed25519)
    if (own === undefined || signer < 0)
      throw new ApiError("NOT_OPERATOR", "this peer is no validator of the mesh")
    const { id, subject } = proposalOf(item, ledger())
    const approval = { signer, signature: own.sign(subject) }
    const taken = this.#proposals.take({ ...item, approvals: [approval] })
    if ("proposal" in taken) this.#changed(taken.proposal)
    const proposal = this.#proposals.get(id)
    if (proposal !== undefined) return proposal
    const why = "code" in taken ? REFUSED[taken.code] : undefined
    throw new ApiError("CHANGE_REFUSED", why ?? "the ledger does not allow it now")
  }

  /** Says an item to the mesh that its author stands behind alone: a new member's. */
  async say(item: MemberAddItem): Promise<void> {
    this.#parts.admit([item])
    await this.#parts.publish(encodeChange(item))
  }

  /** A block was applied: what it settled is forgotten, and what is complete may be given to a core that has just begun. */
  applied(): void {
    const { ledger, note, onChange } = this.#parts
    const open = this.#proposals.list()
    for (const id of this.#proposals.prune()) {
      const gone = open.find((proposal) => equal(proposal.id, id))
      if (gone !== undefined && !hasHappened(gone.item, ledger()))
        note("ledger: a proposed change has lapsed: another one came first, or its time is over")
      this.#write(keyFor(id), undefined)
      onChange()
    }
    this.#admitComplete()
  }

  /** A peer is there that may know nothing of what is open here. */
  connected(): void {
    if (this.#proposals.list().length > 0) this.#saySoon()
  }

  /** A proposal names changes that are not admitted here: each carries what it takes to check it. */
  want(items: readonly Item[]): void {
    for (const item of items) {
      if (item.type === "member-add") void this.#join(item).catch(this.#parts.onFault)
      if (item.type !== "validators" && item.type !== "member-remove") continue
      const { ledger, meshId, scheme, admit } = this.#parts
      if (hasQuorum(item, meshId, ledger().set, scheme)) setImmediate(() => admit([item]))
    }
  }

  async #join(item: MemberAddItem): Promise<Verdict> {
    const { ledger, judgeJoin, admit } = this.#parts
    // [IGNORE] the state lets it come next: nobody joins twice, and no voucher is used twice
    if (!ledger().allows(item)) return ignore("NOT_APPLICABLE")
    const verdict = await judgeJoin(item)
    if (verdict.verdict === "accept") admit([item])
    return verdict
  }

  /** Something was added to a proposal. */
  #changed(proposal: Proposal): void {
    this.#write(keyFor(proposal.id), encodeItem(proposal.item))
    this.#prove(proposal)
    this.#admitComplete()
    this.#saySoon()
    this.#parts.onChange()
  }

  /**
   * A proposal makes this peer a validator: it proves that it holds the keys. Handing out one's key is consent; and that the newcomer
   * must be there to sign keeps a set from counting on somebody who is not.
   */
  #prove(proposal: Proposal): void {
    const { validator, note } = this.#parts
    const own = validator()
    if (own === undefined || proposal.item.type !== "validators") return
    if (!unproven(proposal).some(({ ed25519 }) => equal(ed25519, own.keys.ed25519))) return
    const possession = own.sign(proposal.subject)
    const add = proposal.item.add.map((each) =>
      equal(each.keys.ed25519, own.keys.ed25519) ? { ...each, possession } : each,
    )
    const taken = this.#proposals.take({ ...proposal.item, add })
    if (!("proposal" in taken)) return
    note("ledger: proposed as a validator; proved that the keys are here")
    this.#changed(taken.proposal)
  }

  #admitComplete(): void {
    const complete = this.#proposals
      .list()
      .map((proposal) => this.#proposals.complete(proposal))
      .filter((item) => item !== undefined)
    if (complete.length > 0) setImmediate(() => this.#parts.admit(complete))
  }

  #write(key: Bytes, value: Bytes | undefined): void {
    this.#writing = this.#writing
      .then(() => this.#parts.store.batch([{ table: "mesh", key, value }]))
      .catch(this.#parts.onFault)
  }

  #saySoon(): void {
    if (this.#soon || this.#stopped) return
    this.#soon = true
    this.#schedule(SAY_SOON_MS)
  }

  #schedule(delayMs = SAY_MIN_MS + Math.random() * (SAY_MAX_MS - SAY_MIN_MS)): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#sayAll(), delayMs)
    this.#timer.unref()
  }

  /** What gossip loses is said again. */
  #sayAll(): void {
    this.#soon = false
    for (const { item } of this.#proposals.list())
      this.#parts.publish(encodeChange(item)).catch(() => undefined)
    this.#schedule()
  }
}

const REFUSED: Readonly<Record<string, string>> = {
  NOT_APPLICABLE:
    "the ledger does not allow it now: another change waits for the next term, a named validator is none or is one already, or nobody would be left",
  STALE: "the proposal is too old, or of another set of validators; propose it again",
  TOO_MANY: "there are too many open proposals of this operator",
}

/** Whether what a change asks for is so, whoever brought it about. */
function hasHappened(item: Change, { fields }: Ledger): boolean {
  if (item.type === "member-remove") return !fields.members.has(item.commitment)
  const isIn = (key: Bytes) => seatOf(fields.nextSet, key) >= 0
  return item.add.every(({ keys }) => isIn(keys.ed25519)) && !item.remove.some(isIn)
}

function storedChange(bytes: Bytes): Change | undefined {
  try {
    const item = decodeItem(bytes.slice())
    return item.type === "validators" || item.type === "member-remove" ? item : undefined
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}
