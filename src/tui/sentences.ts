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
  NO_LEDGER: { what: "This mesh has no validators: nothing is put in order, and a group needs that.", next: "Chat of two goes on as it is; groups take a mesh with validators." },
  NOT_OPERATOR: { what: "Only who runs a validator can do this.", next: "Ask one of them." },
  UNKNOWN_PROPOSAL: { what: "There is no such proposal.", next: "Run sotto validators proposals for a list." },
  UNKNOWN_MEMBER: { what: "There is no such member.", next: "Run sotto mesh members for a list." },
  NOT_INVITED: { what: "This mesh takes members by invitation only.", next: "Ask an operator; until then messages cost some work." },
  VOUCHER_USED: { what: "This invitation has made a member already.", next: "Ask for another; until then messages cost some work." },
  BAD_VOUCHER: { what: "Nobody of this mesh vouches for this invitation.", next: "Ask for another; until then messages cost some work." },
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
  NOT_YOURS: {
    what: "Only its author can do that to a message.",
    next: "It can be deleted here, for you alone.",
  },
  TOO_OLD: {
    what: "A message can be edited for a day after it was sent.",
    next: "Write another one, or delete it.",
  },
  NO_WORDS: { what: "There is nothing left of that message.", next: "It can be deleted here." },
  NO_EVIDENCE: { what: "What would show who signed it was not kept here, or is gone.", next: "Whoever else has the message may be able to." },
  NO_CARD: { what: "No card of its author that names the key is here or can be found.", next: "Try again when they are on line." },
  ENVELOPE_GONE: { what: "The envelope that carried it is not kept any more, and nothing shows it without.", next: "Somebody who keeps more may have it." },
  NOT_ORDERED: { what: "It has no place in the order, which the file would show.", next: "Wait for it, or /export unordered file: that shows who wrote it, not when." },
  OTHERS_INSIDE: { what: "Other texts of its author travelled under the same signature and would be in the file. Nothing was written.", next: "To show them too: /export others file." },
  BAD_REACTION: { what: "A reaction is one to three emoji.", next: "Say it in words." },
  UNKNOWN_MESSAGE: { what: "That message is not here any more.", next: "Scroll to see what is." },
  BLOCKED_CONTACT: { what: "You blocked this contact.", next: "Take them back with /accept first." },
  NOT_A_GROUP: { what: "That is a chat of two.", next: "Make a group with /group." },
  NOT_ADMIN: { what: "Only those who run the group can do that.", next: "Ask one of them: /members shows who they are." },
  NOT_A_MEMBER: { what: "You, or they, are not in that group.", next: "See who is with /members." },
  LAST_ADMIN: { what: "Somebody has to run the group.", next: "Name another first: /admin name." },
  GROUP_FULL: { what: "The group is full.", next: "Remove somebody first, or make another." },
  NO_POST_QUANTUM_KEY: { what: "This identity has no key for post-quantum signatures yet.", next: "One is made within a minute: try again then, or /rotate." },
  IDENTITY_CHANGED: { what: "Another identity goes by the name of a contact of yours.", next: "Open their chat to decide: compare numbers, accept anyway, or block." },
  NUMBER_DIFFERS: { what: "That is not the safety number of this contact.", next: "Compare again; if it stays, do not trust this contact." },
  NOT_A_FILE: { what: "That message brings no file.", next: "Choose one that does." },
  NO_FILE: { what: "There is no such file, or it cannot be read.", next: "Give the path of a file of yours." },
  NO_FOLDER: { what: "There is no such folder to save into.", next: "Make it, or choose another with /save DIR." },
  FILE_EXISTS: { what: "There is something of that name already.", next: "Nothing was overwritten: save into another folder." },
  FILE_CHANGED: { what: "The file changed while it was being read.", next: "Send it again when nothing writes to it." },
  FILE_TOO_LARGE: { what: "That file is too large.", next: "At most 1 GiB is sent or saved, and images of 16 MiB are shown." },
  FILE_FAILED: { what: "The file could not be written.", next: "Look whether the folder may be written to." },
  CANCELLED: { what: "That was called off.", next: "Start it again any time: what is there is not fetched twice." },
  BLOB_TOO_LARGE: { what: "That file is too large.", next: "At most 1 GiB is sent." },
  BLOB_DAMAGED: { what: "That file was sent wrong: its parts do not fit together.", next: "Ask its author to send it again." },
  BLOB_MISSING: { what: "Nobody who is connected has that file.", next: "Try again later, or ask its author to send it again." },
  BLOBS_FULL: { what: "There is no room for more files here.", next: "Give the node more with --keep GIB." },
  NOT_AN_IMAGE: { what: "That is no image that can be shown.", next: "PNG, JPEG, GIF and BMP can; save it with /save instead." },
  IMAGE_TOO_LARGE: { what: "That image is too large to be shown.", next: "Images of up to 40 million pixels are; save it with /save instead." },
  IMAGE_DAMAGED: { what: "That image is damaged.", next: "It can still be saved with /save." },
  MESSAGE_TOO_LONG: { what: "That message is too long.", next: "Send it in parts." },
  MESSAGE_EMPTY: { what: "There is nothing to send.", next: "Write something first." },
  QUEUE_FULL: { what: "Too many messages are waiting to go out.", next: "Wait until peers are reached, then send again." },
  BAD_QUERY: { what: "That cannot be searched for.", next: "Words, from:name, in:chat, has:file, before:2026-11-20, after:monday." },
  BAD_PARAMS: { what: "The node did not understand that.", next: "If it happens again, the screen and the node are of different versions." },
  UNKNOWN_METHOD: { what: "The running node does not know how to do that.", next: "Restart it: it is older than this screen." },
  BUSY: { what: "Another process holds this profile.", next: "Close it, or use it instead." },
  BAD_FILE: { what: "That file cannot be read or written.", next: "Look at its path and its owner." },
  BAD_BACKUP: { what: "That is no whole backup: it is altered, or cut off.", next: "Take another copy of it; nothing was changed." },
  STORE_DAMAGED: { what: "The stored data is damaged.", next: "Restore a backup, or start a new profile." },
  STORE_NEWER: { what: "The stored data was written by a newer sotto.", next: "Update sotto." },
  DISK_FULL: { what: "The disk is full.", next: "Make room; nothing that was kept is lost." },
  PROOF_FILES_DAMAGED: { what: "A file that sotto came with is missing or damaged.", next: "Install sotto again; nothing of yours was changed." },
  LISTEN_FAILED: { what: "This peer cannot listen at the addresses it was given.", next: "Name others, or end what listens there already." },
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
