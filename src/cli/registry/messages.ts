/** The registry's entries for what people say to each other, and files. */
import { ABOUT_MESSAGES } from "./about-messages.ts"
import { type Command, contact, passphrase, timeout } from "./parts.ts"

export const STATES = ["queued", "gossiped", "ordered", "delivered", "read"] as const

export const MESSAGE_COMMANDS: readonly Command[] = [
  {
    id: "send",
    help: "send a message or a file",
    detail:
      "@NAME in it names somebody of the conversation: they are told so. The text is what follows CONTACT, or -m, or standard input. With a node running this returns once the message is " +
      "safely queued; otherwise it runs a node until a peer has taken it, or leaves it queued. A file is sealed, brought to " +
      "peers that keep it, and spoken of in a message, with the text if there is one; this returns when they have it.",
    args: [
      { ...contact, help: "to whom: a contact, a group or a thread id" },
      { name: "TEXT", optional: true, rest: true, help: "what to say" },
    ],
    options: {
      message: { type: "string", short: "m", value: "TEXT", help: "what to say" },
      file: {
        type: "string",
        value: "PATH",
        help: "send this file, of any kind and up to 1 GiB",
      },
      wait: {
        type: "string",
        value: "STATE",
        choices: STATES,
        help: "return once it provably got this far",
      },
      timeout,
      id: { type: "string", value: "ID", help: "32 hex digits; the same id is sent only once" },
      "reply-to": {
        type: "string",
        value: "MESSAGE",
        help: "answer this message: its id, or the beginning of it",
      },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/send.ts"),
  },
  ...ABOUT_MESSAGES,
  {
    id: "files",
    help: "list files that were sent and received",
    args: [{ name: "THREAD", optional: true, help: "a contact or a thread id; all without it" }],
    options: {
      limit: { type: "string", short: "n", value: "N", help: "at most so many; 50 unless said" },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/files.ts"),
  },
  {
    id: "save",
    help: "save a file that was sent to you",
    detail:
      "Fetches the file from the peers that keep it, checks it piece by piece and writes it into DIR. It is never opened, and " +
      "nothing that is there is overwritten unless you say so. What was interrupted goes on where it was.",
    args: [
      { name: "ID", help: "as `sotto files` shows it" },
      { name: "DIR", optional: true, help: "an existing folder; this one unless said" },
    ],
    options: {
      as: { type: "string", value: "NAME", help: "under this name" },
      overwrite: { type: "boolean", help: "replace a file of this name" },
      timeout,
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/save.ts"),
  },
  {
    id: "search",
    help: "find messages",
    detail:
      'Words, "words in this order", and filters: from:NAME, in:CHAT, has:file, before:DAY, after:DAY (2026-11-20, 2026-11, ' +
      "today, monday, 7d). All of it must hold; capitals and accents make no difference; the last word may be the beginning of one.",
    args: [{ name: "QUERY", rest: true, help: "what to look for; quote it for the shell" }],
    options: {
      limit: { type: "string", short: "n", value: "N", help: "the newest N (50; at most 500)" },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/search.ts"),
  },
  {
    id: "read",
    help: "print messages",
    args: [
      { name: "THREAD", optional: true, help: "a contact, a group or a thread id; all without it" },
    ],
    options: {
      limit: { type: "string", short: "n", value: "N", help: "the newest N (50; at most 500)" },
      before: { type: "string", value: "CURSOR", help: "the page before this one" },
      "mark-read": { type: "boolean", help: "count what was printed as read" },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/read.ts"),
  },
  {
    id: "tail",
    help: "follow messages as they come",
    args: [
      { name: "THREAD", optional: true, help: "a contact, a group or a thread id; all without it" },
    ],
    options: {
      limit: { type: "string", short: "n", value: "N", help: "begin with the newest N (0)" },
      count: { type: "string", value: "N", help: "end after N messages" },
      timeout,
      all: { type: "boolean", help: "with --json: every event, deliveries and status too" },
      ...passphrase,
    },
    json: "lines",
    load: () => import("../commands/tail.ts"),
  },
  {
    id: "threads",
    help: "list conversations, with what is unread",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/threads.ts"),
  },
  {
    id: "hide",
    help: "erase a conversation here",
    detail: "Others keep theirs. It comes back, empty, when something is said in it.",
    args: [{ name: "THREAD", help: "a contact, a group or a thread id" }],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/hide.ts"),
  },
]
