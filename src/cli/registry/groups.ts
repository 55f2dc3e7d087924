/** The registry's entries for groups. */
import { type Argument, type Command, contact, type Option, passphrase, timeout } from "./parts.ts"

const group: Argument = {
  name: "GROUP",
  help: "a group's name or its beginning, or a thread id",
}

const member: Argument = {
  name: "MEMBER",
  help: "a member: their name in the group, a contact, or an address",
}

/** Of commands that change a group. */
const ordered = {
  wait: {
    type: "string",
    value: "STATE",
    choices: ["ordered"],
    help: "return once the ledger has ordered it",
  },
  timeout,
  ...passphrase,
} as const satisfies Record<string, Option>

const changing = (
  word: string,
  help: string,
  args: readonly Argument[],
  load: Command["load"],
  more: Pick<Command, "detail"> & { readonly options?: Command["options"] } = {},
): Command => ({
  id: `group ${word}`,
  help,
  ...(more.detail === undefined ? {} : { detail: more.detail }),
  args,
  options: { ...more.options, ...ordered },
  json: "object",
  load,
})

export const GROUP_COMMANDS: readonly Command[] = [
  changing(
    "create",
    "found a group, with contacts in it",
    [
      { name: "NAME", help: "what the group is called" },
      { ...contact, optional: true, rest: true, help: "who is in it" },
    ],
    () => import("../commands/group-create.ts"),
    {
      detail:
        "A group needs a mesh with a ledger: it decides which of two changes made at once counts. You run the group until you name " +
        "others. Whoever is added reads what is said from then on. With --post-quantum-signatures nobody can pretend to be a member " +
        "without breaking Ed25519 and ML-DSA-87; each message takes three envelopes or more in place of one, it holds 64 people, and " +
        "that is so for good.",
      options: {
        "post-quantum-signatures": {
          type: "boolean",
          help: "everybody signs what they say with ML-DSA-87 too",
        },
      },
    },
  ),
  changing(
    "add",
    "bring contacts into a group",
    [group, { ...contact, rest: true }],
    () => import("../commands/group-add.ts"),
  ),
  changing(
    "remove",
    "remove somebody from a group",
    [group, member],
    () => import("../commands/group-remove.ts"),
  ),
  changing(
    "rename",
    "call a group something else, for everybody",
    [group, { name: "NAME", help: "the new name" }],
    () => import("../commands/group-rename.ts"),
  ),
  changing(
    "admin",
    "let a member run the group too",
    [group, member],
    () => import("../commands/group-admin.ts"),
    { options: { undo: { type: "boolean", help: "not any more" } } },
  ),
  changing(
    "accept",
    "stay in a group that a stranger added you to",
    [group],
    () => import("../commands/group-accept.ts"),
  ),
  changing(
    "rejoin",
    "be let into a group anew, when it goes on without you",
    [group],
    () => import("../commands/group-rejoin.ts"),
    {
      detail:
        "After a restore, and when you were away too long to follow, this happens by itself. Members' programs let you in when they " +
        "run, without asking them; what you write meanwhile waits.",
    },
  ),
  changing("leave", "leave a group", [group], () => import("../commands/group-leave.ts"), {
    detail:
      "Your keys of the group are destroyed at once; its admins' programs remove you from it when they run. What was said stays " +
      "here until `sotto hide`.",
  }),
  {
    id: "group show",
    help: "list who is in a group, and what is not ordered yet",
    args: [group],
    options: { ...passphrase },
    json: "object",
    load: () => import("../commands/group-show.ts"),
  },
]
