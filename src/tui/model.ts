/**
 * Everything a screen can show, as one immutable value, and what can happen to it. `update.ts` is the function between two of
 * them. Passphrases being typed are here and nowhere else; nothing in the program prints a model.
 */
import type {
  ApiErrorCode,
  ApiEvent,
  Contact,
  GroupView,
  Inviter,
  Message,
  Page,
  Preview,
  SearchAnswer,
  Status,
  ThreadSummary,
  Transfer,
  Result,
} from "../node/api/types.ts"
import type { AboutAsk } from "./about.ts"
import { contactName } from "./commands.ts"
import type { GroupAsk } from "./groups.ts"
import type { InputEvent } from "./input.ts"
import type { Overlay } from "./overlay.ts"
import { sanitizeName, shortAddress } from "./sanitize.ts"
import type { Picture } from "./pictures.ts"
import { chooseGlyphs, chooseTheme, UNICODE } from "./theme.ts"
import type { Glyphs, ThemeName } from "./theme.ts"
import type { Writer } from "./typing.ts"
import { emptyDraft } from "./widgets/draft.ts"
import type { Draft } from "./widgets/draft.ts"
import type { History, PageReason } from "./widgets/history.ts"
import { chooseImages } from "./widgets/image.ts"
import type { ImageStyle } from "./widgets/image.ts"
import { CELL } from "./widgets/cell.ts"
import type { Cell } from "./widgets/cell.ts"
import type { DrawnStyle } from "./widgets/picture.ts"
import type { Setup } from "./widgets/setup.ts"

export interface Settings {
  readonly theme: ThemeName
  readonly glyphs: Glyphs
  /** IANA zone for times and date lines; null: the machine's. */
  readonly timeZone: string | null
  /** What first run proposes as a name. */
  readonly userName: string
  readonly bell: boolean
  /** How pictures are shown. */
  readonly images: ImageStyle
  /** Pixels of a cell of the terminal. */
  readonly cell: Cell
}

export type { Overlay } from "./overlay.ts"

export type Screen =
  | { readonly name: "starting" }
  | { readonly name: "setup"; readonly setup: Setup }
  | { readonly name: "unlock"; readonly passphrase: Draft; readonly busy: boolean }
  | { readonly name: "chat" }
  /** The node is gone or never came; Enter leaves with `exitCode`. */
  | {
      readonly name: "gone"
      readonly what: string
      readonly next: string
      readonly exitCode: number
    }

export interface Notice {
  readonly text: string
  readonly kind: "info" | "good" | "bad"
  readonly untilMs: number
}

export interface Model {
  readonly settings: Settings
  readonly columns: number
  readonly rows: number
  readonly nowMs: number
  /** Whether the terminal window is looked at; true until a terminal says otherwise. */
  readonly focused: boolean
  readonly screen: Screen
  readonly overlay: Overlay | null
  readonly notice: Notice | null
  readonly progress: { readonly what: string; readonly done: number; readonly total: number } | null
  readonly status: Status | null
  readonly statusAtMs: number
  readonly contacts: ReadonlyMap<string, Contact>
  readonly threads: ReadonlyMap<string, ThreadSummary>
  readonly history: History | null
  readonly draft: Draft
  /** Drafts of chats that are not open, by key. */
  readonly parked: ReadonlyMap<string, string>
  readonly completion: { readonly lines: readonly string[]; readonly at: number } | null
  /** Ctrl-C was pressed on an empty draft: the next one quits. */
  readonly quitArmed: boolean
  /** `/block` was asked for the open request and not confirmed yet. */
  readonly blockArmed: boolean
  /** The same for accepting somebody under another's name. */
  readonly acceptArmed: boolean
  /** Sends under way. */
  readonly sending: number
  /** Files on their way, by message. */
  readonly transfers: ReadonlyMap<string, Transfer>
  /** Pictures among the messages, by message. */
  readonly pictures: ReadonlyMap<string, Picture>
  /** How many have been asked for. */
  readonly pictured: number
  /** The message that is pointed at. */
  readonly selected: string | null
  /** When the node was last told that a draft grows. */
  readonly toldTypingMs: number
  /** Who writes where, by thread and author. */
  readonly writers: ReadonlyMap<string, Writer>
}

export const PARKED_MAX = 200
export const NOTICE_MS = 8000

