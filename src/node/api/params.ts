/**
 * What each method takes, checked before the node sees it. Strict: a field that is missing, unknown, of another type or out
 * of its bounds is BAD_PARAMS and the message names the field, never its value (it may be a passphrase). Whether a ticket or
 * an address *means* something is the node's business, not decided here.
 */
import { PERIOD_SECONDS_MAX, PERIOD_SECONDS_MIN } from "../../crypto/genesis.ts"
import { ApiError } from "./errors.ts"
import type { Method, Params } from "./types.ts"

/** Longest text a message may have on the wire, in UTF-16 units; the node's own limit is lower and has its own code. */
export const TEXT_MAX = 262_144
export const NAME_MAX = 128
export const PASSPHRASE_MAX = 1024
/** Addresses, petnames, thread ids, positions. */
export const REFERENCE_MAX = 256
/** A ticket carries addresses of peers and may be long. */
export const TICKET_MAX = 8192
export const PAGE_MAX = 500
/** Characters of a search. */
export const QUERY_MAX = 1024

interface Rule<T> {
  readonly expected: string
  accepts(value: unknown): value is T
}

type Field<T> = undefined extends T
  ? { readonly optional: true; readonly rule: Rule<Exclude<T, undefined>> }
  : { readonly optional: false; readonly rule: Rule<T> }

type Shape<P> = { readonly [K in keyof P]-?: Field<P[K]> }

const required = <T>(rule: Rule<T>) => ({ optional: false, rule }) as const
const optional = <T>(rule: Rule<T>) => ({ optional: true, rule }) as const

function text(min: number, max: number): Rule<string> {
  return {
    expected: `a well-formed string of ${min} to ${max} characters`,
    accepts: (value): value is string =>
      typeof value === "string" &&
      value.length >= min &&
      value.length <= max &&
      value.isWellFormed(),
  }
}

function orNull<T>(rule: Rule<T>): Rule<T | null> {
  return {
    expected: `${rule.expected}, or null`,
    accepts: (value): value is T | null => value === null || rule.accepts(value),
  }
}

const messageId: Rule<string> = {
  expected: "32 lower-case hexadecimal digits",
  accepts: (value): value is string => typeof value === "string" && /^[0-9a-f]{32}$/.test(value),
}

const pageLimit: Rule<number> = {
  expected: `a whole number from 1 to ${PAGE_MAX}`,
  accepts: (value): value is number =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= PAGE_MAX,
}

/** As many as a genesis holds, each 2.7 KB. */
export const VALIDATOR_KEYS_MAX = 64
export const VALIDATOR_KEY_MAX = 4096

const validatorKeys: Rule<readonly string[]> = {
  expected: `a list of at most ${VALIDATOR_KEYS_MAX} validator keys`,
  accepts: (value): value is readonly string[] =>
    Array.isArray(value) &&
    value.length <= VALIDATOR_KEYS_MAX &&
    value.every((each) => text(1, VALIDATOR_KEY_MAX).accepts(each)),
}

/** People named at once: as many as a group holds. */
export const PEOPLE_MAX = 256

const people: Rule<readonly string[]> = {
  expected: `a list of at most ${PEOPLE_MAX} contacts`,
  accepts: (value): value is readonly string[] =>
    Array.isArray(value) &&
    value.length <= PEOPLE_MAX &&
    value.every((each) => text(1, REFERENCE_MAX).accepts(each)),
}
const whole = (min: number, max: number): Rule<number> => ({
  expected: `a whole number from ${min} to ${max}`,
  accepts: (value): value is number =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
})
/** Tickets made in one call. */
export const INVITE_MAX = 1000
const count = whole(1, INVITE_MAX)
const bits = whole(0, 32)
const seconds = whole(PERIOD_SECONDS_MIN, PERIOD_SECONDS_MAX)

/** Longest path a file may have here; systems differ, this is Linux'. */
export const PATH_MAX = 4096

