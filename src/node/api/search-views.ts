/** What a search gives. */
import type { Message } from "./thread-views.ts"

export interface SearchHit {
  readonly message: Message
  /** What the thread is called; raw, like everything from others. */
  readonly title: string
}

export interface SearchAnswer {
  /** Newest first, by the time their authors gave. */
  readonly hits: readonly SearchHit[]
  /** There are more than were asked for. */
  readonly more: boolean
}
