/** What a person does next, by error code, for somebody at a command line. Total: a new code cannot be forgotten. */
import type { ApiErrorCode } from "../node/api/types.ts"

const NEXT: Readonly<Record<ApiErrorCode, string | undefined>> = {
  NO_MESH: "found a mesh with `sotto init`, or join one with `sotto join TICKET`",
  NO_LEDGER:
    "it was founded without validators; another mesh can have them: `sotto join --name NAME`",
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
  UNKNOWN_MESSAGE: "`sotto read --json` shows the ids",
  BLOCKED_CONTACT: "`sotto contact accept` takes the block back",
  NOT_A_GROUP: "that is a chat of two; `sotto threads` shows the groups",
  NOT_ADMIN: "`sotto group show` shows who runs it: ask one of them",
  NOT_A_MEMBER: "`sotto group show` shows who is in it",
  LAST_ADMIN: "name another first: `sotto group admin GROUP NAME`",
  GROUP_FULL: "remove somebody first, or make another group",
  IDENTITY_CHANGED:
    "`sotto verify CONTACT` compares numbers; or `sotto contact accept --anyway`, or `sotto contact block`",
  NUMBER_DIFFERS:
    "compare again, digit by digit; if it stays, somebody may be between you: do not trust this contact",
  MESSAGE_TOO_LONG: "send it in parts",
  MESSAGE_EMPTY: "say something: -m TEXT, --file FILE or standard input",
  QUEUE_FULL: "wait until some of what is queued has left; `sotto status` shows how much",
  BAD_PARAMS: undefined,
  UNKNOWN_METHOD: "the running node is another version: restart it",
  BUSY: "try again in a moment",
  STORE_DAMAGED: "restore a backup, or start anew in another --data directory",
  STORE_NEWER: "a newer sotto wrote it: update this one",
  DISK_FULL: "make room on the disk; nothing was lost",
  STOPPING: "try again once it has stopped",
  GONE: "start a node with `sotto node`, or try again: `sotto doctor` looks for the cause",
  INTERNAL: "the node's log says more",
}

export const nextStep = (code: ApiErrorCode): string | undefined => NEXT[code]
