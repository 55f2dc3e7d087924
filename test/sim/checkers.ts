/**
 * What must hold, whatever happens: looked at after every step of every correct validator. A checker keeps its own books (who
 * sent what, who delivered what) and derives nothing from a replica's opinion of itself.
 */
import { equal, toHex } from "../../src/crypto/bytes.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { termOf } from "../../src/consensus/block.ts"
import { votePreimage } from "../../src/consensus/preimage.ts"
import { Follower } from "../../src/consensus/follower.ts"
import type { Scheme } from "../../src/consensus/hybrid.ts"
import { keysOf, sameItem } from "../../src/consensus/item.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import type { LedgerRules } from "../../src/consensus/ledger.ts"
import { seatOf, type ValidatorSet } from "../../src/consensus/quorum.ts"
import type {
  Checkpoint,
  Commit,
  Item,
  Message,
  NewView,
  Output,
  SignedMessage,
} from "../../src/consensus/types.ts"
import type { Keyholder } from "./keys.ts"
import type { SimNode } from "./node.ts"

export interface Violation {
  readonly at: number
  readonly node: string
  readonly what: string
}

interface Delivered {
  height: number
  term: number
  view: number
  readonly items: Set<string>
}

export class Checkers {
  readonly violations: Violation[] = []
  readonly #rules: LedgerRules
  readonly #now: () => number
  /** Follows the longest chain that any correct node delivered, checking everything again. */
  readonly #follower: Follower
  readonly #hashAt = new Map<number, Bytes>()
  readonly #decided = new Map<number, { digest: Bytes; view: number }>()
  readonly #deliveredBy = new Map<string, Delivered>()
  /** Everything that any correct node has ordered. */
  readonly #ordered = new Set<string>()
  /** What correct keys signed: signer and place → digest. */
  readonly #signed = new Map<string, Bytes>()
  /** The newest view each node has asked for: it has left all views before. */
  readonly #left = new Map<string, { term: number; view: number }>()
  /** COMMITs of everybody: term, view, height, block → signers. */
  readonly #commits = new Map<string, Set<number>>()
  readonly #certified = new Map<number, Bytes>()
  readonly #checkpoints = new Map<string, Set<number>>()
  readonly submitted = new Map<string, Item>()
  /** Other forms of submitted envelopes, admitted as well: one of the two may be ordered. */
  readonly variants = new Map<string, Item>()
  /** Membership of the set in each term. */
  readonly #sets = new Map<number, ValidatorSet>()
  readonly #scheme: Scheme

  constructor(rules: LedgerRules, scheme: Scheme, now: () => number) {
    this.#rules = rules
    this.#now = now
    this.#follower = new Follower(new Ledger(rules), scheme)
    this.#scheme = scheme
    this.#sets.set(0, this.#follower.ledger.set)
  }

