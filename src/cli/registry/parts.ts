/** What an entry of the registry is, and what several entries share. */
import type { Context } from "../context.ts"

export interface Option {
  readonly type: "string" | "boolean"
  readonly short?: string
  /** What stands for the value in help. */
  readonly value?: string
  readonly choices?: readonly string[]
  readonly multiple?: boolean
  readonly hidden?: boolean
  readonly help: string
}

export interface Argument {
  readonly name: string
  readonly optional?: boolean
  /** Takes all that is left. */
  readonly rest?: boolean
  readonly help: string
}

export interface Command {
  /** The words one types, `contact add`. */
  readonly id: string
  readonly help: string
  readonly detail?: string
  readonly args: readonly Argument[]
  readonly options: Readonly<Record<string, Option>>
  /** What `--json` prints: one object, a stream of them, or nothing of the kind. */
  readonly json: "object" | "lines" | null
  readonly load: () => Promise<{ run: (context: Context) => Promise<void> }>
}

export const passphrase = {
  "passphrase-file": {
    type: "string",
    value: "FILE",
    help: "read the passphrase from a file (its last newline is not part of it)",
  },
  "passphrase-fd": {
    type: "string",
    value: "N",
    help: "read the passphrase from an open file descriptor",
  },
} as const satisfies Record<string, Option>

export const timeout = {
  type: "string",
  value: "TIME",
  help: "give up after this long: 500ms, 30s, 5m",
} as const satisfies Option

export const contact: Argument = {
  name: "CONTACT",
  help: "an address, a name, or the beginning of either",
}

export const qr = { type: "boolean", help: "show it as a QR code too" } as const satisfies Option
