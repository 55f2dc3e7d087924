/**
 * Slash commands as data, and the pure functions over them: reading a line, completing it, suggesting what was meant. The
 * screen and line mode run the same intents; the help page is made from the same table.
 */
import { aboutIntent } from "./about.ts"
import type { AboutIntent } from "./about.ts"
import type { Contact } from "../node/api/types.ts"
import { sanitizeName, shortAddress } from "./sanitize.ts"

export interface Command {
  readonly name: string
  /** As help shows it; an argument in brackets may be left out. */
  readonly usage: string
  readonly help: string
  /** What Tab completes after the name. */
  readonly completes: "contact" | "people" | null
}

const command = (
  name: string,
  usage: string,
  help: string,
  completes: Command["completes"] = null,
) => ({
  name,
  usage,
  help,
  completes,
})

export const COMMANDS: readonly Command[] = [
  command("accept", "[name]", "accept a request, unblock a contact", "contact"),
  command("add", "[code] [name]", "add a contact by code or invite ticket"),
  command("admin", "name [off]", "let a member run this group too, or not any more", "contact"),
  command("again", "", "say again what they cannot read any more after a backup"),
  command("backup", "[path]", "write everything into one encrypted file"),
  command("block", "[name]", "block a contact; they are not told", "contact"),
  command("contacts", "", "everybody you know, and how far"),
  command("copy", "[id]", "copy the selected or newest message, or its id"),
  command("delete", "[all]", "delete the selected message here; all: ask everybody to"),
  command("disappear", "time", "let what is said from now on disappear: 5m, 7d, 100 blocks, off"),
  command("edit", "words", "say the selected, or your last, message otherwise"),
  command(
    "export",
    "[others] file",
    "write the selected, or their last, message as proof for others",
  ),
  command("file", "path [words]", "send a file; quote a path with spaces"),
  command("group", "name person …", "found a group; quote a name with spaces", "people"),
  command("help", "", "all keys and commands"),
  command("hide", "", "erase this conversation here; asks first"),
  command("id", "", "your code, its QR and an invite ticket"),
  command("invite", "person …", "bring contacts into this group", "people"),
  command("leave", "", "leave this group; asks first"),
  command("members", "", "who is in this group, and who runs it"),
  command("next", "", "next chat with unread messages"),
  command("open", "name", "open a chat", "contact"),
  command("pq", "[name]", "sign this chat of two with post-quantum signatures too", "contact"),
  command("pq-group", "name person …", "found a group with post-quantum signatures", "people"),
  command("quit", "", "leave; what is queued stays queued"),
  command("react", "emoji", "answer the selected or newest message with emoji; none takes back"),
  command("rejoin", "", "be let into this group anew, when it goes on without you"),
  command("remove", "name", "remove somebody from this group", "contact"),
  command("rename", "[name] new-name", "call a contact something else", "contact"),
  command("reply", "words", "answer the selected or newest message"),
  command("retry", "", "send again what failed in this chat"),
  command("rotate", "", "replace your keys now; it happens every 30 days anyway"),
  command("save", "[id] [folder]", "save the file in sight, or the one of this id"),
  command("search", "[words]", "search all messages: from:, in:, has:file, before:, after:"),
  command("tell", "read|typing on|off", "whether others here learn that you read, or write"),
  command("ticket", "", "an invite ticket to this mesh"),
  command("title", "name", "call this group something else, for everybody"),
  command("verify", "[name]", "compare safety numbers; mark them, or take it back", "contact"),
  command("view", "[id]", "show the picture in sight among the messages, or take it away"),
]

export type GroupIntent =
  | {
      readonly type: "group" | "pq-group"
      readonly name: string
      readonly people: readonly string[]
    }
  | { readonly type: "invite"; readonly people: readonly string[] }
  | { readonly type: "remove"; readonly member: string }
  | { readonly type: "admin"; readonly member: string; readonly admin: boolean }
  | { readonly type: "title"; readonly name: string }
  | { readonly type: "hide" | "leave" | "members" | "rejoin" }

