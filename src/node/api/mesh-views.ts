/** What a screen is told of the node, its mesh and its ledger. */

export type IdentityState =
  /** No identity in this profile yet: the node only carries for others. */
  | "none"
  /** There is one; its vault has not been opened since the node started. */
  | "locked"
  | "open"

export interface PeerInfo {
  readonly peerId: string
  readonly address: string
  readonly direction: "inbound" | "outbound"
  /** `X25519MLKEM768` over TLS, or what was negotiated instead. */
  readonly encryption: string
  readonly postQuantum: boolean
  /** Whether the gossip link to this peer is up in both directions. */
  readonly gossip: boolean
}

export interface SyncProgress {
  readonly state: "idle" | "syncing"
  /** Envelopes fetched and known to be missing in the running round; both 0 when idle. */
  readonly done: number
  readonly total: number
}

/** How the ledger stands, as far as this peer can tell. */
export interface LedgerStatus {
  /** Height of the newest block that is verified and stored here. */
  readonly height: number
  readonly validators: number
  /** Signatures that make a block. */
  readonly quorum: number
  /** `observing`: a validator that must not vote yet. `halted`: one that has seen what must not be, and stopped. */
  readonly role: "following" | "validating" | "observing" | "halted"
  /** Other validators that this one exchanges votes with now; null at a follower. */
  readonly linked: number | null
  /** Blocks that others have shown and that are not here yet. */
  readonly behind: number
  /** Envelopes here without a place in the order. */
  readonly waiting: number
  /** Envelopes wait and no block comes: messages still go on, changes of keys and members wait. */
  readonly stalled: boolean
  /** What keeps this peer from its part until somebody does something. */
  readonly problem: LedgerProblem | null
}

export interface LedgerProblem {
  /**
   * `IMPOSSIBLE_STATE`: this validator met what cannot be and votes no more. `STOPPED`: its disk failed, or itself; the detail is a code.
   * `MEMORY_LOST`: what it signed is forgotten, and it is alone. `FORKED`: blocks are signed that do not stand on this peer's.
   */
  readonly code: "IMPOSSIBLE_STATE" | "STOPPED" | "MEMORY_LOST" | "FORKED"
  readonly detail: string
}

export interface LedgerView extends LedgerStatus {
  /** Digest of the validator set in force, hex. */
  readonly set: string
  readonly last: {
    readonly hash: string
    readonly parent: string
    readonly items: number
    readonly term: number
    readonly view: number
    /** Ed25519 keys of those who signed its certificate, hex. */
    readonly signers: readonly string[]
  } | null
}

/** A change of the mesh that operators decide; whoever holds a validator's key is one. */
export interface ProposalView {
  /** 64 hex digits; the beginning is enough to name it. */
  readonly id: string
  readonly kind: "validators" | "member-remove"
  /** Ed25519 keys, hex. `proved`: its holder has shown that the keys are there. */
  readonly add: readonly { readonly key: string; readonly proved: boolean }[]
  /** Ed25519 keys of validators, or a member's commitment; hex. */
  readonly remove: readonly string[]
  /** Ed25519 keys of the operators who have approved, hex. */
  readonly approvals: readonly string[]
  /** Approvals that make it an item of the ledger. */
  readonly needed: number
  /** This peer's operator is among them. */
  readonly own: boolean
  /** Terms for which its approvals still count. */
  readonly termsLeft: number
  /** The set that a change of the validators would make, and how many of them may lie; null for a change of the members. */
  readonly after: { readonly validators: number; readonly faulty: number } | null
  /** Ids of other open changes of the validators: one of all these comes into force, and the others lapse with the set they were approved in. */
  readonly rivals: readonly string[]
}

/** This installation among the members of its mesh, who post without work. */
export interface MembershipView {
  /** `joined`: the ledger has taken it; it counts (`member`) once the ledger's period has moved on twice. */
  readonly state: "none" | "joining" | "joined" | "member"
  /** Why the last try came to nothing; null when it did not. */
  readonly refusal: "VOUCHER_USED" | "BAD_VOUCHER" | null
  /** Hex; null while there is no secret. */
  readonly commitment: string | null
  /** What it may still post by proof in this period, of 32; beyond that messages cost work. Null where it is no `member`. */
  readonly left: number | null
}

export interface MemberView {
  /** Hex. */
  readonly commitment: string
  /** Where it stands in the tree. */
  readonly place: number
  /** What was used up to join, hex: for a voucher as `mesh.invite` names it. */
  readonly joinedBy: string
  readonly own: boolean
}

export interface ValidatorView {
  /** Null for one of the next term. */
  readonly seat: number | null
  /** `joining` and `leaving`: from the next term on. */
  readonly standing: "in force" | "joining" | "leaving"
  /** Ed25519 key, hex. */
  readonly key: string
  /** It is this peer's. */
  readonly own: boolean
  /** Whether votes flow between it and this validator; null at a follower. */
  readonly linked: boolean | null
}

export interface Status {
  readonly version: string
  readonly pid: number
  readonly profile: string
  readonly mesh: {
    readonly name: string
    readonly meshId: string
    readonly validators: number
  } | null
  readonly identity: IdentityState
  readonly address: string | null
  readonly name: string | null
  /** True when private records are sealed under a key that lies beside them (no passphrase was set). */
  readonly unprotected: boolean
  /** Nothing is on disk: everything is gone when the process ends. */
  readonly ephemeral: boolean
  readonly listen: readonly string[]
  readonly peers: readonly PeerInfo[]
  /** Why there are no peers and when the next attempt is; null while there are some. */
  readonly alone: { readonly reason: string; readonly retryInMs: number } | null
  readonly sync: SyncProgress
  /** Null in a mesh without validators, where nothing is ordered. */
  readonly ledger: LedgerStatus | null
  /** Null while there is no identity, or no ledger that could have members. */
  readonly membership: MembershipView | null
  /** Envelopes in the mailbox store. */
  readonly envelopes: number
  /** How far a profile that came out of a backup is complete, and what is known of that; null for any other. */
  readonly restored: RestoredView | null
  /** Own messages not yet taken by any peer. */
  readonly waiting: number
  /** Private records met so far that do not open any more, and are left out. */
  readonly damaged: number
}

export interface RestoredView {
  /** Everything ordered up to this height was in the backup; 0 in a mesh where nothing is ordered. */
  readonly height: number
  /**
   * `unchecked`: the validators have changed since the genesis; the chain will tell. `certified`: the genesis' validators signed that
   * block. `agreed`: the chain, checked here from the genesis on, holds it. `contradicted`: the chain holds another.
   */
  readonly standing: "unchecked" | "certified" | "agreed" | "contradicted"
}
