/**
 * Groups in the chat, for the screen and for line mode: from a command to the call it means, and the words for what came of it.
 * Changes count once the ledger has ordered them; until then they are said to be asked for, never to be done.
 */
import type { Api, GroupView, Member, PendingChange } from "../node/api/types.ts"
import { contactName } from "./commands.ts"
import type { GroupIntent } from "./commands.ts"
import { entries } from "./model.ts"
import type { Model } from "./model.ts"
import { contactNamed, groupSignatureWords } from "./people.ts"
import { sanitizeName, shortAddress } from "./sanitize.ts"

/** What the node is asked about a group. `member`: an address, or a name as it stands in the group. */
export type GroupAsk =
  | {
      readonly what: "create"
      readonly name: string
      readonly people: readonly string[]
      readonly postQuantumSignatures: boolean
    }
  | { readonly what: "invite"; readonly thread: string; readonly people: readonly string[] }
  | { readonly what: "remove"; readonly thread: string; readonly member: string }
  | {
      readonly what: "admin"
      readonly thread: string
      readonly member: string
      readonly admin: boolean
    }
  | { readonly what: "title"; readonly thread: string; readonly name: string }
  | { readonly what: "accept" | "leave" | "rejoin" | "show"; readonly thread: string }

/** What a command comes to: a call, a question first, or why it cannot be. */
export type GroupPlan =
  | { readonly ask: GroupAsk }
  | { readonly confirm: "leave" | "hide"; readonly thread: string }
  | { readonly wrong: string }

type Known = Pick<Model, "threads" | "contacts" | "status">

/** `open`: key of the chat that is open. */
export function planGroup(known: Known, open: string | null, intent: GroupIntent): GroupPlan {
  if (intent.type === "group" || intent.type === "pq-group")
    return withPeople(known, intent.people, (people) => ({
      what: "create",
      name: intent.name,
      people,
      postQuantumSignatures: intent.type === "pq-group",
    }))
  const entry = entries(known).find(({ key }) => key === open)
  if (entry === undefined) return { wrong: "Open a chat first: /open name." }
  const thread = entry.key
  if (intent.type === "hide")
    return known.threads.has(thread)
      ? { confirm: "hide", thread }
      : { wrong: "Nothing is written here yet." }
  if (!entry.group) return { wrong: "That is a chat of two. Make a group with /group." }
  switch (intent.type) {
    case "invite":
      return withPeople(known, intent.people, (people) => ({ what: "invite", thread, people }))
    case "remove":
    case "admin": {
      const member = memberNamed(known, thread, intent.member)
      if (member === null)
        return { wrong: "That could be more than one of them. Give the address." }
      if (intent.type === "admin")
        return { ask: { what: "admin", thread, member, admin: intent.admin } }
      return member === known.status?.address
        ? { wrong: "That is you: /leave." }
        : { ask: { what: "remove", thread, member } }
    }
    case "title":
      return { ask: { what: "title", thread, name: intent.name } }
    case "members":
      return { ask: { what: "show", thread } }
    case "rejoin":
      return entry.left
        ? { wrong: "You are out of it: only somebody who runs it can bring you back." }
        : { ask: { what: "rejoin", thread } }
    case "leave":
      return entry.left ? { wrong: "You are out of it already." } : { confirm: "leave", thread }
  }
}

function withPeople(
  known: Known,
  names: readonly string[],
  ask: (people: string[]) => GroupAsk,
): GroupPlan {
  const people: string[] = []
  for (const name of names) {
    const contact = contactNamed(known, name)
    if (typeof contact === "string") return { wrong: contact }
    people.push(contact.address)
  }
  return { ask: ask([...new Set(people)]) }
}

/**
 * The address of the one contact in the group that is called exactly so on screen; null when there are several. The node knows
 * those who are no contacts by what they are called there. Nobody is removed by half a name.
 */
function memberNamed(known: Known, thread: string, name: string): string | null {
  const wanted = name.toLowerCase()
  const [first, second] = (known.threads.get(thread)?.members ?? []).filter((address) => {
    const contact = known.contacts.get(address)
    return contact !== undefined && contactName(contact).toLowerCase() === wanted
  })
  return second === undefined ? (first ?? name) : null
}

/** After something else on the same line. */
export const withDot = (words: string): string => (words === "" ? "" : ` · ${words}`)

const nameOr = (name: string, otherwise: string): string => sanitizeName(name) || otherwise

