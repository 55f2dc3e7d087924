/**
 * How a store written by an older program becomes one of today. Step `i` (from 0) leads from schema `i + 1` to `i + 2`; a new store
 * starts at the newest. A step that has been released is never edited: its inputs lie on other people's disks.
 */
import type { Store, Write } from "./store.ts"

export interface Migration {
  /** For progress and logs: "index envelopes by tag". */
  readonly what: string
  /**
   * Yields batches, each atomic. May be interrupted between any two and is then run again from the start, so it must come to the
   * same end when part of its work is done already.
   */
  run(store: Pick<Store, "get" | "getMany" | "range">): AsyncIterable<readonly Write[]>
}

/** None so far: schema 1 is the first. */
export const MIGRATIONS: readonly Migration[] = []
