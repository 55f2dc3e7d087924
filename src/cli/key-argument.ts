/** A validator's public key on the command line: the word itself, or a file that holds it. */
import { readFile } from "node:fs/promises"
import { CliError } from "./failure.ts"

const KEY_PREFIX = "sotto-validator1"

/** Throws CliError NO_FILE. */
export async function keyFrom(argument: string): Promise<string> {
  return argument.startsWith(KEY_PREFIX) ? argument.trim() : await keyIn(argument)
}

/** Throws CliError NO_FILE. */
export async function keyIn(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError("NO_FILE", `no validator key can be read there (${code ?? "error"})`)
  }
}
