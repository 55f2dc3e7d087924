/**
 * What goes along with the next envelope of a thread and waits for nobody: what we call ourselves, and that we lack what was said to us. In
 * memory only; whoever wants it said puts it here again after a start, as long as nothing has left.
 */
import type { Content } from "../../chat/content.ts"
import type { Address } from "../../crypto/address.ts"
import type { ChatBook } from "./book.ts"

/**
 * Above which height we may lack what this person said, if we go on from a backup: up to there everything was in it (`restoredAt`), and what
 * is of the epochs in it is read as it comes.
 */
export function lackedAbove(
  book: ChatBook,
  peer: Address | null,
  restoredAt: number,
): number | undefined {
  const former = peer === null ? [] : book.channelsWith(peer).filter(({ retired }) => retired)
  if (former.length === 0) return undefined
  return Math.max(restoredAt, ...former.map(({ epochs }) => epochs[0]?.began.height ?? 0))
}

export class Beside {
  /** By hexadecimal thread. */
  readonly #greetings = new Set<string>()
  readonly #lacking = new Map<string, number>()

  /** Says what we call ourselves. */
  greet(thread: string): void {
    this.#greetings.add(thread)
  }

  /** Asks for what was said to us above this height, and what we have lost the keys of. */
  lack(thread: string, above: number): void {
    this.#lacking.set(thread, above)
  }

  of(thread: string, name: string): readonly Content[] {
    const above = this.#lacking.get(thread)
    return [
      ...(this.#greetings.has(thread) ? [{ kind: "profile", name } as const] : []),
      ...(above === undefined ? [] : [{ kind: "lack", above } as const]),
    ]
  }

  /** It was sealed, or is not going to be said. */
  forget(thread: string): void {
    this.#greetings.delete(thread)
    this.#lacking.delete(thread)
  }
}
