/**
 * The words of the protocol: items, messages, certificates, and what goes into and comes out of the core. Names are the
 * paper's (Castro and Liskov, OSDI '99); README.md says where we differ. Encodings are in `codec`.
 */
import type { Bytes } from "../crypto/bytes.ts"

/** A validator's public keys: Ed25519 (32 bytes), ML-DSA-65 (1952) and SLH-DSA-SHA2-128s (32). */
export interface ValidatorKeys {
  readonly ed25519: Bytes
  readonly mlDsa65: Bytes
  readonly slhDsa: Bytes
}

/** One operator's signature under a mesh change: seat in the set of the item's term, signature over the item's subject. */
export interface Approval {
  readonly signer: number
  readonly signature: Bytes
}

/**
 * An envelope's place in the order. `spend` is what its admission used up. With a membership proof it is 31 bytes that stand
 * for the nullifier and one for the key index, and `root` (16 bytes) stands for the key root the nullifier is bound to; with
 * proof of work there is no root.
 */
export interface EnvelopeItem {
  readonly type: "envelope"
  readonly id: Bytes
  readonly spend: Bytes
  readonly root?: Bytes
}
/** A new member. `voucher` (32 bytes) is used up; `evidence` is what admission checked. */
export interface MemberAddItem {
  readonly type: "member-add"
  readonly commitment: Bytes
  readonly voucher: Bytes
  readonly evidence: Bytes
}
export interface MemberRemoveItem {
  readonly type: "member-remove"
  readonly commitment: Bytes
  /** The term whose set approves. */
  readonly term: number
  readonly approvals: readonly Approval[]
}
export interface NewValidator {
  readonly keys: ValidatorKeys
  /** The new key's own signature over the item's subject. */
  readonly possession: Bytes
}
/** A change of the validator set, from the next term on. `remove` names Ed25519 keys. */
export interface ValidatorsItem {
  readonly type: "validators"
  readonly add: readonly NewValidator[]
  readonly remove: readonly Bytes[]
  readonly term: number
  readonly approvals: readonly Approval[]
}
/** The ledger's clock moves on to `period`. */
export interface TickItem {
  readonly type: "tick"
  readonly period: number
}
export type Item = EnvelopeItem | MemberAddItem | MemberRemoveItem | ValidatorsItem | TickItem

/** The items of one block in order, with their encoding and its digest D. Empty: the null batch. */
export interface Batch {
  readonly items: readonly Item[]
  readonly bytes: Bytes
  readonly digest: Bytes
}

export type VoteType = "pre-prepare" | "prepare" | "commit" | "checkpoint"

/** What PRE-PREPARE, PREPARE, COMMIT and CHECKPOINT have in common: all of it is signed. */
export interface Vote<Type extends VoteType = VoteType> {
  readonly type: Type
  readonly term: number
  /** 0 in a CHECKPOINT. */
  readonly view: number
  readonly height: number
  /** D in PRE-PREPARE and PREPARE, the block hash B in COMMIT and CHECKPOINT. */
  readonly digest: Bytes
  readonly signer: number
  readonly signature: Bytes
}
/** The batch travels beside the proposal, unsigned, and is checked against D. */
export interface PrePrepare extends Vote<"pre-prepare"> {
  readonly batch?: Batch
}
export type Prepare = Vote<"prepare">
export type Commit = Vote<"commit">
export type Checkpoint = Vote<"checkpoint">

export interface Signed {
  readonly signer: number
  readonly signature: Bytes
}
/** Signatures of distinct members, in the order of their seats, over one COMMIT or CHECKPOINT. */
export interface Certificate {
  readonly type: "commit" | "checkpoint"
  readonly term: number
  readonly view: number
  readonly height: number
  readonly digest: Bytes
  readonly signatures: readonly Signed[]
}

