/**
 * Asks peers for one thing that only one of them need have, a few at a time: who answers slowly does not hold up the next, and the
 * first answer that is sound ends it for all.
 */
import { setMaxListeners } from "node:events"
import type { Clock } from "../clock.ts"

/** Peers asked at a time: what both bring is paid for twice. */
const WIDTH = 2
/** A peer that has not answered by then is waited for beside the next one. */
const SLOW_MS = 1_000
/** All the peers that could keep a record twice over: whoever names more than those is not believed. */
export const PEERS_ASKED_MAX = 40

export interface Asking<T> {
  /** In the order in which they are to be asked; ends with the signal, and does not reject. */
  readonly peers: (signal: AbortSignal) => AsyncIterable<string>
  /** What a peer gives, if it is sound. Rejects only when its signal aborts. */
  readonly ask: (peer: string, signal: AbortSignal) => Promise<T | undefined>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** The first sound answer; `undefined` when nobody has one, and when the signal aborts. */
export async function firstSound<T>({
  peers,
  ask,
  clock,
  signal: caller,
}: Asking<T>): Promise<T | undefined> {
  const over = new AbortController()
  const signal = AbortSignal.any([caller, over.signal])
  setMaxListeners(Infinity, signal)
  const left = peers(signal)[Symbol.asyncIterator]()
  const answers: Promise<void>[] = []
  const faults: unknown[] = []
  let found: T | undefined
  const hear = async (peer: string) => {
    try {
      const answer = await ask(peer, signal)
      found ??= answer
    } catch (error) {
      if (!signal.aborted) faults.push(error)
    }
    if (found !== undefined) over.abort()
  }
  const work = async () => {
    while (!signal.aborted && answers.length < PEERS_ASKED_MAX) {
      const next = await left.next()
      if (next.done === true) return
      const answer = hear(next.value)
      answers.push(answer)
      await orSlow(answer, clock)
    }
  }
  await Promise.all(Array.from({ length: WIDTH }, work))
  await Promise.all(answers)
  over.abort()
  await left.return?.()
  if (found === undefined && faults.length > 0) throw faults[0]
  return found
}

/** Resolves with the answer, or a moment later without it. */
async function orSlow(answer: Promise<void>, clock: Clock): Promise<void> {
  const { promise: slow, resolve } = Promise.withResolvers<undefined>()
  const cancel = clock.after(SLOW_MS, () => resolve(undefined))
  try {
    await Promise.race([answer, slow])
  } finally {
    cancel()
  }
}