const filePath: Rule<string> = {
  expected: `an absolute path of at most ${PATH_MAX} characters`,
  accepts: (value): value is string =>
    text(2, PATH_MAX).accepts(value) && value.startsWith("/") && !value.includes("\0"),
}

const PREVIEW_SIDE_MAX = 4096
const side: Rule<number> = {
  expected: `a whole number from 1 to ${PREVIEW_SIDE_MAX}`,
  accepts: (value): value is number =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= PREVIEW_SIDE_MAX,
}

const references: Rule<readonly string[]> = {
  expected: `a list of at most ${VALIDATOR_KEYS_MAX} references`,
  accepts: (value): value is readonly string[] =>
    Array.isArray(value) &&
    value.length <= VALIDATOR_KEYS_MAX &&
    value.every((each) => reference.accepts(each)),
}

/** Spaces between the groups do no harm. */
const safetyNumber = text(60, 120)

const flag: Rule<boolean> = {
  expected: "true or false",
  accepts: (value): value is boolean => typeof value === "boolean",
}

const LIFETIME_MAX = 31_536_000
/** Seconds or blocks. */
const lifetime = whole(1, LIFETIME_MAX)

const SIGNS_MAX = 3
const SIGN_MAX = 32
const signs: Rule<readonly string[]> = {
  expected: `a list of at most ${SIGNS_MAX} emoji`,
  accepts: (value): value is readonly string[] =>
    Array.isArray(value) &&
    value.length <= SIGNS_MAX &&
    value.every((each) => text(1, SIGN_MAX).accepts(each)),
}

const name = text(1, NAME_MAX)
const reference = text(1, REFERENCE_MAX)
const ticket = text(1, TICKET_MAX)
const passphrase = text(0, PASSPHRASE_MAX)