  violated(node: string, what: string): void {
    if (this.violations.length < 20) this.violations.push({ at: this.#now(), node, what })
  }

  submit(items: readonly Item[]): void {
    for (const item of items) this.submitted.set(keysOf(item).id, item)
  }

  /** Whether an item was submitted, in this very form. */
  isAdmissible(item: Item): boolean {
    const { id } = keysOf(item)
    return [this.submitted.get(id), this.variants.get(id)].some(
      (known) => known !== undefined && sameItem(known, item),
    )
  }

  /** Height of the longest chain delivered anywhere. */
  get height(): number {
    return this.#follower.ledger.height
  }
  get ledger(): Ledger {
    return this.#follower.ledger
  }

  deliveredAt(node: string): ReadonlySet<string> {
    return this.#deliveredBy.get(node)?.items ?? new Set()
  }

  #bookOf(node: SimNode): Delivered {
    let book = this.#deliveredBy.get(node.id)
    if (book === undefined) {
      book = { height: 0, term: 0, view: 0, items: new Set() }
      this.#deliveredBy.set(node.id, book)
    }
    return book
  }

  /** A correct node delivers a block. */
  delivered(node: SimNode, output: Extract<Output, { type: "deliver" }>): void {
    const { record, applied } = output
    const book = this.#bookOf(node)
    if (record.height !== book.height + 1)
      this.violated(node.id, `delivers height ${record.height} after ${book.height}`)
    book.height = record.height
    const hash = record.certificate.digest
    const known = this.#hashAt.get(record.height)
    if (known === undefined) {
      this.#hashAt.set(record.height, hash)
      const { view } = record.certificate
      this.#decided.set(record.height, { digest: record.batch.digest, view })
    } else if (!equal(known, hash))
      this.violated(node.id, `agreement: another block at height ${record.height}`)
    if (record.height === this.#follower.ledger.height + 1) {
      const taken = this.#follower.take(record)
      if (!taken.ok)
        this.violated(node.id, `a follower refuses height ${record.height}: ${taken.code}`)
      const term = termOf(record.height + 1, this.#rules.termHeights)
      this.#sets.set(term, this.#follower.ledger.set)
    }
    for (const item of applied) {
      const key = keysOf(item).id
      if (book.items.has(key)) this.violated(node.id, `orders an item twice, at ${record.height}`)
      book.items.add(key)
      this.#ordered.add(key)
      if (item.type !== "tick" && !this.isAdmissible(item))
        this.violated(node.id, `orders an item that nobody admitted, at ${record.height}`)
    }
  }

  /** A correct node comes back: what it had delivered must still be there. */
  restarted(node: SimNode): void {
    const book = this.#bookOf(node)
    const height = node.disk.blocks.length
    // What was not synced was never said: only `sent` holds a node to its past.
    book.term = 0
    book.view = 0
    if (node.disk.wiped) {
      book.height = 0
      book.items.clear()
      node.disk.wiped = false
      return
    }
    if (height < book.height)
      this.violated(node.id, `durability: delivered ${book.height}, came back with ${height}`)
    // What was stored and not yet shown is shown now.
    while (book.height < height) {
      const block = node.disk.blocks[book.height]
      if (block === undefined) break
      book.height++
      for (const item of block.batch.items) book.items.add(keysOf(item).id)
    }
  }

  /** A message leaves a correct node: it is the word of its key. */
  sent(node: SimNode, message: Message): void {
    if (!("signer" in message) || message.type === "seal") return
    const replica = node.replica
    if (replica?.seat !== message.signer || replica.term !== message.term) return
    const left = this.#left.get(node.id)
    if (message.type === "view-change") {
      if (left?.term !== message.term || left.view < message.view)
        this.#left.set(node.id, { term: message.term, view: message.view })
      return
    }
    if (message.type === "new-view") return
    const place = `${node.id} ${message.type} ${message.term} ${message.view} ${message.height}`
    const before = this.#signed.get(place)
    if (before === undefined) {
      // What was said before may be said again, also by one who had to be told of it.
      if (left?.term === message.term && message.view < left.view && message.type !== "checkpoint")
        this.violated(node.id, `votes in view ${message.view} after asking for ${left.view}`)
      this.#signed.set(place, message.digest)
    } else if (!equal(before, message.digest))
      this.violated(node.id, `equivocation: two different ${place}`)
  }

  /** Any signed message that anyone put on the network. */
  soup(message: SignedMessage, trusted: boolean): void {
    if (message.type !== "commit" && message.type !== "checkpoint") return
    if (!trusted && !this.#isSigned(message)) return
    if (message.type === "commit") this.#commit(message)
    else this.#checkpoint(message)
  }

  #isSigned(message: Commit | Checkpoint): boolean {
    const keys = this.#sets.get(message.term)?.members[message.signer]
    const preimage = votePreimage(this.#rules.meshId, message)
    return keys !== undefined && this.#scheme.verify(keys, preimage, message.signature)
  }

  #checkpoint(message: Checkpoint): void {
    const key = `${message.term} ${toHex(message.digest)}`
    const signers = this.#checkpoints.get(key) ?? new Set()
    this.#checkpoints.set(key, signers.add(message.signer))
  }

  #commit(message: Commit): void {
    const quorum = this.#sets.get(message.term)?.quorum
    const known = this.#certified.get(message.height)
    if (quorum === undefined || (known !== undefined && equal(known, message.digest))) return
    const key = `${message.term} ${message.view} ${message.height} ${toHex(message.digest)}`
    const signers = this.#commits.get(key) ?? new Set()
    this.#commits.set(key, signers.add(message.signer))
    if (signers.size < quorum) return
    if (known !== undefined)
      this.violated("*", `two certificates exist at height ${message.height}`)
    else this.#certified.set(message.height, message.digest)
  }

  /** After each step of a correct node. */
  stepped(node: SimNode, outputs: readonly Output[]): void {
    const replica = node.replica
    if (replica === undefined) return
    const book = this.#bookOf(node)
    const { term, view } = replica
    if (term < book.term || (term === book.term && view < book.view))
      this.violated(node.id, `goes back from ${book.term}/${book.view} to ${term}/${view}`)
    book.term = term
    book.view = view
    if (replica.logSlots > this.#rules.termHeights) this.violated(node.id, "log over its bound")
    for (const output of outputs) {
      if (output.type === "halt") this.violated(node.id, `halts: ${output.code} ${output.detail}`)
      if (output.type === "persist" && output.record.kind === "new-view")
        this.#carried(node, output.record.message)
      if (output.type === "stable")
        this.#stable(node, output.certificate.term, output.certificate.digest)
    }
  }

  /** What was decided in a view, every later view of the term names, or begins above. */
  #carried(node: SimNode, { term, view, changes, proposals }: NewView): void {
    const { termHeights } = this.#rules
    const low = Math.max(term * termHeights, ...changes.map(({ tip }) => tip?.height ?? 0))
    for (let height = low + 1; height <= (term + 1) * termHeights; height++) {
      const decided = this.#decided.get(height)
      if (decided === undefined) return
      if (decided.view >= view) continue
      const named = proposals.find((proposal) => proposal.height === height)
      if (named === undefined || !equal(named.digest, decided.digest))
        this.violated(node.id, `enters a view that loses the block at height ${height}`)
    }
  }

  #stable(node: SimNode, term: number, digest: Bytes): void {
    const signers = this.#checkpoints.get(`${term} ${toHex(digest)}`)?.size ?? 0
    const own = 1
    const quorum = this.#sets.get(term)?.quorum ?? 1
    if (signers + own < quorum)
      this.violated(node.id, `opens a term after ${term} on ${signers} checkpoints of others`)
  }

