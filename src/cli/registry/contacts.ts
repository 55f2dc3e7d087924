/** The registry's entries for other people. */
import { type Command, contact, passphrase, qr } from "./parts.ts"

export const CONTACT_COMMANDS: readonly Command[] = [
  {
    id: "contact add",
    help: "add a contact",
    detail:
      "With --post-quantum-signatures nobody can pretend to be either of you without breaking Ed25519 and ML-DSA-87, not even with a " +
      "quantum computer. Each message takes three envelopes or more in place of one. It can be said of a contact one has, too; the way " +
      "back is to remove them.",
    args: [{ name: "CODE", help: "an address, or an invitation that names its inviter" }],
    options: {
      name: { type: "string", value: "NAME", help: "what you call them" },
      "post-quantum-signatures": {
        type: "boolean",
        help: "sign what you two say with ML-DSA-87 too, from now on",
      },
      ...passphrase,
    },
    json: "object",
    load: () => import("../commands/contact-add.ts"),
  },
  {
    id: "contact list",
    help: "list contacts and requests",
    args: [],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/contact-list.ts"),
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
    load: () => import("../commands/contact-accept.ts"),
  },
  {
    id: "contact block",
    help: "take nothing more from somebody",
    args: [contact],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/contact-block.ts"),
  },
  {
    id: "contact rename",
    help: "call a contact something else",
    args: [contact, { name: "NAME", help: "the new name" }],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/contact-rename.ts"),
  },
  {
    id: "contact remove",
    help: "forget a contact",
    args: [contact],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/contact-remove.ts"),
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
    load: () => import("../commands/verify.ts"),
  },
]
