/** Every method of the API, with what it takes and gives. */
import type { ExportMade } from "./export-views.ts"
import type { FileView, Preview, Transfer } from "./file-views.ts"
import type {
  LedgerView,
  MemberView,
  MembershipView,
  ProposalView,
  RestoredView,
  Status,
  ValidatorView,
} from "./mesh-views.ts"
import type { Contact, IdentityKeys, Inviter } from "./people-views.ts"
import type { SearchAnswer } from "./search-views.ts"
import type { GroupView, Message, Page, ThreadSummary } from "./thread-views.ts"

/** No parameters, or nothing to tell beyond success. */
export type Nothing = Readonly<Record<string, never>>

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
   * The identity, history and mesh of a backup, for a profile that holds nobody yet. `path`: absolute, on the node's machine. The vault
   * opens with the backup's passphrase from then on.
   */
  "profile.restore": {
    params: { path: string; passphrase: string }
    result: {
      address: string
      name: string
      height: number
      standing: RestoredView["standing"]
    }
  }
  /**
   * Joins (or founds, without a ticket) a mesh without making an identity: what a relay does. Founding: `validators` are public keys
   * as `validator.key` gives them; none at all leaves the mesh without an order, and without the parameter this peer is the one
   * validator.
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
      /** Founding: the least that a period of the ledger lasts. */
      periodSeconds?: number
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
  /** The operator's word that this validator may vote again: at once, or from the next start on. */
  "ledger.resume": { params: Nothing; result: { readonly resumed: "now" | "next-start" | "no" } }
  /** Checks the whole stored chain again from the genesis. `fault`: why the block after `height` is none; null when all are. */
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
   * Makes this installation a member: by the ticket's voucher; without a ticket by a voucher of its own where it is an operator's, or
   * by work where the mesh is open. Answers when the ledger has taken it, or after half a minute; it goes on then.
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
  /**
   * `postQuantumSignatures`: what the two say to each other is signed so from here on, and there is no way back but to remove them. For
   * somebody who is a contact already, too. NO_POST_QUANTUM_KEY while our own identity has no key for it.
   */
  "contacts.add": {
    params: { code: string; name?: string; postQuantumSignatures?: boolean }
    result: { contact: Contact }
  }
  "contacts.remove": { params: { contact: string }; result: Nothing }
  /** `anyway`: in spite of what `claims` says; without it that is IDENTITY_CHANGED. */
  "contacts.accept": { params: { contact: string; anyway?: boolean }; result: { contact: Contact } }
  "contacts.block": { params: { contact: string }; result: { contact: Contact } }
  "contacts.rename": { params: { contact: string; name: string }; result: { contact: Contact } }
  /**
   * Founds a group with these contacts. It is there at once; whoever was asked in follows when the ledger has ordered it. Throws
   * NO_LEDGER in a mesh without one: there two people could change the group at once and it would fall apart. `postQuantumSignatures`:
   * everybody in it signs so, for good; whoever has no key for it is waited for (`lacksKey`). NO_POST_QUANTUM_KEY while we have none.
   */
  "groups.create": {
    params: { name: string; members: readonly string[]; postQuantumSignatures?: boolean }
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
  /** Asks the members to let us in anew: what we have of the group cannot be gone on from. */
  "groups.rejoin": { params: { group: string }; result: { group: GroupView } }
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
  /** The page before a position, or the one after one; the newest without either. */
  "messages.page": {
    params: { thread: string; before?: string; after?: string; limit: number }
    result: Page
  }
  /** The newest messages that fit; see `SearchQuery` for what a query is made of. */
  "messages.search": { params: { query: string; limit: number }; result: SearchAnswer }
  /** `to`: a thread id or a contact. `id` makes a repeated call harmless. Durable when it returns. */
  "messages.send": {
    params: { to: string; text: string; id?: string; replyTo?: string }
    result: { message: Message }
  }
  /** Says all that we say to a message with emoji: three at most, none takes it back. */
  "messages.react": {
    params: { id: string; signs: readonly string[] }
    result: { message: Message }
  }
  /** Says a message of ours otherwise, for everybody; within a day. */
  "messages.edit": { params: { id: string; text: string }; result: { message: Message } }
  /**
   * Deletes a message here; `forAll`, of ours only, asks the others to do the same. `recalled`: it had not left yet, and never will.
   * What others' programs were told they may keep, and somebody may have read it.
   */
  "messages.delete": {
    params: { id: string; forAll?: boolean }
    result: { recalled: boolean }
  }
  /**
   * Writes a file at an absolute path of the node's machine by which anybody can check who wrote a message and where the ledger put it.
   * `others`: other texts of the same envelope, which the signature covers as well, may be in it (else OTHERS_INSIDE). `unordered`: without
   * its place. `original`: what it said before it was edited. `replace`: over a file that is there.
   */
  "messages.export": {
    params: {
      id: string
      path: string
      others?: boolean
      unordered?: boolean
      original?: boolean
      replace?: boolean
    }
    result: ExportMade
  }
  "messages.show": { params: { id: string }; result: { message: Message } }
  /** From now on what is said here disappears so long after; null: it stays. Everybody sees who set it. */
  "threads.lifetime": {
    params: { thread: string; seconds?: number; blocks?: number }
    result: { message: Message }
  }
  /** Whether we tell others in this thread that we have read, or that we are writing; off until asked for. */
  "threads.tell": {
    params: { thread: string; read?: boolean; typing?: boolean }
    result: { thread: ThreadSummary }
  }
  /** Says again what the other one cannot read any more (`lacks`). `said`: how many messages; 0 when nobody asks. */
  "threads.again": { params: { thread: string }; result: { said: number } }
  /** We are writing here, or not any more. Nothing goes out where that is off, and seldom otherwise. */
  "threads.typing": { params: { thread: string; active: boolean }; result: Nothing }
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