export async function askGroup(
  api: Api,
  ask: GroupAsk,
  options: { readonly signal?: AbortSignal } = {},
): Promise<GroupView> {
  switch (ask.what) {
    case "create": {
      const { name, people: members, postQuantumSignatures } = ask
      const params = { name, members, postQuantumSignatures }
      return (await api.call("groups.create", params, options)).group
    }
    case "invite": {
      const params = { group: ask.thread, members: ask.people }
      return (await api.call("groups.add", params, options)).group
    }
    case "remove": {
      const params = { group: ask.thread, member: ask.member }
      return (await api.call("groups.remove", params, options)).group
    }
    case "admin": {
      const params = { group: ask.thread, member: ask.member, admin: ask.admin }
      return (await api.call("groups.admin", params, options)).group
    }
    case "title": {
      const params = { group: ask.thread, name: ask.name }
      return (await api.call("groups.rename", params, options)).group
    }
    case "accept":
      return (await api.call("groups.accept", { group: ask.thread }, options)).group
    case "rejoin":
      return (await api.call("groups.rejoin", { group: ask.thread }, options)).group
    case "leave":
      return (await api.call("groups.leave", { group: ask.thread }, options)).group
    case "show":
      return (await api.call("groups.show", { group: ask.thread }, options)).group
  }
}

/** What is said once the node has taken it. */
export function saidOf({ what }: GroupAsk, group: GroupView): string {
  const name = sanitizeName(group.name)
  switch (what) {
    case "create":
      return `${name} is founded, and you run it. ${waitingOf(group)}`.trim()
    case "accept":
      return `You stay in ${name}.`
    case "rejoin":
      return `The members of ${name} are asked to let you in anew. What you write meanwhile waits.`
    case "leave":
      return `You are out of ${name}: your keys of it are destroyed. /hide takes away what was said.`
    case "show":
    case "invite":
    case "remove":
    case "admin":
    case "title":
      return waitingOf(group) || "It is so."
  }
}

/** The newest wish in words; more would not fit beside it. */
function waitingOf({ pending }: GroupView): string {
  const newest = pending.at(-1)
  if (newest === undefined) return ""
  const more = pending.length > 1 ? ` and ${pending.length - 1} more` : ""
  return `Asked for: ${pendingWords(newest)}${more}. It counts once it is ordered: see /members.`
}

export function pendingWords(change: PendingChange): string {
  const { kind, who, whoName, name, admin, lacksKey } = change
  const person = nameOr(whoName ?? "", who === null ? "somebody" : shortAddress(who))
  switch (kind) {
    case "add":
      return lacksKey
        ? `${person} is in it (no key of theirs for post-quantum signatures is found; /group makes one without)`
        : `${person} is in it`
    case "remove":
      return `${person} is out of it`
    case "rename":
      return `it is called ${sanitizeName(name ?? "")}`
    case "admin":
      return admin === true ? `${person} runs it too` : `${person} does not run it`
    case "renew":
      return "you have new keys"
    case "leave":
      return "you are out of it"
    case "return":
      return "you are let in anew; its members are being asked"
  }
}

export const memberName = ({ me, name, address }: Member): string =>
  me ? "you" : nameOr(name, shortAddress(address))

/** What is known of a member, in words; empty when there is nothing to say. */
export const memberWords = ({ admin, here, me, vouched }: Member): string =>
  [
    admin ? "runs it" : "",
    here || me ? "" : "added, not arrived yet",
    vouched || me ? "" : "not vouched for: no card found yet",
  ]
    .filter((words) => words !== "")
    .join(", ")

/** Line mode's page of members. */
export const membersText = (group: GroupView): string => {
  const { name, members, pending } = group
  const people = members.length === 1 ? "person" : "people"
  return [
    `${sanitizeName(name)}: ${members.length} ${people}${withDot(groupSignatureWords(group))}.`,
    ...members.map((member) => {
      const words = memberWords(member)
      return words === "" ? memberName(member) : `${memberName(member)}: ${words}`
    }),
    ...pending.map((change) => `Not so yet: ${pendingWords(change)}.`),
  ].join("\n")
}

export const HIDDEN =
  "It is erased here. Others keep theirs, and it comes back when something is said."

/** What is asked before; the title is the entry's. */
export const questionOf = (what: "leave" | "hide", title: string): string =>
  what === "leave"
    ? `Leave ${title}? Your keys of it are destroyed at once; only somebody who runs it can bring you back.`
    : `Erase what was said in ${title} here? There is no way back. Others keep theirs.`
