/**
 * Screens kept as text: a test draws one and compares it with the file of that name. With SOTTO_WRITE_GOLDEN=1 the files are
 * written anew, to be reviewed as a diff.
 */
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"

const folder = new URL("../../../test/fixtures/tui/", import.meta.url)

export function golden(name: string, screen: string): void {
  const file = new URL(`${name}.txt`, folder)
  const text = `${screen.trimEnd()}\n`
  if (process.env["SOTTO_WRITE_GOLDEN"] === "1") writeFileSync(file, text)
  assert.equal(text, readFileSync(file, "utf8"), `${name} looks different`)
}
