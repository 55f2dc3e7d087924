/** The registry's entries for messages that are shown to somebody outside: making the file, and checking one. */
import { type Argument, type Command, passphrase } from "./parts.ts"

const message: Argument = {
  name: "MESSAGE",
  help: "an id as `sotto read --json` shows it; its beginning, 4 digits at least, with --thread",
}

export const EXPORT_COMMANDS: readonly Command[] = [
  {
    id: "export",
    help: "write a message to a file that proves who wrote it and when it was ordered",
    detail:
      "Anybody can check the file with `sotto export verify`: they need no profile and no network. It shows the words, their author's " +
      "address and signature, and the place that the ledger gave them. It also shows the id of the thread, and in a group its name and " +
      "who runs it, because the signature covers these. Other texts that travelled in the same envelope cannot be left out: then " +
      "nothing is written without --with-others.",
    args: [message, { name: "FILE", help: "where to write it" }],
    options: {
      thread: {
        type: "string",
        value: "THREAD",
        help: "the conversation it is in: a contact, a group or a thread id",
      },
      original: { type: "boolean", help: "what it said first, if it was edited" },
      "with-others": {
        type: "boolean",
        help: "also where other texts of its author have to be in the file",
      },
      "without-order": {
        type: "boolean",
        help: "leave out its place in the order: the file shows who wrote it, not when",
      },
      overwrite: { type: "boolean", help: "replace a file of that name" },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/export.ts"),
  },
  {
    id: "export verify",
    help: "check an exported message: who wrote it, and where the ledger put it",
    detail:
      "Needs nothing but the file. Compare what it prints with what you know otherwise: the author's address or digits (half of the " +
      "safety number that their contacts see) and the mesh's id (`sotto status` shows it). Exit 7 when the file does not hold.",
    args: [{ name: "FILE", help: "a file of `sotto export`" }],
    options: {
      mesh: { type: "string", value: "ID", help: "refuse a file of any other mesh" },
      author: { type: "string", value: "ADDRESS", help: "refuse a file by anybody else" },
    },
    json: "object",
    load: () => import("../commands/export-verify.ts"),
  },
]