export type Action =
  | { readonly type: "input"; readonly event: InputEvent }
  | { readonly type: "resize"; readonly columns: number; readonly rows: number }
  | { readonly type: "tick" }
  | {
      readonly type: "loaded"
      readonly status: Status
      readonly contacts: readonly Contact[]
      readonly threads: readonly ThreadSummary[]
    }
  | { readonly type: "events"; readonly events: readonly ApiEvent[] }
  | {
      readonly type: "closed"
      readonly what: string
      readonly next: string
      readonly exitCode: number
    }
  | {
      readonly type: "created"
      readonly address: string
      readonly ticket: string
      readonly inviter: Inviter | null
    }
  | {
      readonly type: "page"
      readonly key: string
      readonly reason: PageReason
      readonly page: Page
    }
  | { readonly type: "found"; readonly query: string; readonly answer: SearchAnswer }
  /** What lies around a message; `more` after it. */
  | {
      readonly type: "jumped"
      readonly key: string
      readonly id: string
      readonly page: Page
      readonly more: boolean
    }
  | { readonly type: "sent"; readonly key: string; readonly message: Message }
  | { readonly type: "retried"; readonly message: Message }
  | { readonly type: "said"; readonly text: string }
  | { readonly type: "transfer"; readonly transfer: Transfer }
  | { readonly type: "picture"; readonly id: string; readonly preview: Preview }
  /** What draws it. */
  | { readonly type: "drawn"; readonly id: string; readonly sequence: string }
  | { readonly type: "ticket"; readonly ticket: string }
  | {
      readonly type: "contact"
      readonly contact: Contact
      readonly what:
        "added" | "accepted" | "blocked" | "renamed" | "strengthened" | "verified" | "unverified"
    }
  | { readonly type: "safety"; readonly contact: Contact; readonly number: string }
  | { readonly type: "group"; readonly ask: GroupAsk; readonly group: GroupView }
  | { readonly type: "hidden"; readonly thread: string }
  | { readonly type: "rotated" }
  | { readonly type: "backed-up"; readonly path: string; readonly made: Result<"backup.write"> }
  | { readonly type: "restored"; readonly restored: Result<"profile.restore"> }
  | {
      readonly type: "failed"
      readonly effect: Effect
      readonly code: ApiErrorCode
      readonly text: string
    }

/** What the world is asked to do; `perform.ts` does it and answers with an action. */
export type Effect =
  | { readonly type: "load" }
  | {
      readonly type: "create"
      readonly name: string
      readonly passphrase: string | null
      readonly ticket: string | null
    }
  | { readonly type: "unlock"; readonly passphrase: string }
  | {
      readonly type: "backup" | "restore"
      readonly path: string
      readonly passphrase: string
    }
  | {
      readonly type: "page"
      readonly key: string
      readonly reason: PageReason
      readonly before: string | null
      /** Instead: the page after this position. */
      readonly after?: string
    }
  | { readonly type: "search"; readonly query: string }
  | {
      readonly type: "jump"
      readonly key: string
      readonly id: string
      readonly position: string
    }
  | { readonly type: "send"; readonly key: string; readonly text: string }
  | { readonly type: "about"; readonly ask: AboutAsk }
  | { readonly type: "typing"; readonly thread: string; readonly active: boolean }
  | { readonly type: "retry"; readonly id: string }
  | { readonly type: "file"; readonly key: string; readonly path: string; readonly text: string }
  | { readonly type: "save"; readonly id: string; readonly folder: string | null }
  | { readonly type: "view"; readonly id: string; readonly width: number; readonly height: number }
  /** Encodes a picture that the terminal draws itself. */
  | {
      readonly type: "draw"
      readonly id: string
      readonly style: DrawnStyle
      readonly preview: Preview
    }
  /** To the terminal, beside the picture. */
  | { readonly type: "write"; readonly sequence: string }
  | { readonly type: "read"; readonly thread: string; readonly through: string }
  | { readonly type: "add"; readonly code: string; readonly name: string | null }
  | { readonly type: "accept"; readonly contact: string; readonly anyway: boolean }
  | { readonly type: "block" | "safety" | "strengthen" | "unverify"; readonly contact: string }
  | { readonly type: "verify"; readonly contact: string; readonly number: string }
  | { readonly type: "rename"; readonly contact: string; readonly name: string }
  | { readonly type: "group"; readonly ask: GroupAsk }
  | { readonly type: "hide"; readonly thread: string }
  | { readonly type: "ticket" }
  | { readonly type: "rotate" }
  | { readonly type: "copy"; readonly text: string }
  | { readonly type: "bell" }
  | { readonly type: "repaint" }
  | { readonly type: "suspend" }
  | { readonly type: "exit"; readonly code: number }

export interface Step {
  readonly model: Model
  readonly effects: readonly Effect[]
}

export const only = (model: Model): Step => ({ model, effects: [] })
export const and = (model: Model, ...effects: readonly Effect[]): Step => ({ model, effects })

export const defaultSettings = (env: Readonly<Record<string, string | undefined>>): Settings => ({
  theme: chooseTheme(undefined, env),
  glyphs: chooseGlyphs(env),
  timeZone: null,
  userName: "",
  bell: true,
  cell: CELL,
  images: chooseImages(env, chooseTheme(undefined, env) !== "mono", chooseGlyphs(env) === UNICODE),
})

