/**
 * Screens kept as text: a test draws one and compares it with the file of that name. With SOTTO_WRITE_GOLDEN=1 the files are
 * written anew, to be reviewed as a diff.
 */
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"

const home = new URL("../../../", import.meta.url)

/** A screen, among the fixtures. */
export const golden = (name: string, screen: string): void =>
  goldenFile(`test/fixtures/tui/${name}.txt`, `${screen.trimEnd()}\n`)

/** Any other file that is drawn by the program itself. */
export function goldenFile(path: string, text: string): void {
  const file = new URL(path, home)
  if (process.env["SOTTO_WRITE_GOLDEN"] === "1") writeFileSync(file, text)
  assert.equal(text, readFileSync(file, "utf8"), `${path} is not what the program draws`)
}
