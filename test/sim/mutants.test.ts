/** The mutation check's replacements still fit the program, and the quickest mutants are found. The whole check is a command. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, it } from "node:test"

const script = join(dirname(fileURLToPath(import.meta.url)), "../../scripts/sim/mutants.js")
const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })

describe("mutants", () => {
  it("can all be planted: each text that a bug replaces is there once", () => {
    const { status, stdout, stderr } = run("--fit")
    assert.equal(status, 0, stderr)
    assert.equal(stdout.trim().split("\n").length, 12)
  })

  for (const name of [
    "vote before persist",
    "checkpoint without quorum",
    "view-change without proofs",
    "stale new-view accepted",
    "unsorted map in a hash",
  ])
    it(`"${name}" is found`, () => {
      const { status, stdout, stderr } = run("--only", name, "--json")
      assert.equal(status, 0, stdout + stderr)
      const [verdict] = JSON.parse(stdout) as { foundAt: number; seedsAllowed: number }[]
      assert.ok(verdict!.foundAt <= verdict!.seedsAllowed)
    })
})