/** Section 2.3.2 of the OSDI paper's P: the PRE-PREPARE and the matching PREPAREs of distinct backups of that view. */
export interface PreparedProof {
  readonly height: number
  readonly view: number
  readonly digest: Bytes
  /** The primary's signature under its PRE-PREPARE. */
  readonly proposal: Bytes
  readonly prepares: readonly Signed[]
}
export interface ViewChange {
  readonly type: "view-change"
  readonly term: number
  /** The view it asks for. */
  readonly view: number
  /** Proof of the last block executed in this term; none when that is the term's start. Stands for the paper's C. */
  readonly tip?: Certificate
  /** The paper's P: one proof for each slot above the tip that prepared, by height. */
  readonly prepared: readonly PreparedProof[]
  readonly signer: number
  readonly signature: Bytes
}
/** A PRE-PREPARE of the new view: the rest of it is the NEW-VIEW's. */
export interface Reproposal {
  readonly height: number
  readonly digest: Bytes
  readonly signature: Bytes
}
export interface NewView {
  readonly type: "new-view"
  readonly term: number
  readonly view: number
  /** The paper's V: a quorum of VIEW-CHANGEs for this view, by seat. */
  readonly changes: readonly ViewChange[]
  /** The paper's O, by height without a gap. */
  readonly proposals: readonly Reproposal[]
  readonly signer: number
  readonly signature: Bytes
}

/** A hash-based signature under a term's boundary block: outlives both halves of the hybrid. Not needed to go on. */
export interface Seal {
  readonly type: "seal"
  readonly term: number
  readonly height: number
  readonly digest: Bytes
  readonly signer: number
  readonly signature: Bytes
}

/** What a sender has of one slot, so that others can send what it lacks. */
export interface SlotStatus {
  readonly proposal: boolean
  readonly prepares: Bytes
  readonly commits: Bytes
}
/** Where the sender is. Unsigned and believed in nothing: it only says what to send it. */
export interface Status {
  readonly type: "status"
  readonly term: number
  readonly view: number
  readonly changing: boolean
  readonly executed: number
  /** A number to be sent back at once, or 0: an observer that must know how old an answer is. */
  readonly ask: number
  /** The number that this answers, or 0. */
  readonly answer: number
  readonly changes: Bytes
  readonly checkpoints: Bytes
  /** Slots from `executed + 1` on. */
  readonly slots: readonly SlotStatus[]
}
export interface Fetch {
  readonly type: "fetch"
  readonly term: number
  readonly height: number
  readonly digest: Bytes
}
export interface BatchAnswer {
  readonly type: "batch"
  readonly term: number
  readonly height: number
  readonly batch: Batch
}
/** A block and its proof, as stored and as sent. */
export interface BlockRecord {
  readonly height: number
  readonly parent: Bytes
  readonly stateRoot: Bytes
  readonly batch: Batch
  readonly certificate: Certificate
}
export interface Blocks {
  readonly type: "blocks"
  readonly records: readonly BlockRecord[]
  /** Proof that the term of the last record, or the one before, has ended. */
  readonly checkpoint?: Certificate
  /** Never on the wire: a driver took an answer apart, and the rest of it follows. */
  readonly isPart?: true
}
/** Items the sender waits for: those who do not know them fetch them. */
export interface Request {
  readonly type: "request"
  readonly items: readonly Item[]
}
/** Two messages that no correct validator signs both. */
export interface Evidence {
  readonly type: "evidence"
  readonly first: Vote
  readonly second: Vote
}

export type SignedMessage = PrePrepare | Prepare | Commit | Checkpoint | ViewChange | NewView | Seal
export type RepairMessage = Status | Fetch | BatchAnswer | Blocks | Request | Evidence
export type Message = SignedMessage | RepairMessage
export type MessageType = Message["type"]

declare const verified: unique symbol
/** A message whose signatures and proofs were checked. Only `verify` makes one. */
export type Verified<M extends Message = Message> = M & { readonly [verified]: true }

/** A peer is wrong: `reject` costs it standing, `ignore` does not. */
export interface Wrong {
  readonly verdict: "ignore" | "reject"
  readonly code: string
}

/** Who a message came from, in the driver's own numbering. The core only hands it back. */
export type Peer = number

