/** Somebody went on from a backup and cannot read what we had said to them: in words, until a person has decided about it. */
import type { ThreadSummary } from "../node/api/types.ts"
import type { Model } from "./model.ts"
import { sanitizeName } from "./sanitize.ts"
import { truncate } from "./wrap.ts"

/** So much of a name that two rows of 80 columns hold the whole sentence. */
const NAME_WIDTH = 20

const lackWords = ({ title, lacks }: ThreadSummary): string =>
  `${truncate(sanitizeName(title), NAME_WIDTH)} went on from a backup and cannot read up to ${lacks} of your messages any more. ` +
  "/again says them again; in doubt ask them first, by another way."

/** What to say about a thread that is so from now on; nothing when that was known, or nobody asks. */
export const lackNews = (before: ThreadSummary | undefined, now: ThreadSummary): string | null =>
  now.lacks > 0 && now.lacks !== before?.lacks ? lackWords(now) : null

/** What stands above the composer of the open chat. */
export function lackHint({ history, threads }: Model): string | null {
  const thread = history === null ? undefined : threads.get(history.key)
  return thread === undefined ? null : lackNews(undefined, thread)
}

export const saidAgainText = (said: number): string =>
  said === 0
    ? "Nobody asks here for anything to be said again."
    : `${said} of your messages ${said === 1 ? "is" : "are"} said again.`
