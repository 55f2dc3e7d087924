/** The registry's entries for who one is: identity, invitation, backup. */
import { type Command, passphrase, qr } from "./parts.ts"

export const IDENTITY_COMMANDS: readonly Command[] = [
  {
    id: "init",
    help: "make an identity, and found a mesh or join one",
    detail:
      "Without --ticket this founds a new mesh and prints a ticket to hand on. The passphrase seals everything private on " +
      "disk; with --no-passphrase the key lies beside it.",
    args: [],
    options: {
      name: { type: "string", value: "NAME", help: "what you call yourself" },
      ticket: { type: "string", value: "TICKET", help: "the invitation to join" },
      "add-inviter": { type: "boolean", help: "add whoever the invitation names as a contact" },
      ...passphrase,
      "no-passphrase": { type: "boolean", help: "leave what is on disk unprotected" },
    },
    json: "object",
    load: () => import("../commands/init.ts"),
  },
  {
    id: "id",
    help: "print your address",
    args: [],
    options: { qr, ...passphrase },
    json: "object",
    load: () => import("../commands/id.ts"),
  },
  {
    id: "identity",
    help: "show how old your keys are, and until when earlier ones open late mail",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/identity.ts"),
  },
  {
    id: "identity rotate",
    help: "replace the keys that your card names, now",
    detail:
      "Happens by itself every 30 days. Your address stays, contacts notice nothing, and earlier keys open late mail for 90 days " +
      "more. With --forget-old they are destroyed at once: for when they may have been stolen.",
    args: [],
    options: {
      "forget-old": {
        type: "boolean",
        help: "destroy earlier keys at once; mail on its way to them is lost",
      },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/identity-rotate.ts"),
  },
  {
    id: "ticket",
    help: "print an invitation to this mesh",
    args: [],
    options: { qr },
    json: "object",
    load: () => import("../commands/ticket.ts"),
  },
  {
    id: "backup",
    help: "write everything that makes you into one encrypted file",
    detail:
      "Identity, contacts, threads and history, under a passphrase of the file's own. Works beside a running node and without " +
      "one; needs no network.",
    args: [{ name: "FILE", help: "where to; nothing may be there yet" }],
    options: {
      "backup-passphrase-file": {
        type: "string",
        value: "FILE",
        help: "read the backup's passphrase from a file",
      },
      "backup-passphrase-fd": {
        type: "string",
        value: "N",
        help: "read it from an open file descriptor; 0 is standard input",
      },
      force: { type: "boolean", help: "replace a file that is there" },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/backup.ts"),
  },
  {
    id: "restore",
    help: "bring a profile back from a backup, here or on another machine",
    detail:
      "The profile must not exist yet. The passphrase asked for is the backup's, and opens the profile from then on. Your " +
      "contacts notice nothing but that they are introduced afresh; the peer that made the backup must not run again.",
    args: [{ name: "FILE", help: "the backup; - is standard input" }],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/restore.ts"),
  },
  {
    id: "unlock",
    help: "open the running node's vault",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/unlock.ts"),
  },
]