export const initialModel = (settings: Settings, columns: number, rows: number): Model => ({
  settings,
  columns,
  rows,
  nowMs: 0,
  focused: true,
  screen: { name: "starting" },
  overlay: null,
  notice: null,
  progress: null,
  status: null,
  statusAtMs: 0,
  contacts: new Map(),
  threads: new Map(),
  history: null,
  draft: emptyDraft,
  parked: new Map(),
  completion: null,
  quitArmed: false,
  blockArmed: false,
  acceptArmed: false,
  sending: 0,
  transfers: new Map(),
  pictures: new Map(),
  pictured: 0,
  selected: null,
  toldTypingMs: Number.NEGATIVE_INFINITY,
  writers: new Map(),
})

export const noticed = (model: Model, kind: Notice["kind"], text: string): Model => ({
  ...model,
  notice: { kind, text, untilMs: model.nowMs + NOTICE_MS },
})

/** A line of the chat list: a thread, or a contact with whom there is none yet. */
export interface Entry {
  readonly key: string
  readonly title: string
  readonly unread: number
  /** Of those, how many name us. */
  readonly mentions: number
  readonly request: boolean
  /** The other one, when there is exactly one. */
  readonly contact: Contact | null
  readonly people: number
  readonly group: boolean
  /** A group that we are out of. */
  readonly left: boolean
  readonly postQuantumSignatures: boolean
}

const entriesOf = new WeakMap<object, WeakMap<object, readonly Entry[]>>()

/** The chat list: unread first, then by last activity, then by name; requests last. Remembered for as long as nothing changes. */
export function entries(model: Pick<Model, "threads" | "contacts">): readonly Entry[] {
  const byContacts = entriesOf.get(model.threads) ?? new WeakMap<object, readonly Entry[]>()
  entriesOf.set(model.threads, byContacts)
  const known = byContacts.get(model.contacts)
  if (known !== undefined) return known
  const made = listEntries(model)
  byContacts.set(model.contacts, made)
  return made
}

function listEntries({ threads, contacts }: Pick<Model, "threads" | "contacts">): Entry[] {
  const alone = new Set<string>()
  const rows: (Entry & { readonly at: number })[] = []
  for (const thread of threads.values()) {
    // A group of two is still a group, and no chat with its other member.
    const other = thread.kind === "pair" ? thread.members[0] : undefined
    const contact = other === undefined ? null : (contacts.get(other) ?? null)
    if (other !== undefined) alone.add(other)
    if (contact?.state === "blocked") continue
    rows.push({
      key: thread.id,
      title: titleOf(thread, contact),
      unread: thread.unread,
      mentions: thread.mentions,
      request: thread.request,
      contact,
      people: thread.members.length + (thread.left ? 0 : 1),
      group: thread.kind === "group",
      left: thread.left,
      postQuantumSignatures: thread.postQuantumSignatures,
      at: thread.last?.sentAtMs ?? 0,
    })
  }
  for (const contact of contacts.values()) {
    if (alone.has(contact.address) || contact.state === "blocked") continue
    rows.push({
      key: contact.address,
      title: contactName(contact),
      unread: 0,
      mentions: 0,
      request: contact.state === "request",
      contact,
      ...{ people: 2, group: false, left: false },
      postQuantumSignatures: contact.postQuantumSignatures,
      at: 0,
    })
  }
  // A stranger must not be able to take the first place: requests come last, and the status line counts them.
  const urgency = (entry: Entry) => (entry.request ? 2 : entry.unread > 0 ? 0 : 1)
  return rows.sort((a, b) => urgency(a) - urgency(b) || b.at - a.at || (a.title < b.title ? -1 : 1))
}

function titleOf(thread: ThreadSummary, contact: Contact | null): string {
  if (contact !== null) return contactName(contact)
  const title = sanitizeName(thread.title)
  if (title !== "") return title
  const first = thread.members[0]
  return first === undefined ? thread.id.slice(0, 8) : shortAddress(first)
}

export const openEntry = (model: Model): Entry | null =>
  model.history === null
    ? null
    : (entries(model).find((entry) => entry.key === model.history?.key) ?? null)

/** What an author is called in the gutter. Who is no contact is called as they call themselves, and a mark in front says so. */
export function authorName(model: Pick<Model, "contacts">, message: Message): string {
  if (message.mine) return "me"
  const contact = model.contacts.get(message.author)
  if (contact !== undefined) return contactName(contact)
  return `~${sanitizeName(message.authorName) || shortAddress(message.author)}`
}

/** Names that commands may use, in list order. */
export const knownNames = (model: Model): string[] => [
  ...new Set([
    ...entries(model).map((entry) => entry.title),
    ...[...model.contacts.values()].map(contactName),
  ]),
]
