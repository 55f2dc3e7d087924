/**
 * Every command: its words, arguments, options, help and what `--json` prints. The parser, the help, the completion scripts and
 * the documentation read this table and nothing else; a command's file is loaded when it runs.
 */
import { CONTACT_COMMANDS } from "./registry/contacts.ts"
import { EXPORT_COMMANDS } from "./registry/exports.ts"
import { GROUP_COMMANDS } from "./registry/groups.ts"
import { IDENTITY_COMMANDS } from "./registry/identity.ts"
import { MESH_COMMANDS } from "./registry/mesh.ts"
import { MESSAGE_COMMANDS } from "./registry/messages.ts"
import { NODE_COMMANDS } from "./registry/node.ts"
import type { Command, Option } from "./registry/parts.ts"
import { PROGRAM_COMMANDS } from "./registry/program.ts"

export { STATES } from "./registry/messages.ts"
export type { Argument, Command, Option } from "./registry/parts.ts"

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

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  ...IDENTITY_COMMANDS,
  ...MESSAGE_COMMANDS,
  ...EXPORT_COMMANDS,
  ...CONTACT_COMMANDS,
  ...GROUP_COMMANDS,
  ...NODE_COMMANDS,
  ...MESH_COMMANDS,
  ...PROGRAM_COMMANDS,
]

export const commandOf = (id: string): Command | undefined =>
  COMMANDS.find((command) => command.id === id)
