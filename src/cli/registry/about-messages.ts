/** The registry's entries for what is done about messages that were said, and for how a conversation is kept. */
import { type Argument, type Command, contact, passphrase } from "./parts.ts"

const message: Argument = {
  name: "MESSAGE",
  help: "an id as `sotto read --json` shows it; its beginning, 4 digits at least, with --thread",
}

const within = {
  thread: {
    type: "string",
    value: "THREAD",
    help: "the conversation it is in: a contact, a group or a thread id",
  },
  ...passphrase,
} as const

const thread: Argument = { name: "THREAD", help: "a contact, a group or a thread id" }

export const ABOUT_MESSAGES: readonly Command[] = [
  {
    id: "react",
    help: "answer a message with emoji",
    detail:
      "One to three emoji are all that you say to the message this way: later ones take the place of earlier ones.",
    args: [message, { name: "EMOJI", optional: true, rest: true, help: "one to three" }],
    options: { undo: { type: "boolean", help: "take them back" }, ...within },
    json: "object",
    load: () => import("../commands/react.ts"),
  },
  {
    id: "edit",
    help: "say a message of yours otherwise",
    detail:
      "Within a day. Everybody sees that it was edited, and what it said first stays with their programs.",
    args: [message, { name: "TEXT", rest: true, help: "what it says from now on" }],
    options: { ...within },
    json: "object",
    load: () => import("../commands/edit.ts"),
  },
  {
    id: "delete",
    help: "delete a message here, or ask everybody to",
    detail:
      "Without --for-all it is deleted here, for you alone, and others keep it. With it others' programs are asked to delete it " +
      "too: they do when they are told, but somebody may have read or copied it before, and a changed program can keep it. What " +
      "has not left yet is taken back and never does.",
    args: [message],
    options: {
      "for-all": { type: "boolean", help: "of yours only: ask everybody to delete it" },
      ...within,
    },
    json: "object",
    load: () => import("../commands/delete.ts"),
  },
  {
    id: "again",
    help: "say again what somebody cannot read any more",
    detail:
      "Somebody who goes on from a backup has lost the keys of what you had said since, and asks for it; `sotto threads` tells. Nothing " +
      "that had reached them is said again without this. Whoever has stolen all that they had, with the passphrase, would ask just so " +
      "and has the same safety number: in doubt ask them first, by another way.",
    args: [contact],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/again.ts"),
  },
  {
    id: "disappear",
    help: "let what is said in a conversation disappear",
    detail:
      "TIME is 30s, 5m, 8h, 7d, 2w or off; it counts from when somebody first reads a message, at its author's from when it left. " +
      "`100 blocks` counts what the ledger makes instead. Everybody in the conversation sees that you set it. What was said before " +
      "stays. It cannot keep anybody from copying what they read.",
    args: [
      thread,
      { name: "TIME", help: "30s, 5m, 8h, 7d, 2w, off, or a number" },
      { name: "UNIT", optional: true, help: "`blocks`, behind a number" },
    ],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/disappear.ts"),
  },
  {
    id: "tell",
    help: "say whether others learn that you have read, or that you write",
    detail:
      "Off until you turn it on, for each conversation. Whoever does not tell is not told either. Typing costs an envelope now and " +
      "then, which everybody carries.",
    args: [thread],
    options: {
      read: { type: "string", value: "on|off", choices: ["on", "off"], help: "read receipts" },
      typing: { type: "string", value: "on|off", choices: ["on", "off"], help: "that you write" },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/tell.ts"),
  },
]
