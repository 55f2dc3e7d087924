/**
 * Every command: its words, arguments, options, help and what `--json` prints. The parser, the help, the completion scripts and
 * the documentation read this table and nothing else; a command's file is loaded when it runs.
 */
import { GROUP_COMMANDS } from "./registry-groups.ts"
import { type Command, contact, type Option, passphrase, timeout } from "./registry-parts.ts"

export type { Argument, Command, Option } from "./registry-parts.ts"

const ephemeral = {
  ephemeral: { type: "boolean", help: "keep everything in memory, write nothing to disk" },
  "max-messages": {
    type: "string",
    value: "N",
    help: "keep at most N envelopes and N texts in memory (10000); the oldest go",
  },
  backup: {
    type: "string",
    value: "FILE",
    help: "with --ephemeral: live from this backup; its passphrase is asked for. - is standard input (`sotto node` only)",
  },
} as const satisfies Record<string, Option>

const qr = { type: "boolean", help: "show it as a QR code too" } as const satisfies Option

export const GLOBAL_OPTIONS = {
  data: { type: "string", value: "DIR", help: "keep everything in this directory" },
  profile: { type: "string", value: "NAME", help: "use this profile (also: SOTTO_PROFILE)" },
  json: { type: "boolean", help: "print JSON, for programs" },
  "no-input": { type: "boolean", help: "never ask; what would be asked is an error" },
  "no-color": { type: "boolean", help: "no colours (also: NO_COLOR)" },
  quiet: { type: "boolean", short: "q", help: "say nothing but errors" },
  help: { type: "boolean", short: "h", help: "explain a command" },
  version: { type: "boolean", short: "V", help: "print the version" },
} as const satisfies Record<string, Option>

export const STATES = ["queued", "gossiped", "ordered", "delivered", "read"] as const

