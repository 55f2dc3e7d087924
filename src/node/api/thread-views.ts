/** What a screen is told of threads, messages and groups. */

/** How far a message of ours provably got; in this order. Others' messages are always `delivered`. */
export type DeliveryState = "queued" | "gossiped" | "ordered" | "delivered" | "read" | "failed"

/** So many seconds after it was first read (or left, of ours), or so many blocks after the one that ordered it. */
export interface LifetimeView {
  readonly unit: "seconds" | "blocks"
  readonly amount: number
}

/** A part of a text that stands for somebody, in UTF-16 units. Show `name` there: the text itself may call them anything. */
export interface MentionView {
  readonly start: number
  readonly length: number
  readonly address: string
  /** How we call them; empty for ourselves. */
  readonly name: string
  readonly me: boolean
}

export interface ReactionView {
  readonly sign: string
  /** Who said it, as we call them; ourselves left out. */
  readonly by: readonly string[]
  readonly mine: boolean
}

/** `returned`: let in anew. `admin`, `no-admin`: they run the group from now on, or not any more. */
export interface NoticeView {
  /** `missed`: we were let in anew, and some of what was said before may be missing. */
  readonly kind:
    "added" | "returned" | "left" | "removed" | "renamed" | "admin" | "no-admin" | "missed"
  /** Whom it is about. */
  readonly who: readonly {
    readonly address: string
    /** How we call them; empty for ourselves. */
    readonly name: string
    readonly me: boolean
  }[]
  /** The group's new name; null for everything else. */
  readonly name: string | null
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
  readonly receipts: { readonly got: number; readonly of: number; readonly read: number } | null
  /** The ledger put it before something that had been read here, or behind something written after it. */
  readonly late: boolean
  /** Its author said it again, after we had lost the keys it was under: where it stands is their word. */
  readonly again: boolean
  /** Where the ledger put it; null while it has not, and in a mesh without one. */
  readonly place: { readonly height: number; readonly index: number } | null
  /** The message it answers: what that says now, at most QUOTE_MAX characters; null when it is not here. */
  readonly replyTo: {
    readonly id: string
    readonly authorName: string
    readonly mine: boolean
    readonly text: string | null
  } | null
  readonly mentions: readonly MentionView[]
  /** Its author said it otherwise later, at that moment of theirs; `first` is what it said before. */
  readonly edited: { readonly atMs: number; readonly first: string } | null
  /** Its author asked everybody to delete it, and it is deleted here. */
  readonly deleted: boolean
  readonly reactions: readonly ReactionView[]
  /** It disappears. */
  readonly lifetime: LifetimeView | null
  /** It says nothing; it sets how long stays what is said from then on. */
  readonly sets: { readonly lifetime: LifetimeView | null } | null
  /** Nobody said it: the group tells what has changed, by the doing of `author`; there are no words, and it is never unread. */
  readonly notice: NoticeView | null
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
  /** Of the unread, how many name us. */
  readonly mentions: number
  /** How long stays what is said here; null: for good. */
  readonly lifetime: LifetimeView | null
  /** Whether we tell others here that we have read, and that we write, and see it of them. */
  readonly tells: { readonly read: boolean; readonly typing: boolean }
  /**
   * How many messages of ours, at most, the other one cannot read any more, as they say, having gone on from a backup; said again at our
   * word alone (`threads.again`). 0: nobody asks.
   */
  readonly lacks: number
  readonly last: Message | null
  /** True while the first contact, or somebody's invitation into a group, waits for acceptance here. */
  readonly request: boolean
  /** A group that we are out of. */
  readonly left: boolean
  /** What is said here is signed with post-quantum signatures too. */
  readonly postQuantumSignatures: boolean
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
  /** `return`: we asked the members to be let in anew, and read only until then. */
  readonly kind: "add" | "remove" | "rename" | "admin" | "renew" | "leave" | "return"
  readonly who: string | null
  readonly whoName: string | null
  readonly name: string | null
  readonly admin: boolean | null
  /** It waits for somebody of whom no key for post-quantum signatures was found when last looked for. */
  readonly lacksKey: boolean
}

export interface GroupView {
  readonly thread: string
  readonly name: string
  readonly state: "open" | "request" | "left"
  /** Changes of the group so far, from its founding on. */
  readonly epoch: number
  /** We may add, remove and rename. */
  readonly admin: boolean
  /** Everybody in it signs with post-quantum signatures too; fixed when it is founded. */
  readonly postQuantumSignatures: boolean
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
