/**
 * What a node offers to the people in front of it: the terminal chat, the command line and bots all speak exactly this, as
 * JSON-RPC 2.0 over the profile's Unix socket. Types only. Times are milliseconds since 1970 and exist only on this side of
 * the vault. Text that came from other people is raw here: whoever draws it neutralises it first.
 */
import type { Transfer } from "./file-views.ts"
import type { Status } from "./mesh-views.ts"
import type { Method, Params, Result } from "./methods.ts"
import type { Contact } from "./people-views.ts"
import type { DeliveryState, Message, ThreadSummary } from "./thread-views.ts"

export type * from "./error-codes.ts"
export type * from "./export-views.ts"
export type * from "./file-views.ts"
export type * from "./mesh-views.ts"
export type * from "./methods.ts"
export type * from "./people-views.ts"
export type * from "./search-views.ts"
export type * from "./thread-views.ts"

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
  /** A message that was told before is another one now: edited, reacted to, deleted by its author, placed by the ledger. */
  | { readonly type: "message-changed"; readonly message: Message }
  | { readonly type: "message-gone"; readonly thread: string; readonly id: string }
  /** Somebody writes, or has stopped; without another word they have after TYPING_SHOWN_MS. */
  | {
      readonly type: "typing"
      readonly thread: string
      readonly author: string
      readonly authorName: string
      readonly active: boolean
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
