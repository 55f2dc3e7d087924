/**
 * Every key as data: what the terminal sends, the action it names, and the words that the F1 overlay shows. Screens ask
 * `actionOf`; nothing else in the program knows which key does what.
 */
import type { DraftMotion } from "./widgets/draft.ts"

export type Action =
  | DraftMotion
  | "send" | "newline" | "complete" | "complete-back"
  | "next-unread" | "next-chat" | "previous-chat" | `open-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`
  | "save" | "view" | "search" | "select" | "page-up" | "page-down" | "top" | "bottom"
  | "back" | "interrupt" | "end-of-input" | "help" | "repaint" | "suspend" // prettier-ignore

export interface Binding {
  readonly chords: readonly string[]
  readonly action: Action
  readonly help: string
  readonly group: "Writing" | "Reading" | "Chats" | "Sotto"
}

const bind = (group: Binding["group"], chords: string, action: Action, help: string): Binding => ({
  group,
  chords: chords.split(" "),
  action,
  help,
})

export const BINDINGS: readonly Binding[] = [
  bind("Writing", "enter", "send", "send"),
  bind("Writing", "alt-enter ctrl-j shift-enter", "newline", "new line"),
  bind("Writing", "tab", "complete", "complete a command or a name"),
  bind("Writing", "shift-tab", "complete-back", "the completion before"),
  bind("Writing", "left", "left", "one character left"),
  bind("Writing", "right ctrl-f", "right", "one character right"),
  bind("Writing", "alt-b ctrl-left alt-left", "word-left", "one word left"),
  bind("Writing", "alt-f ctrl-right alt-right", "word-right", "one word right"),
  bind("Writing", "ctrl-a", "line-start", "start of the line"),
  bind("Writing", "ctrl-e", "line-end", "end of the line"),
  bind("Writing", "backspace", "backspace", "delete to the left"),
  bind("Writing", "delete", "delete", "delete to the right"),
  bind("Writing", "ctrl-w alt-backspace", "kill-word-back", "cut the word before"),
  bind("Writing", "alt-d", "kill-word", "cut the word after"),
  bind("Writing", "ctrl-u", "kill-to-start", "cut to the start of the line"),
  bind("Writing", "ctrl-k", "kill-to-end", "cut to the end of the line"),
  bind("Writing", "ctrl-y", "yank", "put back what was cut"),
  bind("Writing", "ctrl-_", "undo", "undo"),
  bind("Writing", "alt-p", "older", "the draft before"),
  bind("Writing", "alt-n", "newer", "the draft after"),
  bind("Reading", "up", "line-up", "scroll up (in a draft: line up)"),
  bind("Reading", "down", "line-down", "scroll down (in a draft: line down)"),
  bind("Reading", "pageup", "page-up", "a page up"),
  bind("Reading", "pagedown", "page-down", "a page down"),
  bind("Reading", "home", "top", "to the oldest (in a draft: line start)"),
  bind("Reading", "end", "bottom", "to the newest (in a draft: line end)"),
  bind("Reading", "alt-k", "select", "select a message, then r e d y i x + or the arrows"),
  bind("Reading", "alt-s", "save", "save the file in sight, also /save"),
  bind("Reading", "alt-v", "view", "show the picture in sight, also /view"),
  bind("Reading", "ctrl-g alt-/", "search", "search all messages, also /search"),
  bind("Chats", "alt-a", "next-unread", "next chat with unread, also /next"),
  bind("Chats", "alt-up", "previous-chat", "chat above"),
  bind("Chats", "alt-down", "next-chat", "chat below"),
  ...([1, 2, 3, 4, 5, 6, 7, 8, 9] as const).map((n) =>
    bind("Chats", `alt-${n}`, `open-${n}`, `chat ${n}, also /open name`),
  ),
  bind("Sotto", "f1", "help", "this page, also /help"),
  bind("Sotto", "escape", "back", "back, one key out of everything"),
  bind("Sotto", "ctrl-l", "repaint", "paint the screen again"),
  bind("Sotto", "ctrl-z", "suspend", "leave to the shell, fg comes back"),
  bind("Sotto", "ctrl-c", "interrupt", "clear the draft; twice: quit"),
  bind("Sotto", "ctrl-d", "end-of-input", "quit when nothing is written"),
]

const byChord = new Map(
  BINDINGS.flatMap((b) => b.chords.map((chord) => [chord, b.action] as const)),
)

export const actionOf = (chord: string): Action | undefined => byChord.get(chord)

/** Actions that change or walk through text, wherever text is written. */
export const MOTIONS: ReadonlySet<string> = new Set<DraftMotion>([
  "left", "right", "word-left", "word-right", "line-start", "line-end", "line-up", "line-down",
  "backspace", "delete", "kill-word-back", "kill-word", "kill-to-start", "kill-to-end",
  "yank", "undo", "older", "newer", "clear",
]) // prettier-ignore

export const isMotion = (action: Action): action is DraftMotion => MOTIONS.has(action)

const SPELLED: Readonly<Record<string, string>> = {
  pageup: "PgUp", pagedown: "PgDn", escape: "Esc", backspace: "Backspace",
} // prettier-ignore

/** `alt-enter` as `Alt-Enter`, the way people write it. */
export const spelled = (chord: string): string =>
  chord
    .split(/-(?=.)/)
    .map((part) => SPELLED[part] ?? part.slice(0, 1).toUpperCase() + part.slice(1))
    .join("-")
