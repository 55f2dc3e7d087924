// Compiles the membership circuit (Semaphore v4, depth 20) from its published source into what the prover needs: the witness generator,
// and beside it the constraint system, whose hash a test holds to the one that the ceremony's keys belong to. Runs in the
// build, and only when the circuit, the libraries it includes or the compiler changed: it takes some three seconds.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const home = join(dirname(fileURLToPath(import.meta.url)), "..")
const DEPTH = 20
const NAME = `semaphore-${DEPTH}`
// As Semaphore's own build does it: the flags are part of the circuit's identity.
const MAIN = `pragma circom 2.1.5;
include "semaphore.circom";
component main {public [message, scope]} = Semaphore(${DEPTH});
`
const FLAGS = ["--O2", "--r1cs", "--wasm"]
const LIBRARIES = [
  "node_modules/@semaphore-protocol/circuits/src",
  "node_modules/@zk-kit/binary-merkle-root.circom/src",
  "node_modules/circomlib/circuits",
]
const COMPILER = "node_modules/circom2"

function inputs() {
  const hash = createHash("sha256").update(MAIN).update(FLAGS.join(" "))
  for (const library of LIBRARIES)
    for (const name of readdirSync(join(home, library)).sort())
      if (name.endsWith(".circom")) hash.update(readFileSync(join(home, library, name)))
  for (const name of ["circom.wasm", "package.json"])
    hash.update(readFileSync(join(home, COMPILER, name)))
  return hash.digest("hex")
}

function compile(out, stamp) {
  mkdirSync(out, { recursive: true })
  const work = mkdtempSync(join(out, "compiling-"))
  try {
    writeFileSync(join(work, `${NAME}.circom`), MAIN)
    // relative paths: the compiler is a WebAssembly program that sees nothing above where it was started
    const path = work.slice(home.length + 1)
    const words = [`${path}/${NAME}.circom`, ...FLAGS, "-o", path]
    for (const library of LIBRARIES) words.push("-l", library)
    const done = spawnSync(process.execPath, [join(COMPILER, "cli.js"), ...words], {
      cwd: home,
      encoding: "utf8",
    })
    const wasm = join(work, `${NAME}_js`, `${NAME}.wasm`)
    if (done.status !== 0 || !existsSync(wasm)) {
      process.stderr.write(`${done.stdout}${done.stderr}\nThe circuit does not compile.\n`)
      process.exit(1)
    }
    renameSync(wasm, join(out, `${NAME}.wasm`))
    renameSync(join(work, `${NAME}.r1cs`), join(out, `${NAME}.r1cs`))
    writeFileSync(join(out, "inputs"), stamp)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

// a test compiles into a folder of its own
const out = join(home, process.argv[2] ?? "dist/circuit")
const stamp = inputs()
const made = ["inputs", `${NAME}.wasm`, `${NAME}.r1cs`].every((name) => existsSync(join(out, name)))
if (!made || readFileSync(join(out, "inputs"), "utf8") !== stamp) compile(out, stamp)
