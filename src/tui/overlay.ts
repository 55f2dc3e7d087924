/** The pages that may lie over the chat, as part of the model. */
import type { GroupView, SearchAnswer } from "../node/api/types.ts"
import type { BackupForm } from "./backup.ts"
import type { Draft } from "./widgets/draft.ts"

export type Overlay =
  | { readonly name: "help"; readonly scroll: number }
  | { readonly name: "contacts"; readonly scroll: number }
  /** Own code and ticket; `show` says which of the two the QR holds. */
  | { readonly name: "code"; readonly ticket: string | null; readonly show: "code" | "ticket" }
  | {
      readonly name: "add"
      readonly field: "code" | "name"
      readonly code: Draft
      readonly called: Draft
      readonly busy: boolean
    }
  /** The safety number of two; null while it is computed. */
  | {
      readonly name: "verify"
      readonly contact: string
      readonly number: string | null
      /** `v` was pressed once: the next one marks. */
      readonly armed: boolean
      readonly busy: boolean
    }
  /** Who is in a group; null while the node is asked. */
  | {
      readonly name: "members"
      readonly thread: string
      readonly group: GroupView | null
      readonly scroll: number
    }
  /** `asked`: what `answer` is about, once it is there. */
  | {
      readonly name: "search"
      readonly query: Draft
      readonly asked: string | null
      readonly answer: SearchAnswer | null
      /** The result that is chosen. */
      readonly at: number
    }
  | BackupForm
  /** What cannot be taken back waits for a yes. */
  | { readonly name: "confirm"; readonly what: "leave" | "hide"; readonly thread: string }
  /** A picture that the terminal draws itself; not there yet, or drawn. */
  | {
      readonly name: "picture"
      readonly id: string
      readonly title: string
      readonly drawn: boolean
    }
  /** A paste that waits for a yes. */
  | {
      readonly name: "paste"
      readonly text: string
      readonly lines: number
      readonly controls: boolean
    }
