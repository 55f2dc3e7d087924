/**
 * What a node offers to the people in front of it: the terminal chat, the command line and bots all speak exactly this, as
 * JSON-RPC 2.0 over the profile's Unix socket. Types only. Times are milliseconds since 1970 and exist only on this side of
 * the vault. Text that came from other people is raw here: whoever draws it neutralises it first.
 */

/** No parameters, or nothing to tell beyond success. */
export type Nothing = Readonly<Record<string, never>>

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
}

/** This installation among the members of its mesh, who post without work. */
export interface MembershipView {
  /** `joined`: the ledger has taken it; it counts (`member`) once the ledger's period has moved on twice. */
  readonly state: "none" | "joining" | "joined" | "member"
  /** Why the last try came to nothing; null when it did not. */
  readonly refusal: "VOUCHER_USED" | "BAD_VOUCHER" | null
  /** Hex; null while there is no secret. */
  readonly commitment: string | null
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

/** How far a message of ours provably got; in this order. Others' messages are always `delivered`. */
export type DeliveryState = "queued" | "gossiped" | "ordered" | "delivered" | "read" | "failed"

export interface IdentityKeys {
  /** The card's number; it grows with every rotation. */
  readonly sequence: number
  /** When the current keys were made, and when they are replaced. */
  readonly sinceMs: number
  readonly untilMs: number
  /** Until when the keys of earlier cards open late mail, newest card first. */
  readonly oldUntilMs: readonly number[]
  /** One-time key packages that nobody has used yet. */
  readonly onOffer: number
}

export interface Contact {
  readonly address: string
  /** Petname: what this profile calls them. */
  readonly name: string
  /** What they call themselves; null until they said so. */
  readonly theirName: string | null
  /** `request`: they wrote first and were not accepted yet. `pending`: added here, their card is not found yet. */
  readonly state: "request" | "pending" | "accepted" | "blocked"
  /** The safety number was compared. */
  readonly verified: boolean
  /**
   * Address of another contact whose name this one came with: another identity, whoever it is. Nothing goes out to them until the user
   * decides: `contacts.verify`, `contacts.accept` with `anyway`, or `contacts.block`. Null when there is nothing to decide.
   */
  readonly claims: string | null
}

export interface Message {
  /** 32 hex digits, chosen by the author. */
  readonly id: string
  readonly thread: string
  /** Address of the author. */
  readonly author: string
  /** How to call the author; empty for ourselves. Somebody who is no contact is called as they call themselves, with the end of their address. */
  readonly authorName: string
  readonly mine: boolean
  readonly text: string
  /** The author's clock. */
  readonly sentAtMs: number
  readonly state: DeliveryState
  /** Why it failed, as a stable code; null unless `failed`. */
  readonly failure: string | null
  /** Of ours in a group: how many of its members confirmed it; `delivered` is when all did. Null elsewhere. */
  readonly receipts: { readonly got: number; readonly of: number } | null
  /** Settled before something that had been shown already. */
  readonly late: boolean
  /** The file that it brings, if any: name made safe, size, and what its author says it is. */
  readonly file: { readonly name: string; readonly size: number; readonly type: string } | null
  /** Position in the thread's order; opaque, sortable as a string, usable as a page cursor. */
  readonly position: string
}

export interface ThreadSummary {
  /** 32 hex digits. */
  readonly id: string
  readonly kind: "pair" | "group"
  readonly title: string
  /** Addresses of the others. */
  readonly members: readonly string[]
  readonly unread: number
  readonly last: Message | null
  /** True while the first contact, or somebody's invitation into a group, waits for acceptance here. */
  readonly request: boolean
  /** A group that we are out of. */
  readonly left: boolean
}

export interface Member {
  readonly address: string
  /** How to call them; empty for ourselves. */
  readonly name: string
  /** What they call themselves; null until they said so in this group. */
  readonly theirName: string | null
  readonly me: boolean
  readonly admin: boolean
  /** They have been heard of in this group; until then they were added and may not know. */
  readonly here: boolean
  /** Their card was found and names the key that they write with here. Until then only whoever added them says who they are. */
  readonly vouched: boolean
}

/** Asked for here and not so in the group yet. */
export interface PendingChange {
  readonly kind: "add" | "remove" | "rename" | "admin" | "renew" | "leave"
  readonly who: string | null
  readonly whoName: string | null
  readonly name: string | null
  readonly admin: boolean | null
}

export interface GroupView {
  readonly thread: string
  readonly name: string
  readonly state: "open" | "request" | "left"
  /** Changes of the group so far, from its founding on. */
  readonly epoch: number
  /** We may add, remove and rename. */
  readonly admin: boolean
  /** Address of whoever let us in; null when the group is our own. */
  readonly invitedBy: string | null
  readonly members: readonly Member[]
  readonly pending: readonly PendingChange[]
  /** A change is on its way and has no place in the order yet. */
  readonly changing: boolean
}

export interface Page {
  /** In thread order, oldest first. */
  readonly messages: readonly Message[]
  /** Cursor for the page before this one; null at the beginning of the thread. */
  readonly before: string | null
}

/** Whom a ticket names as the one who handed it out; the name is what they call themselves, and may be empty. */
export interface Inviter {
  readonly address: string
  readonly name: string
}

/** A file that a message brought. */
export interface FileView {
  /** The message's. */
  readonly id: string
  readonly thread: string
  readonly author: string
  readonly mine: boolean
  readonly sentAtMs: number
  /** Made safe: fit to be shown, and to be a file's name. */
  readonly name: string
  readonly size: number
  /** A media type, as the author claims it. */
  readonly type: string
}

/** A file on its way, or one that has been lately. */
export interface Transfer {
  /** The message's. */
  readonly id: string
  readonly thread: string
  readonly direction: "up" | "down"
  readonly name: string
  readonly size: number
  /** `sealing` and `uploading` one of ours, `downloading` and `saving` one of theirs. */
  readonly state: "sealing" | "uploading" | "downloading" | "saving" | "done" | "failed"
  /** Bytes of the file that this state is done with. */
  readonly done: number
  readonly bytesPerS: number
  /** Seconds left at that speed; null while nothing moves. */
  readonly leftS: number | null
  /** Where it was saved, once it was. */
  readonly path: string | null
  /** Why it failed, as a stable code. */
  readonly failure: string | null
}

/** An image small enough for a terminal. */
export interface Preview {
  readonly width: number
  readonly height: number
  /** Three bytes a pixel, row by row, in base64. */
  readonly rgb: string
}

/** `contact` parameters take an address, a petname, or a unique prefix of either (8 characters of an address at least). */
export interface Methods {
  status: { params: Nothing; result: Status }
  /**
   * Founds a mesh (no ticket) or joins one, then makes the identity. `passphrase: null` leaves the vault unprotected. Whoever the
   * ticket names as its inviter is told and not added: that is for the newcomer to decide (`contacts.add` takes the ticket).
   */
  "profile.create": {
    params: { name: string; passphrase: string | null; ticket?: string }
    result: { address: string; ticket: string; inviter: Inviter | null }
  }
  /**
   * Joins (or founds, without a ticket) a mesh without making an identity: what a relay does. Founding: `validators` are public keys as `validator.key` gives them; none at all leaves the mesh without an order, and without
   * the parameter this peer is the one validator.
   */
  "mesh.join": {
    params: {
      ticket?: string
      name?: string
      validators?: readonly string[]
      /** Founding: whether work entitles to membership as well as an invitation. */
      open?: boolean
      /** Founding: least work for an envelope of somebody who is no member, in bits. */
      powBits?: number
    }
    result: { meshId: string; inviter: Inviter | null }
  }
  /** This peer's public validator key in one word, for whoever founds a mesh with it; made when there is none. */
  "validator.key": { params: Nothing; result: { key: string } }
  "validators.list": { params: Nothing; result: { validators: readonly ValidatorView[] } }
  /** Proposes a change of the validators with this operator's approval: public keys to add, Ed25519 keys (or their beginning) to remove. */
  "validators.propose": {
    params: { add: readonly string[]; remove: readonly string[] }
    result: { proposal: ProposalView }
  }
  /** Open proposals, of validators' and of members' changes, oldest first. */
  "proposals.list": { params: Nothing; result: { proposals: readonly ProposalView[] } }
  "proposals.approve": { params: { proposal: string }; result: { proposal: ProposalView } }
  "ledger.show": { params: Nothing; result: LedgerView }
  /** Checks the whole stored chain again from the genesis. `fault`: why the block after `height` is none; null when all are. */
  /** The operator's word that this validator may vote again: at once, or from the next start on. */
  "ledger.resume": { params: Nothing; result: { readonly resumed: "now" | "next-start" | "no" } }
  "ledger.verify": { params: Nothing; result: { height: number; fault: string | null } }
  /** A ticket to hand on: the mesh, this peer's addresses, and the own address when there is one. */
  "mesh.ticket": { params: Nothing; result: { ticket: string } }
  /** Tickets that each make one new member; an operator's to give. `voucher` is what `members.list` will know it by, hex. */
  "mesh.invite": {
    params: { count: number }
    result: { tickets: readonly { readonly ticket: string; readonly voucher: string }[] }
  }
  /** In the order of joining. */
  "members.list": {
    params: Nothing
    result: { members: readonly MemberView[]; own: MembershipView }
  }
  /**
   * Makes this installation a member: by the ticket's voucher, or without a ticket by work, where the mesh is open. Answers when
   * the ledger has taken it, or after half a minute; it goes on then.
   */
  "members.join": { params: { ticket?: string }; result: { own: MembershipView } }
  /** Gives up the work that `members.join` does. */
  "members.cancel": { params: Nothing; result: { own: MembershipView } }
  /** Proposes that a member leaves: by the beginning of its commitment or of what it joined by. */
  "members.revoke": { params: { member: string }; result: { proposal: ProposalView } }
  /** `path`: absolute, on the node's machine. The passphrase is the backup's own. `damaged`: private records left out, unreadable. */
  "backup.write": {
    params: { path: string; passphrase: string; replace?: boolean }
    result: {
      bytes: number
      records: number
      damaged: number
      /** Complete up to this height; null in a mesh where nothing is ordered. */
      height: number | null
      /** This peer validates, and its validator keys are not in the backup. */
      validator: boolean
    }
  }
  unlock: { params: { passphrase: string }; result: { address: string } }
  id: { params: Nothing; result: { address: string; name: string } }
  /** The operational keys behind the address, and how old they are. */
  "identity.show": { params: Nothing; result: IdentityKeys }
  /**
   * New operational keys and a new card, at once; contacts notice nothing. `forgetOld`: the keys of earlier cards stop opening mail and
   * are destroyed, for whoever fears that they were stolen.
   */
  "identity.rotate": { params: { forgetOld?: boolean }; result: IdentityKeys }
  "contacts.list": { params: Nothing; result: { contacts: readonly Contact[] } }
  /** `code`: an address or an invite ticket of this mesh that names its inviter. */
  "contacts.add": { params: { code: string; name?: string }; result: { contact: Contact } }
  "contacts.remove": { params: { contact: string }; result: Nothing }
  /** `anyway`: in spite of what `claims` says; without it that is IDENTITY_CHANGED. */
  "contacts.accept": { params: { contact: string; anyway?: boolean }; result: { contact: Contact } }
  "contacts.block": { params: { contact: string }; result: { contact: Contact } }
  "contacts.rename": { params: { contact: string; name: string }; result: { contact: Contact } }
  /**
   * Founds a group with these contacts. It is there at once; whoever was asked in follows when the ledger has ordered it. Throws
   * NO_LEDGER in a mesh without one: there two people could change the group at once and it would fall apart.
   */
  "groups.create": {
    params: { name: string; members: readonly string[] }
    result: { group: GroupView }
  }
  /** `group`: a thread id, or a group's name or its unique beginning; `member` and `members`: contacts, or addresses of members. */
  "groups.show": { params: { group: string }; result: { group: GroupView } }
  /** Changes come about when the ledger has ordered them; until then they stand in `pending`. NOT_ADMIN, NOT_A_MEMBER. */
  "groups.add": {
    params: { group: string; members: readonly string[] }
    result: { group: GroupView }
  }
  "groups.remove": { params: { group: string; member: string }; result: { group: GroupView } }
  "groups.rename": { params: { group: string; name: string }; result: { group: GroupView } }
  "groups.admin": {
    params: { group: string; member: string; admin: boolean }
    result: { group: GroupView }
  }
  /** Into a group that a stranger added us to. */
  "groups.accept": { params: { group: string }; result: { group: GroupView } }
  /** Out of it: the others are asked to remove us, and our own keys of it are destroyed. */
  "groups.leave": { params: { group: string }; result: { group: GroupView } }
  /** Erases what was said from this profile, and shows the thread again when something is said in it. Others keep theirs. */
  "threads.hide": { params: { thread: string }; result: Nothing }
  /** 60 digits that both sides see alike. */
  "contacts.safety": { params: { contact: string }; result: { contact: Contact; number: string } }
  /** Marks as verified if `number` is theirs, digit for digit, which also decides what they claim; NUMBER_DIFFERS if not. */
  "contacts.verify": { params: { contact: string; number: string }; result: { contact: Contact } }
  "contacts.unverify": { params: { contact: string }; result: { contact: Contact } }
  "threads.list": { params: Nothing; result: { threads: readonly ThreadSummary[] } }
  /** Newest page without `before`; `limit` 1 to 500. `thread` takes a thread id or a contact. */
  "messages.page": { params: { thread: string; before?: string; limit: number }; result: Page }
  /** `to`: a thread id or a contact. `id` makes a repeated call harmless. Durable when it returns. */
  "messages.send": {
    params: { to: string; text: string; id?: string }
    result: { message: Message }
  }
  /** Tries again what failed. */
  "messages.retry": { params: { id: string }; result: { message: Message } }
  /**
   * Reads the file at an absolute path of this machine and sends it: sealed when it returns, then the node does the rest, also
   * after a restart. The message with the text, if any, goes once others can read the file; it has the transfer's id.
   */
  "files.send": {
    params: { to: string; path: string; text?: string; id?: string }
    result: { transfer: Transfer }
  }
  /** Files that messages brought, the newest first. */
  "files.list": {
    params: { thread?: string; limit?: number }
    result: { files: readonly FileView[] }
  }
  /**
   * Fetches a message's file and writes it into a folder of this machine, under its safe name or `name` made safe; never over
   * something that is there without `overwrite`. Under way when it returns.
   */
  "files.save": {
    params: { id: string; directory: string; name?: string; overwrite?: boolean }
    result: { transfer: Transfer }
  }
  /** The image in a message's file, made to fit; fetched if it is not here. */
  "files.preview": { params: { id: string; width: number; height: number }; result: Preview }
  /** Calls off a transfer. */
  "files.cancel": { params: { id: string }; result: Nothing }
  "transfers.list": { params: Nothing; result: { transfers: readonly Transfer[] } }
  /** Everything up to and including this position has been read. */
  "threads.read": { params: { thread: string; through: string }; result: Nothing }
  /** From now on this connection receives `event` notifications. */
  subscribe: { params: Nothing; result: { status: Status } }
  stop: { params: Nothing; result: Nothing }
}

export type Method = keyof Methods
export type Params<M extends Method> = Methods[M]["params"]
export type Result<M extends Method> = Methods[M]["result"]

/** Sent as JSON-RPC notifications, method `event`. Status events are coalesced to at most ten a second. */
export type ApiEvent =
  | { readonly type: "status"; readonly status: Status }
  | { readonly type: "message"; readonly message: Message }
  | {
      readonly type: "delivery"
      readonly thread: string
      readonly id: string
      readonly state: DeliveryState
      readonly failure: string | null
      readonly receipts: Message["receipts"]
    }
  | { readonly type: "thread"; readonly thread: ThreadSummary }
  | { readonly type: "thread-removed"; readonly thread: string }
  | { readonly type: "contact"; readonly contact: Contact }
  | { readonly type: "contact-removed"; readonly address: string }
  | { readonly type: "transfer"; readonly transfer: Transfer }
  /** Something that takes over a second: creating an identity, mining, migrating. `done` = total when finished. */
  | {
      readonly type: "progress"
      readonly what: string
      readonly done: number
      readonly total: number
    }

/** What both an attached client and an embedded node are to a screen or a command. */
export interface Api {
  call<M extends Method>(
    method: M,
    params: Params<M>,
    options?: { signal?: AbortSignal },
  ): Promise<Result<M>>
  /** Subscribes; the returned function ends it. */
  events(listener: (event: ApiEvent) => void): () => void
  /** Called once when the node has gone away; the returned function takes the listener back. */
  closed(listener: (reason: string) => void): () => void
  close(): Promise<void>
}

/**
 * Errors a call can end in. `code` is stable; a screen maps it to a sentence and a next step.
 * In JSON-RPC: error code -32000, `data: {code, hint?}`.
 */
export type ApiErrorCode =
  | "NO_MESH"
  /** The mesh has no validators. */
  | "NO_LEDGER"
  /** Only an operator can do this, and this peer is no validator. */
  | "NOT_OPERATOR"
  | "UNKNOWN_PROPOSAL"
  | "UNKNOWN_MEMBER"
  /** Only an invitation makes members of this mesh, and there is none. */
  | "NOT_INVITED"
  /** The invitation's voucher has made a member already. */
  | "VOUCHER_USED"
  /** No operator vouches for it, or it is damaged. */
  | "BAD_VOUCHER"
  | "UNKNOWN_VALIDATOR"
  /** The ledger's state forbids this change now. */
  | "CHANGE_REFUSED"
  | "NO_IDENTITY"
  | "LOCKED"
  | "ALREADY_EXISTS"
  | "WRONG_PASSPHRASE"
  | "WEAK_PASSPHRASE"
  | "BAD_TICKET"
  | "OTHER_MESH"
  /** Nobody at the ticket's addresses answered. */
  | "UNREACHABLE"
  | "BAD_ADDRESS"
  | "UNKNOWN_CONTACT"
  | "AMBIGUOUS_CONTACT"
  | "UNKNOWN_THREAD"
  | "UNKNOWN_MESSAGE"
  | "BLOCKED_CONTACT"
  /** The thread is one of two. */
  | "NOT_A_GROUP"
  | "NOT_ADMIN"
  /** Not in the group, or not any more. */
  | "NOT_A_MEMBER"
  /** Somebody runs a group: its last admin names another first. */
  | "LAST_ADMIN"
  | "GROUP_FULL"
  /** Somebody goes by the name of another contact, and the user has not decided about it. */
  | "IDENTITY_CHANGED"
  /** The safety number compared is not the one of this contact. */
  | "NUMBER_DIFFERS"
  /** The message brings no file. */
  | "NOT_A_FILE"
  /** Of this machine: no such file, or not a regular one, or it may not be read. */
  | "NO_FILE"
  | "NO_FOLDER"
  | "FILE_EXISTS"
  /** While it was being read. */
  | "FILE_CHANGED"
  | "FILE_TOO_LARGE"
  | "FILE_FAILED"
  | "CANCELLED"
  | "BLOB_TOO_LARGE"
  /** What the author sealed does not fit together. */
  | "BLOB_DAMAGED"
  /** Nobody who is there has it. */
  | "BLOB_MISSING"
  | "BLOBS_FULL"
  | "NOT_AN_IMAGE"
  | "IMAGE_TOO_LARGE"
  | "IMAGE_DAMAGED"
  | "MESSAGE_TOO_LONG"
  | "MESSAGE_EMPTY"
  | "QUEUE_FULL"
  | "BAD_PARAMS"
  | "UNKNOWN_METHOD"
  | "BUSY"
  /** A file that a person named cannot be read or written. */
  | "BAD_FILE"
  /** No whole backup: altered, or cut off. */
  | "BAD_BACKUP"
  | "STORE_DAMAGED"
  | "STORE_NEWER"
  | "DISK_FULL"
  | "STOPPING"
  | "GONE"
  | "INTERNAL"
