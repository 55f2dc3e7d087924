/**
 * Screens kept as text: a test waits until the screen is what the file of that name says, and fails with the difference when
 * it never is. With SOTTO_WRITE_GOLDEN=1 the files are written anew, to be reviewed as a diff.
 */
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import type { FakeTerminal } from "./terminal.ts"

const home = new URL("../../../", import.meta.url)
const rewriting = process.env["SOTTO_WRITE_GOLDEN"] === "1"
/** Only while writing: what is still on its way to the screen then arrives. */
const SETTLE_MS = 400

/** The screen, once it shows `landmark`, as a fixture. */
export const golden = (name: string, tty: FakeTerminal, landmark: string): Promise<void> =>
  goldenFile(`test/fixtures/tui/${name}.txt`, tty, landmark, () => `${tty.text().trimEnd()}\n`)

/** Any other file that is drawn by the program itself. */
export async function goldenFile(
  path: string,
  tty: FakeTerminal,
  landmark: string,
  draw: () => string,
): Promise<void> {
  const file = new URL(path, home)
  await tty.until(landmark)
  if (rewriting) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    writeFileSync(file, draw())
    return
  }
  const wanted = readFileSync(file, "utf8")
  await tty.until(() => draw() === wanted).catch(() => undefined)
  assert.equal(draw(), wanted, `${path} is not what the program draws`)
}