export const COMMANDS: readonly Command[] = [
  {
    id: "chat",
    help: "open the chat (what `sotto` alone does)",
    detail:
      "Attaches to the profile's running node, or runs one for as long as the chat is open. With --ephemeral it always runs one " +
      "of its own, whose identity, contacts and messages are gone when the chat ends.",
    args: [],
    options: { ...ephemeral },
    json: null,
    load: () => import("./commands/chat.ts"),
  },
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
    load: () => import("./commands/init.ts"),
  },
  {
    id: "id",
    help: "print your address",
    args: [],
    options: { qr, ...passphrase },
    json: "object",
    load: () => import("./commands/id.ts"),
  },
  {
    id: "identity",
    help: "show how old your keys are, and until when earlier ones open late mail",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/identity.ts"),
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
    load: () => import("./commands/identity-rotate.ts"),
  },
  {
    id: "ticket",
    help: "print an invitation to this mesh",
    args: [],
    options: { qr },
    json: "object",
    load: () => import("./commands/ticket.ts"),
  },
  {
    id: "join",
    help: "join or found a mesh without making an identity",
    args: [
      { name: "TICKET", optional: true, help: "the invitation; without it a mesh is founded" },
    ],
    options: {
      name: { type: "string", value: "NAME", help: "the name of a mesh being founded" },
      validator: {
        type: "string",
        value: "FILE",
        multiple: true,
        help: "a founding validator's key, as `sotto validators key` prints it; this peer alone without any",
      },
      "no-validators": {
        type: "boolean",
        help: "found it without a ledger: nothing is put in order",
      },
    },
    json: "object",
    load: () => import("./commands/join.ts"),
  },
  {
    id: "send",
    help: "send a message or a file",
    detail:
      "The text is what follows CONTACT, or -m, or standard input. With a node running this returns once the message is " +
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
      ...passphrase,
    },
    json: "object",
    load: () => import("./commands/send.ts"),
  },
  {
    id: "files",
    help: "list files that were sent and received",
    args: [{ name: "THREAD", optional: true, help: "a contact or a thread id; all without it" }],
    options: {
      limit: { type: "string", short: "n", value: "N", help: "at most so many; 50 unless said" },
      ...passphrase,
    },
    json: "object",
    load: () => import("./commands/files.ts"),
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
    load: () => import("./commands/save.ts"),
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
    load: () => import("./commands/read.ts"),
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
    load: () => import("./commands/tail.ts"),
  },
  {
    id: "threads",
    help: "list conversations, with what is unread",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/threads.ts"),
  },
  {
    id: "contact add",
    help: "add a contact",
    args: [{ name: "CODE", help: "an address, or an invitation that names its inviter" }],
    options: {
      name: { type: "string", value: "NAME", help: "what you call them" },
      ...passphrase,
    },
    json: "object",
    load: () => import("./commands/contact-add.ts"),
  },
  {
    id: "contact list",
    help: "list contacts and requests",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/contact-list.ts"),
  },
  {
    id: "contact accept",
    help: "accept a request, or take a block back",
    args: [contact],
    options: {
      anyway: {
        type: "boolean",
        help: "even if they go by the name of another contact: they are somebody of their own then",
      },
      ...passphrase,
    },
    json: "object",
    load: () => import("./commands/contact-accept.ts"),
  },
  {
    id: "contact block",
    help: "take nothing more from somebody",
    args: [contact],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/contact-block.ts"),
  },
  {
    id: "contact rename",
    help: "call a contact something else",
    args: [contact, { name: "NAME", help: "the new name" }],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/contact-rename.ts"),
  },
  {
    id: "contact remove",
    help: "forget a contact",
    args: [contact],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/contact-remove.ts"),
  },
  ...GROUP_COMMANDS,
  {
    id: "hide",
    help: "erase a conversation here",
    detail: "Others keep theirs. It comes back, empty, when something is said in it.",
    args: [{ name: "THREAD", help: "a contact, a group or a thread id" }],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/hide.ts"),
  },
  {
    id: "verify",
    help: "compare safety numbers with a contact, and mark them as verified",
    detail:
      "Prints the 60 digits that both of you see. Compare them over a call or in person, or scan the QR code, which holds the " +
      "same digits; then say so with --digits or --yes.",
    args: [contact],
    options: {
      digits: { type: "string", value: "N", help: "the digits that they see; marks if they agree" },
      yes: { type: "boolean", help: "you have compared what is printed: mark them" },
      undo: { type: "boolean", help: "take the mark back" },
      qr,
      ...passphrase,
    },
    json: "object",
    load: () => import("./commands/verify.ts"),
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
    load: () => import("./commands/backup.ts"),
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
    load: () => import("./commands/restore.ts"),
  },
  {
    id: "node",
    help: "run a peer until it is told to stop",
    detail:
      "Prints one line when it is ready. SIGTERM and SIGINT let what is under way finish. A peer without an identity carries " +
      "for others.",
    args: [],
    options: {
      listen: {
        type: "string",
        value: "ADDR",
        multiple: true,
        help: "a multiaddr to listen on; none: this peer only calls",
      },
      bootstrap: {
        type: "string",
        value: "ADDR",
        multiple: true,
        help: "a peer to begin with",
      },
      ticket: { type: "string", value: "TICKET", help: "join this mesh first" },
      mdns: { type: "boolean", help: "look for peers on the local network" },
      "no-mdns": { type: "boolean", help: "do not" },
      testnet: { type: "boolean", help: "settings for many peers on one machine", hidden: true },
      ...ephemeral,
      keep: {
        type: "string",
        value: "GIB",
        help: "how much of others' files to keep; 4 unless said, 0 for none",
      },
      "keep-days": { type: "string", value: "DAYS", help: "and for how long; 30 unless said" },
      relay: {
        type: "boolean",
        help: "let peers that cannot be called be reached over this one, within limits",
      },
      "reached-by": {
        type: "string",
        value: "HOW",
        choices: ["auto", "relay", "direct"],
        help: "whether others get here over a relay: when nobody calls directly (auto), always, or never",
      },
      "post-quantum": {
        type: "string",
        value: "HOW",
        choices: ["preferred", "required"],
        help: "whether connections must be post-quantum",
      },
      log: {
        type: "string",
        value: "FORM",
        choices: ["text", "json"],
        help: "how to print what goes on",
      },
      metrics: { type: "string", value: "PORT", help: "Prometheus and health on 127.0.0.1:PORT" },
      ...passphrase,
      "with-parent": {
        type: "boolean",
        hidden: true,
        help: "end when standard input ends: set by the chat for the node it runs",
      },
      "api-fd": {
        type: "string",
        value: "N",
        hidden: true,
        help: "serve the local API on this connected descriptor: set by the chat for the node it runs",
      },
    },
    json: null,
    load: () => import("./commands/node.ts"),
  },
  {
    id: "node stop",
    help: "stop the running node",
    args: [],
    options: { timeout },
    json: "object",
    load: () => import("./commands/node-stop.ts"),
  },
  {
    id: "node status",
    help: "exit 0 if a node runs and has peers, 6 if not",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/node-status.ts"),
  },
  {
    id: "status",
    help: "show the running node, its mesh and its peers in short",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/status.ts"),
  },
  {
    id: "peers",
    help: "list the peers the running node is connected to",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/peers.ts"),
  },
  {
    id: "ledger",
    help: "show how far the order of the mesh has come, and who signed it",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/ledger.ts"),
  },
  {
    id: "ledger resume",
    help: "let this validator vote again after it halted, or after a lone one lost its memory",
    detail:
      "A validator that met an impossible state votes again from its next start on. One that is the only validator and lost its " +
      "`ledger` folder votes again at once, above the chain that it has: first connect every peer that may hold a later block.",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/ledger-resume.ts"),
  },
  {
    id: "ledger verify",
    help: "check every block again, from the genesis on; exit 1 if one is wrong",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/ledger-verify.ts"),
  },
  {
    id: "validators",
    help: "list the validators of the mesh",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/validators.ts"),
  },
  {
    id: "validators key",
    help: "print this peer's public validator key, for whoever founds a mesh with it",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/validators-key.ts"),
  },
  {
    id: "validators add",
    help: "propose a new validator, as one of the mesh's operators",
    detail:
      "Operators are those who hold a validator's key; a quorum of them has to approve. The new validator's node must be running: it " +
      "proves that it holds its keys. In a mesh of one validator this command is all it takes. The set changes with the next term.",
    args: [
      {
        name: "KEY",
        rest: true,
        help: "what `sotto validators key` prints on the new validator, or a file that holds it",
      },
    ],
    options: {
      replace: {
        type: "string",
        value: "KEY",
        multiple: true,
        help: "a validator that leaves at the same time: the beginning of its key in `sotto validators`",
      },
    },
    json: "object",
    load: () => import("./commands/validators-add.ts"),
  },
  {
    id: "validators remove",
    help: "propose that validators leave the set",
    args: [
      {
        name: "KEY",
        rest: true,
        help: "the beginning of its key in `sotto validators`, 8 digits at least",
      },
    ],
    options: {},
    json: "object",
    load: () => import("./commands/validators-remove.ts"),
  },
  {
    id: "validators proposals",
    help: "list what operators have proposed, and who has approved it",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/validators-proposals.ts"),
  },
  {
    id: "validators approve",
    help: "approve a proposal, as one of the mesh's operators",
    args: [{ name: "PROPOSAL", help: "the beginning of its id in `sotto validators proposals`" }],
    options: {},
    json: "object",
    load: () => import("./commands/validators-approve.ts"),
  },
  {
    id: "mesh create",
    help: "found a mesh: its name, its validators, who may become a member",
    detail:
      "This peer alone validates unless --validator names others. With --tickets it prints invitations that make members, each one; " +
      "that takes a validator's node.",
    args: [{ name: "NAME", help: "the name of the mesh, which everybody in it sees" }],
    options: {
      validator: {
        type: "string",
        value: "FILE",
        multiple: true,
        help: "a founding validator's key, as `sotto validators key` prints it; this peer alone without any",
      },
      "no-validators": {
        type: "boolean",
        help: "found it without a ledger: nothing is put in order, nobody is a member",
      },
      open: {
        type: "boolean",
        help: "whoever does enough work may become a member; otherwise by invitation only",
      },
      "work-bits": {
        type: "string",
        value: "N",
        help: "least work for a message of who is no member, doubling with each (14; 0 to 32)",
      },
      tickets: { type: "string", value: "N", help: "print so many first invitations" },
    },
    json: "object",
    load: () => import("./commands/mesh-create.ts"),
  },
  {
    id: "mesh invite",
    help: "print tickets that each make one new member, as one of the mesh's operators",
    detail:
      "Each line is the voucher's name and the ticket. `sotto mesh members` shows by which voucher somebody joined. Who holds a ticket " +
      "can use it: hand it over as you would a key.",
    args: [],
    options: {
      count: { type: "string", value: "N", help: "so many (1; at most 1000)" },
    },
    json: "object",
    load: () => import("./commands/mesh-invite.ts"),
  },
  {
    id: "mesh members",
    help: "list the members, and whether this installation is one",
    detail:
      "Members post without work, and nobody can tell which of them wrote what. The list says that they are, not who.",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/mesh-members.ts"),
  },
  {
    id: "mesh join",
    help: "become a member: by an invitation's voucher, or by work where the mesh is open",
    detail: "`sotto init --ticket` does this by itself when the ticket holds a voucher.",
    args: [{ name: "TICKET", optional: true, help: "the invitation; without it by work" }],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/mesh-join.ts"),
  },
  {
    id: "mesh revoke",
    help: "propose that a member leaves, as one of the mesh's operators",
    args: [
      {
        name: "MEMBER",
        help: "the beginning of its commitment or voucher in `sotto mesh members`, 8 digits at least",
      },
    ],
    options: {},
    json: "object",
    load: () => import("./commands/mesh-revoke.ts"),
  },
  {
    id: "unlock",
    help: "open the running node's vault",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("./commands/unlock.ts"),
  },
  {
    id: "doctor",
    help: "look for what is wrong, and say what to do about it",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/doctor.ts"),
  },
  {
    id: "completion",
    help: "print a completion script for your shell",
    args: [{ name: "SHELL", help: "bash, zsh or fish" }],
    options: {},
    json: null,
    load: () => import("./commands/completion.ts"),
  },
  {
    id: "help",
    help: "explain a command",
    args: [{ name: "COMMAND", optional: true, rest: true, help: "the command" }],
    options: {},
    json: null,
    load: () => import("./commands/help.ts"),
  },
  {
    id: "version",
    help: "print the version",
    args: [],
    options: {},
    json: "object",
    load: () => import("./commands/version.ts"),
  },
]

export const commandOf = (id: string): Command | undefined =>
  COMMANDS.find((command) => command.id === id)
