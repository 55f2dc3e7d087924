/**
 * `npm run mls-vectors -- DIR`: checks the MLS library against the working group's test vectors in a folder (the `test-vectors` of a
 * checkout of mlswg/mls-implementations, whose files carry no licence and are therefore not kept here). Exit status: 0 all that could
 * be checked holds, 1 something does not, 2 there was nothing to check.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { checkVectors, KINDS } from "./check.ts"

const [directory] = process.argv.slice(2)
process.exitCode = directory === undefined ? usage() : await checkFolder(directory)

function usage(): number {
  process.stderr.write(
    `npm run mls-vectors -- DIR    with any of ${KINDS.join(", ")} (.json) in DIR\n`,
  )
  return 2
}

async function checkFolder(folder: string): Promise<number> {
  let files: readonly string[]
  try {
    files = readdirSync(folder).filter((name) => KINDS.includes(name.replace(/\.json$/, "")))
  } catch (error) {
    process.stderr.write(`${folder} cannot be read: ${(error as Error).message}\n`)
    return 2
  }
  if (files.length === 0) return usage()
  let failed = false
  for (const file of files) {
    const kind = file.replace(/\.json$/, "")
    const outcome = await checkVectors(kind, JSON.parse(readFileSync(join(folder, file), "utf8")))
    const { passed, leftOut, failures } = outcome
    process.stdout.write(
      `${kind.padEnd(32)}${passed} passed, ${failures.length} failed, ${leftOut} of other suites\n`,
    )
    for (const { index, why } of failures.slice(0, 5))
      process.stdout.write(`  vector ${index}: ${why}\n`)
    failed ||= failures.length > 0
  }
  return failed ? 1 : 0
}
