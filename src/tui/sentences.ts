/**
 * What went wrong, in words a person can act on: one sentence and one next step for every code of the API, total by type.
 * Shared by the screen, line mode and the command line; never shows what the node's own message said unless there is no
 * code, since that text is for logs.
 */
import type { ApiErrorCode } from "../node/api/types.ts"
import { sanitizeLine } from "./sanitize.ts"

export interface Sentence {
  readonly what: string
  readonly next: string
}

export const SENTENCES: Readonly<Record<ApiErrorCode, Sentence>> = {
  NO_MESH: { what: "This profile is in no mesh yet.", next: "Join one with a ticket, or found your own." },
  NO_LEDGER: { what: "This mesh has no validators: nothing is put in order.", next: "Chat goes on as it is." },
  NOT_OPERATOR: { what: "Only who runs a validator can do this.", next: "Ask one of them." },
  UNKNOWN_PROPOSAL: { what: "There is no such proposal.", next: "Run sotto validators proposals for a list." },
  UNKNOWN_VALIDATOR: { what: "There is no such validator.", next: "Run sotto validators for a list." },
  CHANGE_REFUSED: { what: "The ledger does not allow this now.", next: "Run sotto validators to see how things stand." },
  NO_IDENTITY: { what: "This profile has no identity yet.", next: "Run sotto and choose a name." },
  LOCKED: { what: "The vault is locked.", next: "Enter the passphrase first." },
  ALREADY_EXISTS: { what: "This profile has an identity already.", next: "Use another profile for a second one." },
  WRONG_PASSPHRASE: { what: "That passphrase does not open the vault.", next: "Try again; nothing was lost." },
  WEAK_PASSPHRASE: { what: "That passphrase is too easy to guess.", next: "Take a longer one: four unrelated words do well." },
  BAD_TICKET: { what: "That is not a complete invite ticket.", next: "Copy it again, from sotto-invite1 to its end." },
  OTHER_MESH: { what: "That ticket belongs to another mesh.", next: "Join that mesh with a profile of its own." },
  UNREACHABLE: { what: "Nobody at the addresses of that ticket answered.", next: "Ask whoever gave it to you to run their node, then try again." },
  BAD_ADDRESS: { what: "That is not a complete code.", next: "Copy it again: it begins with sotto1 and has no spaces." },
  UNKNOWN_CONTACT: { what: "There is no contact of that name.", next: "See /contacts, or add them with /add." },
  AMBIGUOUS_CONTACT: { what: "That could be more than one contact.", next: "Write more of the name." },
  UNKNOWN_THREAD: { what: "There is no such conversation.", next: "Choose one from the list." },
  UNKNOWN_MESSAGE: { what: "That message is not here any more.", next: "Scroll to see what is." },
  BLOCKED_CONTACT: { what: "You blocked this contact.", next: "Take them back with /accept first." },
  IDENTITY_CHANGED: { what: "Another identity goes by the name of a contact of yours.", next: "Open their chat to decide: compare numbers, accept anyway, or block." },
  NUMBER_DIFFERS: { what: "That is not the safety number of this contact.", next: "Compare again; if it stays, do not trust this contact." },
  MESSAGE_TOO_LONG: { what: "That message is too long.", next: "Send it in parts." },
  MESSAGE_EMPTY: { what: "There is nothing to send.", next: "Write something first." },
  QUEUE_FULL: { what: "Too many messages are waiting to go out.", next: "Wait until peers are reached, then send again." },
  BAD_PARAMS: { what: "The node did not understand that.", next: "If it happens again, the screen and the node are of different versions." },
  UNKNOWN_METHOD: { what: "The running node does not know how to do that.", next: "Restart it: it is older than this screen." },
  BUSY: { what: "Another process holds this profile.", next: "Close it, or use it instead." },
  BAD_FILE: { what: "That file cannot be read or written.", next: "Look at its path and its owner." },
  BAD_BACKUP: { what: "That is no whole backup: it is altered, or cut off.", next: "Take another copy of it; nothing was changed." },
  STORE_DAMAGED: { what: "The stored data is damaged.", next: "Restore a backup, or start a new profile." },
  STORE_NEWER: { what: "The stored data was written by a newer sotto.", next: "Update sotto." },
  DISK_FULL: { what: "The disk is full.", next: "Make room; nothing that was kept is lost." },
  STOPPING: { what: "The node is shutting down.", next: "Start sotto again in a moment." },
  GONE: { what: "The node has gone away.", next: "Start sotto again." },
  INTERNAL: { what: "Something failed inside sotto.", next: "Its log says more." },
} // prettier-ignore

/** The stable code that an error carries, INTERNAL when it carries none of ours. */
export function codeOf(error: unknown): ApiErrorCode {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : null
  return typeof code === "string" && Object.hasOwn(SENTENCES, code)
    ? (code as ApiErrorCode)
    : "INTERNAL"
}

export const sentenceOf = (error: unknown): Sentence => SENTENCES[codeOf(error)]

/** Why a screen could not start. An error with a code of another part speaks for itself; its message is meant for people. */
export function startSentence(error: unknown): Sentence {
  const foreign = error instanceof Error && "code" in error && codeOf(error) === "INTERNAL"
  return foreign ? { what: sanitizeLine(error.message).slice(0, 400), next: "" } : sentenceOf(error)
}

/** Both halves on one line. */
export const spoken = (error: unknown): string => {
  const { what, next } = sentenceOf(error)
  return `${what} ${next}`
}

/** Why a message was not sent. Failures carry codes of the node's own; those without a sentence are shown as they are. */
export const failureOf = (failure: string | null): string => {
  if (failure === null) return "Not sent."
  const known = Object.hasOwn(SENTENCES, failure) ? SENTENCES[failure as ApiErrorCode].what : null
  return known ?? `Not sent (${sanitizeLine(failure).slice(0, 60)}).`
}
