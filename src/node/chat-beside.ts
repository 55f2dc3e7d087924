/**
 * What goes along with the next envelope of a thread and waits for nobody: what we call ourselves, and that we lack what was said to us. In
 * memory only; whoever wants it said puts it here again after a start, as long as nothing has left.
 */
import type { Content } from "../chat/content.ts"

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
