/** What chat needs of the node around it. */
import type { PlaceProof } from "../../consensus/place.ts"
import type { Address } from "../../crypto/address.ts"
import type { BlobRef } from "../../crypto/blob.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import type { Card } from "../../crypto/card.ts"
import { INTRO_FRAGMENTS_MAX } from "../../crypto/fragment.ts"
import type { Identity } from "../../crypto/identity.ts"
import type { Signing } from "../../crypto/session.ts"
import type { ApiEvent } from "../api/types.ts"
import type { ChatRecords } from "./records.ts"
import type { Clock } from "../clock.ts"
import type { KeyRing } from "../identity/key-ring.ts"
import type { Kept } from "../mailbox/shelf.ts"

/** As many as an invitation may take: below that, envelopes show nobody who belongs together. */
export const FAR_COMMIT_ENVELOPES = INTRO_FRAGMENTS_MAX
export const FAR_CONFIRM_SPREAD_MS = 100
export const FAR_FALLBACK_MS = 20_000
export const FAR_LOST_MS = 600_000

/** The mailbox as chat sees it; `Mailbox` is one. */
export interface ChatMailbox {
  /** What arrived after `seq`, oldest first. */
  entriesAfter(seq: number, limit: number): Promise<readonly Kept[]>
  /** Those of these envelopes (32-byte ids) that are not kept here. */
  missing(ids: readonly Bytes[]): Promise<readonly Bytes[]>
  /** These envelopes (32-byte ids), in their order; `undefined` for what is not here. */
  getMany(ids: readonly Bytes[]): Promise<readonly (Bytes | undefined)[]>
  /** Envelopes kept under a tag; usually none, seldom one. */
  byTag(tag: Bytes): Promise<readonly Kept[]>
  /** Keeps an envelope of our own and hands it to the peers; resolves with how many took it. Repeating is harmless. */
  post(envelope: Bytes): Promise<{ readonly peers: number }>
}

/** The ledger as chat sees it. */
export interface ChatLedger {
  /** Height of the newest block here. */
  height(): number
  /** Height at which an envelope was ordered, if it was. */
  orderedAt(id: Bytes): number | undefined
  /** What the blocks above a height ordered, oldest first. */
  blocksAfter(height: number, limit: number): Promise<readonly OrderedBlock[]>
  /** Looks at other peers for those of these envelopes that are not here; resolves when it has tried. */
  bring(ids: readonly Bytes[]): Promise<void>
}

export interface OrderedBlock {
  readonly height: number
  /** Envelope ids, in order. */
  readonly ids: readonly Bytes[]
}

/** What it takes to show a message to somebody outside. */
export interface ChatShowing {
  /** Of the mesh, as it is hashed. */
  readonly genesis: Bytes
  /** Those of these envelopes (32-byte ids) that are kept here, in their order. */
  envelopes(ids: readonly Bytes[]): Promise<readonly (Bytes | undefined)[]>
  /** Proves where they were ordered; undefined when one of them has no place. Absent in a mesh that orders nothing. */
  places?(ids: readonly Bytes[], signal: AbortSignal): Promise<PlaceProof | undefined>
}

/** Payloads too long for envelopes, which peers keep for others; `Blobs` is one. */
export interface ChatPayloads {
  /** Resolves when others can fetch it; waits for keepers as long as there are none. */
  put(payload: Bytes, signal: AbortSignal): Promise<BlobRef>
  /** Goes on trying until it is here. Throws BlobError BLOB_DAMAGED when it was made wrong. */
  get(ref: BlobRef, signal: AbortSignal): Promise<Bytes>
  /** Brings what lies here, own or fetched, to those keepers that have lost it. Throws BlobError BLOB_MISSING when it does not. */
  bringAgain(ref: BlobRef, signal: AbortSignal): Promise<void>
}

/** How commits travel in blobs (chat/confirmations.ts). */
export interface FarCommitRules {
  /** A commit that takes more envelopes lies in a blob. */
  readonly aboveEnvelopes: number
  /** Whoever may confirm one waits at random, at most so long for every member. */
  readonly spreadMs: number
  /** When it does not count so long after it was ordered, its author sends the same commit in envelopes. */
  readonly fallbackMs: number
  /** When its bytes cannot be had for so long after it counts, the members are asked to let us in anew. */
  readonly lostMs: number
}

const FAR_COMMIT_RULES: FarCommitRules = {
  aboveEnvelopes: FAR_COMMIT_ENVELOPES,
  spreadMs: FAR_CONFIRM_SPREAD_MS,
  fallbackMs: FAR_FALLBACK_MS,
  lostMs: FAR_LOST_MS,
}

/** As usual, but for what these parts say otherwise. */
export const farCommitRules = ({ farCommits }: Pick<ChatParts, "farCommits">): FarCommitRules => ({
  ...FAR_COMMIT_RULES,
  ...farCommits,
})

export interface ChatParts {
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly me: Address
  /** As it is at the moment: rotation replaces it. */
  readonly identity: Identity
  /** What opens first contacts. */
  readonly keys: KeyRing
  readonly records: ChatRecords
  readonly mailbox: ChatMailbox
  /**
   * The verified current card of an address, or `undefined` while nobody has it. `fresh`: one of some minutes ago will not do. `recall`: the
   * encoded card of a SHA3-256 hash, where one is kept that need not be fetched again.
   */
  readonly findCard: (
    address: Address,
    signal: AbortSignal,
    fresh?: boolean,
    recall?: (cardHash: Bytes) => Promise<Bytes | undefined>,
  ) => Promise<Card | undefined>
  /**
   * The key package to add a card's owner with, to a group that signs so: a one-time one if there is any, else a last-resort one.
   * `undefined` when none was found, which for composite signatures may be because they have none.
   */
  readonly findKeyPackage: (
    card: Card,
    signing: Signing,
    signal: AbortSignal,
  ) => Promise<Bytes | undefined>
  /**
   * Fills in the admission fields of one payload's envelopes: proves membership, or mines. Aborts with the signal's reason. Never
   * give it envelopes of two payloads: a proof would link them.
   */
  readonly admit: (envelopes: readonly Bytes[], signal: AbortSignal) => Promise<readonly Bytes[]>
  /** Whether this envelope's admission has lost its worth, so that no peer would take it any more. */
  readonly isStale: (envelope: Bytes) => boolean
  readonly clock: Clock
  readonly emit: (event: ApiEvent) => void
  /** Most texts kept, of all threads together; the oldest are forgotten. Without it there is no end. */
  readonly textsMax?: number
  /** Whether a key package is of before a restore: the old peer may have joined groups with it, and gone on in them. */
  readonly isRetired?: (keyPackage: Bytes) => boolean
  /** Up to this height everything was in the backup that this profile came out of. */
  readonly restoredAt?: () => number | undefined
  /** One line for the log; never holds a secret, a name or an address. */
  readonly log: (line: string) => void
  /**
   * Who says when a commit counts. In a mesh without a ledger an envelope is ordered when it arrives; with one, chat goes through the
   * ledger's blocks, which `ledger` gives.
   */
  readonly order: "arrival" | "ledger"
  /** Nothing goes on here: a command looks at what is there. */
  readonly readsOnly?: boolean
  readonly ledger?: ChatLedger
  /** Without it nobody is invited into groups, nor comes into ones, whose Welcome is too long for envelopes, and commits travel in those. */
  readonly payloads?: ChatPayloads
  /** Where commits travel in blobs by other rules than usual. */
  readonly farCommits?: Partial<FarCommitRules>
  /** Without it nothing is exported. */
  readonly showing?: ChatShowing
}
