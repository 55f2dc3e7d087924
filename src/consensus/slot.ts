/**
 * One height of a term, and everything said about it. Tallies hold the current view's votes; votes of later views wait, one a
 * signer and type, because a replica that enters a view late must not ask for them all again.
 */
import { equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import type { Plan } from "./ledger.ts"
import { VOTED_BATCHES_MAX } from "./limits.ts"
import { Tally } from "./quorum.ts"
import type { Batch, Commit, Item, Prepare, PreparedProof, PrePrepare } from "./types.ts"

export interface Proposal {
  readonly view: number
  readonly digest: Bytes
  /** The primary's signature under its PRE-PREPARE. */
  readonly signature: Bytes
}

/** What a certificate has made of a slot. */
export interface Decided {
  /** D and B. */
  readonly digest: Bytes
  readonly hash: Bytes
  /** The view of the certificate's COMMITs. A height may have certificates of several views; this is the one we hold. */
  readonly view: number
}

export class Slot {
  readonly height: number
  proposal: Proposal | undefined
  /** Of the proposal's digest. */
  batch: Batch | undefined
  readonly prepares: Tally<Prepare>
  readonly commits: Tally<Commit>
  /** The newest view in which this slot prepared: the P entry. */
  prepared: PreparedProof | undefined
  preparedBatch: Batch | undefined
  /** View of our last PREPARE (or, as primary, PRE-PREPARE) and COMMIT, or -1. */
  preparedIn = -1
  committedIn = -1
  decided: Decided | undefined
  /** Items of the batch that we do not hold or have not admitted yet, by id: until none is left the batch waits. */
  readonly missing = new Map<string, Item>()
  plan: Plan | undefined

  earlyProposal: PrePrepare | undefined
  readonly #earlyPrepares: (Prepare | undefined)[]
  readonly #earlyCommits: (Commit | undefined)[]
  /** Votes of this view that came when they were needed no more, one a signer and type; nobody has checked their signatures. */
  readonly #spares = new Map<string, Prepare | Commit>()
  /** Batches of earlier views that we voted for, oldest first. */
  readonly #voted: Batch[] = []

  constructor(height: number, size: number) {
    this.height = height
    this.prepares = new Tally(size)
    this.commits = new Tally(size)
    this.#earlyPrepares = Array.from({ length: size })
    this.#earlyCommits = Array.from({ length: size })
  }

  /** Keeps a vote of a later view; of two, the one of the higher view. */
  keepEarly(vote: Prepare | Commit): void {
    if (vote.type === "prepare") {
      const before = this.#earlyPrepares[vote.signer]
      if (before === undefined || before.view < vote.view) this.#earlyPrepares[vote.signer] = vote
    } else {
      const before = this.#earlyCommits[vote.signer]
      if (before === undefined || before.view < vote.view) this.#earlyCommits[vote.signer] = vote
    }
  }

  /** The first of a signer and type stays. */
  keepSpare(vote: Prepare | Commit): void {
    const place = `${vote.type} ${vote.signer}`
    if (!this.#spares.has(place)) this.#spares.set(place, vote)
  }

  spareLike({ type, signer }: Prepare | Commit): Prepare | Commit | undefined {
    return this.#spares.get(`${type} ${signer}`)
  }

  keepEarlyProposal(proposal: PrePrepare): void {
    if (this.earlyProposal === undefined || this.earlyProposal.view < proposal.view)
      this.earlyProposal = proposal
  }

  /** Moves to a later view: its votes that came early count, those of earlier views are gone. */
  moveTo(view: number): void {
    this.#keepVoted()
    this.prepares.clear()
    this.commits.clear()
    this.proposal = undefined
    this.batch = undefined
    this.plan = undefined
    this.missing.clear()
    this.#spares.clear()
    this.#earlyPrepares.forEach((vote, signer) => {
      if (vote === undefined || vote.view > view) return
      if (vote.view === view) this.prepares.add(signer, vote)
      this.#earlyPrepares[signer] = undefined
    })
    this.#earlyCommits.forEach((vote, signer) => {
      if (vote === undefined || vote.view > view) return
      if (vote.view === view) this.commits.add(signer, vote)
      this.#earlyCommits[signer] = undefined
    })
    if (this.earlyProposal !== undefined && this.earlyProposal.view < view)
      this.earlyProposal = undefined
  }

  /**
   * What we voted for may have prepared at others, be carried into any later view, and then be held by us and one more alone: the f+1
   * correct holders that a P entry promises are its voters.
   */
  #keepVoted(): void {
    const { batch, proposal } = this
    if (batch === undefined || proposal === undefined || this.preparedIn !== proposal.view) return
    if (batchAmong(this.#voted, batch.digest) !== undefined) return
    this.#voted.push(batch)
    if (this.#voted.length > VOTED_BATCHES_MAX) this.#voted.shift()
  }

  /** A batch that this slot still needs, by digest. */
  batchFor(digest: Bytes): Batch | undefined {
    return batchAmong([this.batch, this.preparedBatch, ...this.#voted], digest)
  }
}

const batchAmong = (batches: readonly (Batch | undefined)[], digest: Bytes): Batch | undefined =>
  batches.find((batch) => batch !== undefined && equal(batch.digest, digest))
