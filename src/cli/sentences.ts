/** What a person does next, by error code, for somebody at a command line. Total: a new code cannot be forgotten. */
import type { ApiErrorCode, LedgerProblem } from "../node/api/types.ts"

const NEXT: Readonly<Record<ApiErrorCode, string | undefined>> = {
  NO_MESH: "found a mesh with `sotto init`, or join one with `sotto join TICKET`",
  NO_LEDGER:
    "it was founded without validators; another mesh can have them: `sotto join --name NAME`",
  NOT_OPERATOR: "ask somebody who runs a validator: `sotto validators` lists them",
  UNKNOWN_PROPOSAL: "`sotto validators proposals` lists those that are open",
  UNKNOWN_MEMBER: "`sotto mesh members` lists them",
  NOT_INVITED:
    "ask an operator for a ticket of `sotto mesh invite`; until then every message costs some work",
  VOUCHER_USED:
    "ask for another ticket: each makes one member; until then every message costs some work",
  BAD_VOUCHER: "ask for another ticket: its operator may have left, or it is of another kind",
  UNKNOWN_VALIDATOR: "`sotto validators` lists the keys; 8 digits or more name one",
  CHANGE_REFUSED: "`sotto validators` and `sotto validators proposals` show how things stand",
  NO_IDENTITY: "make one with `sotto init`",
  LOCKED: "open it with `sotto unlock`, or give --passphrase-file",
  ALREADY_EXISTS: "another profile can have another: `sotto --profile NAME init`",
  WRONG_PASSPHRASE: "try again; nothing was changed",
  WEAK_PASSPHRASE: "take a longer one: four random words are good",
  BAD_TICKET: "copy it whole, from `sotto-invite1` to its last character",
  OTHER_MESH: "this profile belongs to another mesh; use another with --profile NAME",
  UNREACHABLE: "ask whoever gave you the ticket to run their node, then try again",
  BAD_ADDRESS: "copy it whole, from `sotto1` to its last character",
  UNKNOWN_CONTACT: "`sotto contact list` shows whom you know",
  AMBIGUOUS_CONTACT: "write more of the name or the address",
  UNKNOWN_THREAD: "`sotto threads` shows them",
  NOT_YOURS: "without --for-all it is deleted here, for you alone",
  TOO_OLD: "a message can be edited for a day; `sotto send --reply-to` says more",
  NO_WORDS: "`sotto delete` takes away here what is left of it",
  BAD_REACTION: "one to three emoji, each an argument of its own; --undo takes them back",
  NO_EVIDENCE:
    "messages of before this version, before a backup came back, or beside a text that was deleted cannot be shown; others may still have what it takes",
  NO_CARD: "try again when its author, or somebody who knows them, is on line",
  ENVELOPE_GONE:
    "nothing shows it without; peers keep the newest envelopes: somebody with more room may have it",
  NOT_ORDERED:
    "try again when `sotto read` shows it in order, or export it with --without-order: that shows who wrote it, and not when",
  OTHERS_INSIDE: "--with-others takes them along; nothing was written",
  UNKNOWN_MESSAGE: "`sotto read --json` shows the ids",
  BLOCKED_CONTACT: "`sotto contact accept` takes the block back",
  NOT_A_GROUP: "that is a chat of two; `sotto threads` shows the groups",
  NOT_ADMIN: "`sotto group show` shows who runs it: ask one of them",
  NOT_A_MEMBER: "`sotto group show` shows who is in it",
  LAST_ADMIN: "name another first: `sotto group admin GROUP NAME`",
  GROUP_FULL: "remove somebody first, or make another group",
  NO_POST_QUANTUM_KEY:
    "the node makes one within a minute of running: try again then; `sotto identity rotate` does it at once",
  IDENTITY_CHANGED:
    "`sotto verify CONTACT` compares numbers; or `sotto contact accept --anyway`, or `sotto contact block`",
  NUMBER_DIFFERS:
    "compare again, digit by digit; if it stays, somebody may be between you: do not trust this contact",
  NOT_A_FILE: "`sotto files` shows which messages bring one",
  NO_FILE: "give the path of a file that you may read",
  NO_FOLDER: "make the folder first, or name another",
  FILE_EXISTS: "give it another name (of what is saved: --as NAME), or replace it with --overwrite",
  FILE_CHANGED: "send it again when nothing writes to it",
  FILE_TOO_LARGE: "at most 1 GiB is sent or saved",
  FILE_FAILED: "look whether the folder may be written to",
  CANCELLED: "start it again any time: what is there is not fetched twice",
  BLOB_TOO_LARGE: "at most 1 GiB is sent",
  BLOB_DAMAGED: "ask its author to send it again",
  BLOB_MISSING: "try again later, or ask its author to send it again",
  BLOBS_FULL: "give the node more room with --keep GIB",
  NOT_AN_IMAGE: "`sotto save` saves it",
  IMAGE_TOO_LARGE: "`sotto save` saves it",
  IMAGE_DAMAGED: "`sotto save` saves it",
  MESSAGE_TOO_LONG: "send it in parts",
  MESSAGE_EMPTY: "say something: -m TEXT or standard input",
  QUEUE_FULL: "wait until some of what is queued has left; `sotto status` shows how much",
  BAD_QUERY:
    "words, from:NAME, in:CHAT, has:file, before:DAY and after:DAY, with DAY like 2026-11-20",
  BAD_PARAMS: undefined,
  UNKNOWN_METHOD: "the running node is another version: restart it",
  BUSY: "try again in a moment",
  BAD_FILE: "look at the path; nothing was changed",
  BAD_BACKUP: "take another copy of it; nothing was changed",
  STORE_DAMAGED:
    "`sotto ledger forget` if it is the mesh's order that is damaged; else restore a backup, or start anew in another --data directory",
  STORE_NEWER: "a newer sotto wrote it: update this one",
  DISK_FULL: "make room on the disk; nothing was lost",
  PROOF_FILES_DAMAGED: "install sotto again; nothing of yours was changed",
  LISTEN_FAILED: "name others with --listen, or end what listens there already",
  STOPPING: "try again once it has stopped",
  GONE: "start a node with `sotto node`, or try again: `sotto doctor` looks for the cause",
  INTERNAL: "the node's log says more",
}

export const nextStep = (code: ApiErrorCode): string | undefined => NEXT[code]

/** What keeps this peer from its part in the ledger, and what its operator does about it. */
export const LEDGER_PROBLEMS: Readonly<
  Record<LedgerProblem["code"], { readonly what: string; readonly next: string }>
> = {
  IMPOSSIBLE_STATE: {
    what: "this validator met what cannot be, and votes no more",
    next:
      "ask the other validators: if they go on, what this one has on disk is wrong: stop the node, `sotto ledger forget`, and start it " +
      "again; where the cause is known and gone, `sotto ledger resume` keeps the chain instead; if they have stopped as well, too many " +
      "validators are faulty",
  },
  STOPPED: {
    what: "this peer could not write what it must not forget, and has stopped",
    next: "look at the disk (`df -h`, the node's log), then stop the node and start it again",
  },
  MEMORY_LOST: {
    what: "what this validator signed is lost, and it is the only one: nobody can tell it",
    next:
      "connect every peer that was here lately, as one may hold a later block; then `sotto ledger resume`: a block that was signed " +
      "and is not here by then splits the mesh",
  },
  FORKED: {
    what: "the validators have signed two orders, and this peer follows the first",
    next:
      "ask the mesh's operators: more validators are faulty than it tolerates; once they agree on one order, stop the node, " +
      "`sotto ledger forget`, and start it again",
  },
}
