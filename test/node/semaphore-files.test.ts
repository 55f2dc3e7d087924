import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, rmSync, statSync } from "node:fs"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import {
  loadProvingKey,
  loadVerificationKey,
  loadWitnessGenerator,
  PROVING_KEY_SHA256,
  VERIFICATION_KEY_SHA256,
} from "../../src/node/semaphore-files.ts"

const home = new URL("../../../", import.meta.url)
const sha256 = (path: string) =>
  createHash("sha256").update(readFileSync(new URL(path, home))).digest("hex") // prettier-ignore

/** Constraint system of Semaphore v4, depth 20, as circom compiles it with --O2: the one that the ceremony's keys belong to. */
const R1CS_SHA256 = "a2b3256bf2873a604fe509b1f5289d40e91fa059f206361ab2f8586bf5cef9d9"

describe("the proof system's files", () => {
  it("are the ones that were checked, and say where they come from", () => {
    assert.equal(sha256("data/semaphore/semaphore-20.zkey"), PROVING_KEY_SHA256)
    assert.equal(sha256("data/semaphore/semaphore-20.json"), VERIFICATION_KEY_SHA256)
    const origin = readFileSync(new URL("data/semaphore/ORIGIN.md", home), "utf8")
    for (const name of ["semaphore-20.zkey", "semaphore-20.json"]) {
      const bytes = statSync(new URL(`data/semaphore/${name}`, home)).size.toLocaleString("en-US")
      const row = `| \`${name}\` | ${bytes} | \`${sha256(`data/semaphore/${name}`)}\` |`
      assert.ok(origin.includes(row), row)
    }
    assert.ok(existsSync(new URL("data/semaphore/LICENSE", home)))
  })

  it("load", async () => {
    assert.equal((await loadProvingKey()).length, 3_890_175)
    assert.equal((await loadVerificationKey()).inputs.length, 5)
    assert.ok((await loadWitnessGenerator()).length > 1_000_000)
  })

  it("the circuit is the published one: compiled anew, it has the ceremony's constraints", () => {
    const script = fileURLToPath(new URL("scripts/circuit.mjs", home))
    const out = new URL("dist/circuit-again/", home)
    const run = spawnSync(process.execPath, [script, "dist/circuit-again"], { encoding: "utf8" })
    try {
      assert.equal(run.status, 0, run.stderr)
      assert.equal(sha256("dist/circuit-again/semaphore-20.r1cs"), R1CS_SHA256)
      assert.equal(sha256("dist/circuit/semaphore-20.r1cs"), R1CS_SHA256)
      assert.equal(
        sha256("dist/circuit-again/semaphore-20.wasm"),
        sha256("dist/circuit/semaphore-20.wasm"),
      )
    } finally {
      rmSync(out, { recursive: true, force: true })
    }
  })
})