export type TimerName = "request" | "view" | "status" | "tick" | "pace" | "fill"

export type Input =
  | { readonly type: "message"; readonly from: Peer; readonly message: Verified }
  | { readonly type: "timeout"; readonly timer: TimerName; readonly token: number }
  /** Items that this node holds and has admitted: they may be ordered. */
  | { readonly type: "admit"; readonly items: readonly Item[] }
  /** Items whose content this node holds but would not admit itself; enough where a quorum admitted them. */
  | { readonly type: "hold"; readonly items: readonly Item[] }
  /** Ids that admission no longer stands behind (a proof whose period has passed). */
  | { readonly type: "withdraw"; readonly items: readonly Item[] }
  | { readonly type: "sealed"; readonly height: number; readonly signature: Bytes }
  /** The operator's word: a halted validator may vote after the next start, one that is alone and forgot its votes at once. */
  | { readonly type: "resume" }

/** What the log holds, in the order it was written. */
export type LogRecord =
  | { readonly kind: "proposal"; readonly message: PrePrepare }
  | { readonly kind: "vote"; readonly message: Prepare | Commit | Checkpoint }
  | { readonly kind: "prepared"; readonly proof: PreparedProof }
  | { readonly kind: "view-change"; readonly message: ViewChange }
  | { readonly kind: "new-view"; readonly message: NewView }
  /** Infinity: not known yet from which. */
  | { readonly kind: "observer"; readonly voteFromTerm: number }
  /** No vote after this one, whatever is started again. */
  | { readonly kind: "halted"; readonly code: HaltCode; readonly detail: string }
  /** The operator's word that it may try again. */
  | { readonly kind: "resumed" }

export const HALT_CODES = [
  "TWO_CERTIFICATES",
  "STATE_DIVERGED",
  "TWO_PREPARED",
  "DECIDED_OTHERWISE",
] as const
export type HaltCode = (typeof HALT_CODES)[number]

/**
 * Carried out in order. No output of a step leaves before everything the step (and any before it) persisted is synced.
 */
export type Output =
  /** Into the log of this term. */
  | { readonly type: "persist"; readonly term: number; readonly record: LogRecord }
  /** A decided block: store it durably. */
  | { readonly type: "store"; readonly record: BlockRecord }
  /** A stable boundary checkpoint: store it durably; log records of this term and before may go. */
  | { readonly type: "stable"; readonly certificate: Certificate }
  | { readonly type: "send"; readonly to: Peer; readonly message: Message }
  /** To every other validator of the term. */
  | { readonly type: "broadcast"; readonly message: Message }
  /** Blocks above `after`, from the store, as one `blocks` message, with the newest boundary checkpoint that is needed. */
  | { readonly type: "serve"; readonly to: Peer; readonly after: number }
  /** Feed back as a timeout with this token after so long. A stale token is ignored, so nothing is ever cancelled. */
  | {
      readonly type: "timer"
      readonly timer: TimerName
      readonly token: number
      readonly afterMs: number
    }
  | { readonly type: "deliver"; readonly record: BlockRecord; readonly applied: readonly Item[] }
  /** Fetch and admit (or at least hold) these: a proposal names them. */
  | { readonly type: "want"; readonly items: readonly Item[] }
  /** Votes and messages of this term are taken from now on. */
  | { readonly type: "term"; readonly term: number }
  /** This validator does not vote before the term (Infinity: not known yet which). */
  | { readonly type: "observe"; readonly voteFromTerm: number; readonly reason: string }
  | {
      readonly type: "blame"
      readonly signer: number
      readonly code: string
      readonly evidence?: Evidence
    }
  /** This peer sent a block with a certificate of the open term (or the next) that is none: no honest one would have. */
  | { readonly type: "lie"; readonly from: Peer; readonly code: string }
  /** Have these bytes signed with SLH-DSA off the event loop, and feed back `sealed`. */
  | { readonly type: "seal"; readonly height: number; readonly preimage: Bytes }
  | { readonly type: "halt"; readonly code: HaltCode; readonly detail: string }