export type Intent =
  | GroupIntent
  | AboutIntent
  | { readonly type: "say"; readonly text: string }
  | { readonly type: "add"; readonly code: string; readonly name: string | null }
  | {
      readonly type: "accept" | "block" | "open" | "pq" | "verify"
      readonly contact: string | null
    }
  | { readonly type: "file"; readonly path: string; readonly text: string }
  | { readonly type: "save"; readonly id: string | null; readonly folder: string | null }
  | { readonly type: "view"; readonly id: string | null }
  | { readonly type: "backup"; readonly path: string }
  | { readonly type: "search"; readonly query: string }
  | { readonly type: "rename"; readonly contact: string | null; readonly name: string }
  | { readonly type: "contacts" | "help" | "id" | "next" | "quit" | "retry" | "rotate" | "ticket" }
  | { readonly type: "wrong"; readonly sentence: string }

const wrong = (sentence: string): Intent => ({ type: "wrong", sentence })

/** How a contact is called on screen: petname, else what they call themselves, else the ends of the address. */
export const contactName = (contact: Contact): string =>
  sanitizeName(contact.name) ||
  sanitizeName(contact.theirName ?? "") ||
  shortAddress(contact.address)

/** Splits off the longest known name at the front, quoted or not, else one word. Names may hold spaces. */
function takeName(text: string, known: readonly string[]): [name: string, rest: string] {
  const quoted = /^"([^"]*)"\s*(.*)$/su.exec(text)
  if (quoted !== null) return [quoted[1] ?? "", quoted[2] ?? ""]
  const typed = text.toLowerCase()
  const best = known
    .map((name) => name.toLowerCase())
    .filter((name) => name !== "" && (typed === name || typed.startsWith(`${name} `)))
    .reduce((longest, name) => Math.max(longest, name.length), 0)
  const name = best === 0 ? (/^\S*/.exec(text)?.[0] ?? "") : text.slice(0, best)
  return [name, text.slice(name.length).trim()]
}

function takePeople(text: string, known: readonly string[]): string[] {
  const people: string[] = []
  let rest = text
  while (rest !== "") {
    const [name, after] = takeName(rest, known)
    if (name !== "") people.push(name)
    rest = after
  }
  return people
}

const unquoted = (text: string): string | null =>
  text.trim() === "" ? null : text.trim().replace(/^"(.*)"$/su, "$1")

/** What a sent line means. `//` begins a text with a slash. `known` are the names that arguments may use. */
export function interpret(line: string, known: readonly string[]): Intent {
  if (!line.startsWith("/") || line.startsWith("//") || line.includes("\n"))
    return { type: "say", text: line.startsWith("//") ? line.slice(1) : line }
  const [, name = "", rest = ""] = /^\/(\S*)\s*(.*)$/su.exec(line.trim()) ?? []
  switch (name) {
    case "add": {
      const [, code = "", called = ""] = /^(\S*)\s*(.*)$/su.exec(rest) ?? []
      return { type: "add", code, name: called === "" ? null : called }
    }
    case "accept":
    case "block":
    case "pq":
    case "verify":
      return { type: name, contact: rest === "" ? null : takeName(rest, known)[0] }
    case "open":
      return rest === ""
        ? wrong("Which chat? /open name")
        : { type: "open", contact: takeName(rest, known)[0] }
    case "rename": {
      if (rest === "") return wrong("What should they be called? /rename [name] new-name")
      const [contact, called] = takeName(rest, known)
      return called === ""
        ? { type: "rename", contact: null, name: rest }
        : { type: "rename", contact, name: called }
    }
    case "file": {
      const [path, text] = takeName(rest, [])
      return path === ""
        ? wrong("Which file? /file path, in quotes if it has spaces")
        : { type: "file", path, text }
    }
    case "save": {
      const [, id, folder = ""] = /^([0-9a-f]{4,32})?(?:^|\s+|$)(.*)$/su.exec(rest) ?? []
      return { type: "save", id: id ?? null, folder: unquoted(folder) }
    }
    case "group":
    case "pq-group": {
      const [called, people] = takeName(rest, [])
      return called === ""
        ? wrong(`What is it called, and who is in it? /${name} name person …`)
        : { type: name, name: called, people: takePeople(people, known) }
    }
    case "invite":
      return rest === ""
        ? wrong("Whom? /invite person …")
        : { type: "invite", people: takePeople(rest, known) }
    case "remove":
    case "admin": {
      const [, who = "", off] = /^(.*?)(\s+off)?$/su.exec(rest) ?? []
      const member = unquoted(name === "admin" ? who : rest)
      if (member === null) return wrong(`Whom? /${name} name`)
      return name === "remove"
        ? { type: name, member }
        : { type: name, member, admin: off === undefined }
    }
    case "title": {
      const called = unquoted(rest)
      return called === null
        ? wrong("What should the group be called? /title name")
        : { type: "title", name: called }
    }
    case "search":
      return { type: "search", query: rest }
    case "reply":
    case "edit":
    case "export":
    case "react":
    case "delete":
    case "disappear":
    case "tell":
    case "again":
    case "copy": {
      const intent = aboutIntent(name, rest)
      return typeof intent === "string" ? wrong(intent) : intent
    }
    case "backup":
      return { type: "backup", path: unquoted(rest) ?? "" }
    case "view":
      return { type: "view", id: rest === "" ? null : rest }
    case "contacts":
    case "help":
    case "hide":
    case "id":
    case "leave":
    case "members":
    case "next":
    case "quit":
    case "rejoin":
    case "retry":
    case "rotate":
    case "ticket":
      return { type: name }
    default: {
      const near = nearest(name)
      return wrong(
        `There is no /${name}.${near === null ? " /help shows all." : ` Did you mean /${near}?`}`,
      )
    }
  }
}

