/** How messages are printed for people: when, from whom, what; for one's own also how far they provably got. */
import type { Api, DeliveryState, Message } from "../node/api/types.ts"
import { sanitizeName } from "../tui/sanitize.ts"
import { quoteText, reactionsText, wordsOf } from "../tui/said.ts"
import { lifetimeText } from "../tui/lifetime.ts"
import { sizeText } from "../tui/widgets/transfers.ts"
import { neutralLine } from "./neutral.ts"
import type { Output } from "./output.ts"

const MARKS: Readonly<Record<DeliveryState, string>> = {
  queued: "·",
  gossiped: "◌",
  ordered: "✓",
  delivered: "✓✓",
  read: "✓✓ read",
  failed: "!",
}

/** Digits of a message's id that are shown beside its file. */
const ID_SHOWN = 8

/** Petnames by address, as one prints messages of several authors. */
export async function namesOf(api: Api, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const { contacts } = await api.call("contacts.list", {}, { signal })
  return new Map(contacts.map(({ address, name }) => [address, name]))
}

export function printMessage(
  out: Output,
  message: Message,
  names: ReadonlyMap<string, string>,
): void {
  const { author, authorName, mine, file, sentAtMs, state, receipts, late, again } = message
  const who = mine ? "me" : (names.get(author) ?? authorName)
  const some = receipts !== null && receipts.got > 0 && receipts.got < receipts.of
  const reached = some ? `delivered to ${receipts.got} of ${receipts.of}` : ""
  const isAgain = again ? "(said again)" : ""
  const marks = [
    late && !again ? "(late)" : "",
    isAgain,
    message.edited === null ? "" : "(edited)",
    lives(message),
  ]
  const notes = [mine ? MARKS[state] : "", reached, ...marks].filter((note) => note !== "")
  const parts = [quoteText(message), file === null ? "" : fileText(message), wordsOf(message)]
  const said = parts.filter((part) => part !== "").join("\n")
  const shown = [said, reactionsText(message)].filter((part) => part !== "").join("\n")
  const [first = "", ...rest] = shown.split("\n")
  out.line(
    { text: localTime(sentAtMs), style: "dim" },
    "  ",
    { text: sanitizeName(who), style: "bold" },
    "  ",
    first,
    notes.length === 0 ? "" : { text: `  ${notes.join(" ")}`, style: "dim" },
  )
  // Indented, so that nothing inside a message can pass for the next one.
  for (const line of rest) process.stdout.write(`                  ${neutralLine(line)}\n`)
}

const lives = ({ lifetime }: Message): string =>
  lifetime === null ? "" : `(disappears: ${lifetimeText(lifetime)})`

/** `[photo.jpg · 3.1 MB · 5f2c11aa]`: `sotto save` takes the last. */
const fileText = ({ id, file }: Message) =>
  file === null
    ? ""
    : `[${sanitizeName(file.name)} · ${sizeText(file.size)} · ${id.slice(0, ID_SHOWN)}]`

/** `2026-11-20 09:41` on this machine's clock. */
export function localTime(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => value.toString().padStart(2, "0")
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}