const SHAPES: { readonly [M in Method]: Shape<Params<M>> } = {
  status: {},
  "profile.create": {
    name: required(name),
    passphrase: required(orNull(passphrase)),
    ticket: optional(ticket),
  },
  "profile.restore": { path: required(filePath), passphrase: required(passphrase) },
  "mesh.join": {
    ticket: optional(ticket),
    name: optional(name),
    validators: optional(validatorKeys),
    open: optional(flag),
    powBits: optional(bits),
    periodSeconds: optional(seconds),
  },
  "validator.key": {},
  "validators.list": {},
  "validators.propose": { add: required(validatorKeys), remove: required(references) },
  "proposals.list": {},
  "proposals.approve": { proposal: required(reference) },
  "ledger.show": {},
  "ledger.resume": {},
  "ledger.verify": {},
  "mesh.ticket": {},
  "mesh.invite": { count: required(count) },
  "members.list": {},
  "members.join": { ticket: optional(ticket) },
  "members.cancel": {},
  "members.revoke": { member: required(reference) },
  unlock: { passphrase: required(passphrase) },
  id: {},
  "identity.show": {},
  "identity.rotate": { forgetOld: optional(flag) },
  "contacts.list": {},
  "contacts.add": {
    code: required(ticket),
    name: optional(name),
    postQuantumSignatures: optional(flag),
  },
  "contacts.remove": { contact: required(reference) },
  "contacts.accept": { contact: required(reference), anyway: optional(flag) },
  "contacts.safety": { contact: required(reference) },
  "contacts.verify": { contact: required(reference), number: required(safetyNumber) },
  "contacts.unverify": { contact: required(reference) },
  "contacts.block": { contact: required(reference) },
  "contacts.rename": { contact: required(reference), name: required(name) },
  "groups.create": {
    name: required(name),
    members: required(people),
    postQuantumSignatures: optional(flag),
  },
  "groups.show": { group: required(reference) },
  "groups.add": { group: required(reference), members: required(people) },
  "groups.remove": { group: required(reference), member: required(reference) },
  "groups.rename": { group: required(reference), name: required(name) },
  "groups.admin": {
    group: required(reference),
    member: required(reference),
    admin: required(flag),
  },
  "groups.accept": { group: required(reference) },
  "groups.rejoin": { group: required(reference) },
  "groups.leave": { group: required(reference) },
  "threads.hide": { thread: required(reference) },
  "threads.list": {},
  "messages.search": { query: required(text(1, QUERY_MAX)), limit: required(pageLimit) },
  "messages.page": {
    thread: required(reference),
    before: optional(reference),
    after: optional(reference),
    limit: required(pageLimit),
  },
  "messages.send": {
    to: required(reference),
    text: required(text(0, TEXT_MAX)),
    id: optional(messageId),
    replyTo: optional(messageId),
  },
  "messages.react": { id: required(messageId), signs: required(signs) },
  "messages.edit": { id: required(messageId), text: required(text(0, TEXT_MAX)) },
  "messages.delete": { id: required(messageId), forAll: optional(flag) },
  "messages.export": {
    id: required(messageId),
    path: required(filePath),
    others: optional(flag),
    unordered: optional(flag),
    original: optional(flag),
    replace: optional(flag),
  },
  "messages.show": { id: required(messageId) },
  "threads.lifetime": {
    thread: required(reference),
    seconds: optional(lifetime),
    blocks: optional(lifetime),
  },
  "threads.tell": { thread: required(reference), read: optional(flag), typing: optional(flag) },
  "threads.again": { thread: required(reference) },
  "threads.typing": { thread: required(reference), active: required(flag) },
  "messages.retry": { id: required(messageId) },
  "files.send": {
    to: required(reference),
    path: required(filePath),
    text: optional(text(0, TEXT_MAX)),
    id: optional(messageId),
  },
  "files.list": { thread: optional(reference), limit: optional(pageLimit) },
  "files.save": {
    id: required(messageId),
    directory: required(filePath),
    name: optional(text(1, PATH_MAX)),
    overwrite: optional(flag),
  },
  "files.preview": { id: required(messageId), width: required(side), height: required(side) },
  "files.cancel": { id: required(messageId) },
  "transfers.list": {},
  "threads.read": { thread: required(reference), through: required(reference) },
  "backup.write": {
    path: required(filePath),
    passphrase: required(passphrase),
    replace: optional(flag),
  },
  subscribe: {},
  stop: {},
}

export const METHODS = Object.keys(SHAPES) as readonly Method[]

export const isMethod = (value: unknown): value is Method =>
  typeof value === "string" && Object.hasOwn(SHAPES, value)

/**
 * `params` as the method's own type, or ApiError BAD_PARAMS naming the field. Absent params count as none. The result is a
 * new object that holds exactly the known fields.
 */
export function checkParams<M extends Method>(method: M, params: unknown): Params<M> {
  const shape: Readonly<Record<string, { optional: boolean; rule: Rule<unknown> }>> = SHAPES[method]
  const given = params === undefined ? {} : params
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new ApiError("BAD_PARAMS", `${method}: params must be an object`)
  for (const field of Object.keys(given))
    if (!Object.hasOwn(shape, field))
      throw new ApiError("BAD_PARAMS", `${method}: there is no field ${shown(field)}`)
  const fields = given as Readonly<Record<string, unknown>>
  const checked: Record<string, unknown> = {}
  for (const [field, { optional: mayMiss, rule }] of Object.entries(shape)) {
    if (!Object.hasOwn(fields, field)) {
      if (mayMiss) continue
      throw new ApiError("BAD_PARAMS", `${method}: ${field} is missing; it is ${rule.expected}`)
    }
    if (!rule.accepts(fields[field]))
      throw new ApiError("BAD_PARAMS", `${method}: ${field} must be ${rule.expected}`)
    checked[field] = fields[field]
  }
  return checked
}

/** A field name from outside, cut and quoted so that it can stand in a message. */
const shown = (field: string) => JSON.stringify(field.slice(0, 40).toWellFormed())
