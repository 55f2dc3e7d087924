/** The registry's entries for the command line itself. */
import type { Command } from "./parts.ts"

export const PROGRAM_COMMANDS: readonly Command[] = [
  {
    id: "completion",
    help: "print a completion script for your shell",
    args: [{ name: "SHELL", help: "bash, zsh or fish" }],
    options: {},
    json: null,
    load: () => import("../commands/completion.ts"),
  },
  {
    id: "help",
    help: "explain a command",
    args: [{ name: "COMMAND", optional: true, rest: true, help: "the command" }],
    options: {},
    json: null,
    load: () => import("../commands/help.ts"),
  },
  {
    id: "version",
    help: "print the version",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/version.ts"),
  },
]