/** The command closest to a mistyped one, or null when none is close. */
export function nearest(name: string): string | null {
  let best: string | null = null
  let least = 3
  for (const { name: candidate } of COMMANDS) {
    const steps = distance(name, candidate)
    if (steps < least) [best, least] = [candidate, steps]
  }
  return best
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= Math.min(a.length, 32); i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      )
    row = next
  }
  return row[b.length] ?? 0
}

/** Whole lines that Tab may turn a line into, best first; empty when there is nothing to complete. */
export function completions(line: string, known: readonly string[]): string[] {
  const [, name = "", gap = "", rest = ""] = /^\/(\S*)(\s*)(.*)$/su.exec(line) ?? []
  if (!line.startsWith("/") || line.startsWith("//")) return []
  if (gap === "")
    return COMMANDS.filter((c) => c.name.startsWith(name)).map(
      (c) => `/${c.name}${c.usage === "" ? "" : " "}`,
    )
  const found = COMMANDS.find((c) => c.name === name)
  if (found?.completes === "people") return lastCompleted(`/${name} `, rest, known)
  if (found?.completes !== "contact") return []
  const typed = rest.toLowerCase()
  return known
    .filter((candidate) => candidate.toLowerCase().startsWith(typed) && candidate !== "")
    .map((candidate) => `/${name} ${candidate}`)
}

/** Of several names the last one is completed. */
function lastCompleted(before: string, rest: string, known: readonly string[]): string[] {
  const starts = [...rest.matchAll(/\S+/gu)].map(({ index }) => index)
  if (/^$|\s$/u.test(rest)) starts.push(rest.length)
  for (const start of starts) {
    const typed = rest.slice(start).toLowerCase()
    const fitting = known.filter((name) => name !== "" && name.toLowerCase().startsWith(typed))
    if (fitting.length > 0) return fitting.map((name) => before + rest.slice(0, start) + name)
  }
  return []
}

/** What the row above the composer says while a command is written. */
export function usageHint(line: string): string | null {
  if (!line.startsWith("/") || line.startsWith("//") || line.includes("\n")) return null
  const name = /^\/(\S*)/.exec(line)?.[1] ?? ""
  const found = COMMANDS.find((c) => c.name === name)
  if (found !== undefined)
    return `/${found.name}${found.usage === "" ? "" : ` ${found.usage}`} · ${found.help}`
  const fits = COMMANDS.filter((c) => c.name.startsWith(name))
  return fits.length === 0 ? null : fits.map((c) => `/${c.name}`).join(" ")
}
