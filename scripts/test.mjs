// Runs the built tests with Node's own runner and ends in its summary. Arguments narrow the run: `npm run test:only -- crypto`
// runs the files whose path contains "crypto".
import { spawnSync } from "node:child_process"
import { readdirSync, statSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const home = join(dirname(fileURLToPath(import.meta.url)), "..")
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("-"))
const options = process.argv.slice(2).filter((word) => word.startsWith("-"))

const found = []
const visit = (at) => {
  for (const name of readdirSync(at)) {
    const path = join(at, name)
    if (statSync(path).isDirectory()) visit(path)
    else if (name.endsWith(".test.js")) found.push(relative(home, path))
  }
}
visit(join(home, "dist/test"))
const files = found.sort().filter((f) => wanted.length === 0 || wanted.some((w) => f.includes(w)))
if (files.length === 0) {
  process.stderr.write(`No test file matches ${wanted.join(" ")}\n`)
  process.exit(1)
}
const node = join(home, "node_modules/.bin/node")
const run = spawnSync(
  node,
  [
    `--import=${new URL("../dist/test/helpers/draws.js", import.meta.url)}`,
    "--test",
    "--test-concurrency=2",
    "--test-timeout=300000",
    "--test-reporter=spec",
    ...options,
    ...files,
  ],
  { cwd: home, stdio: "inherit" },
)
process.exit(run.status ?? 1)
