/** The registry's entries for a mesh and those who run it: founding, members, validators, the ledger. */
import { type Command, passphrase } from "./parts.ts"

export const MESH_COMMANDS: readonly Command[] = [
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
    load: () => import("../commands/join.ts"),
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
      period: {
        type: "string",
        value: "SECONDS",
        help: "the least between two periods of the ledger; in each a member may post 32 times (60; 5 to 3600)",
      },
      tickets: { type: "string", value: "N", help: "print so many first invitations" },
    },
    json: "object",
    load: () => import("../commands/mesh-create.ts"),
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
    load: () => import("../commands/mesh-invite.ts"),
  },
  {
    id: "mesh members",
    help: "list the members, and whether this installation is one",
    detail:
      "Members post without work, and nobody can tell which of them wrote what. The list says that they are, not who.",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/mesh-members.ts"),
  },
  {
    id: "mesh join",
    help: "become a member: by an invitation's voucher, or by work where the mesh is open",
    detail:
      "`sotto init --ticket` does this by itself when the ticket holds a voucher, and `sotto init` for who founds a mesh alone. An " +
      "operator needs no ticket.",
    args: [{ name: "TICKET", optional: true, help: "the invitation; without it by work" }],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/mesh-join.ts"),
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
    load: () => import("../commands/mesh-revoke.ts"),
  },
  {
    id: "ledger",
    help: "show how far the order of the mesh has come, and who signed it",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/ledger.ts"),
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
    load: () => import("../commands/ledger-resume.ts"),
  },
  {
    id: "ledger forget",
    help: "throw this peer's copy of the order away, to be read from the others again",
    detail:
      "For an order that is damaged on the disk, or another one than the others hold. No node may run for the profile. Chats stay as " +
      "they are. A validator forgets its votes with it, and votes again from a later term on.",
    args: [],
    options: {
      alone: {
        type: "boolean",
        help: "also where this is the only validator: other peers hold what is thrown away",
      },
    },
    json: "object",
    load: () => import("../commands/ledger-forget.ts"),
  },
  {
    id: "ledger verify",
    help: "check every block again, from the genesis on; exit 1 if one is wrong",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/ledger-verify.ts"),
  },
  {
    id: "validators",
    help: "list the validators of the mesh",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/validators.ts"),
  },
  {
    id: "validators key",
    help: "print this peer's public validator key, for whoever founds a mesh with it",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/validators-key.ts"),
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
    load: () => import("../commands/validators-add.ts"),
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
    load: () => import("../commands/validators-remove.ts"),
  },
  {
    id: "validators proposals",
    help: "list what operators have proposed, and who has approved it",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/validators-proposals.ts"),
  },
  {
    id: "validators approve",
    help: "approve a proposal, as one of the mesh's operators",
    args: [{ name: "PROPOSAL", help: "the beginning of its id in `sotto validators proposals`" }],
    options: {},
    json: "object",
    load: () => import("../commands/validators-approve.ts"),
  },
]