  /** Submitted items that all of these have ordered; changes of the validators are not counted. */
  orderedAt(nodes: readonly SimNode[]): number {
    const delivered = nodes.map(({ id }) => this.deliveredAt(id))
    if (delivered.length === 0) return 0
    let count = 0
    for (const [key, { type }] of this.submitted)
      if (type !== "validators" && delivered.every((has) => has.has(key))) count++
    return count
  }

  /** The key is, or is about to be, in the set. */
  isValidator({ keys: { ed25519 } }: Keyholder): boolean {
    const { set, nextSet } = this.ledger.fields
    return seatOf(set, ed25519) >= 0 || seatOf(nextSet, ed25519) >= 0
  }

  /** Items that a node which is up should have ordered and has not. */
  missingAt(node: string): number {
    const has = this.deliveredAt(node)
    let missing = 0
    for (const [key, item] of this.submitted) {
      const due = this.#ordered.has(key) || this.#follower.ledger.allows(item)
      if (due && !has.has(key)) missing++
    }
    return missing
  }

  /** All that correct nodes delivered, in one number: equal for equal runs. */
  fingerprint(): string {
    const heights = [...this.#hashAt].sort(([a], [b]) => a - b)
    return heights.map(([height, hash]) => `${height}:${toHex(hash).slice(0, 8)}`).join(" ")
  }
}
