/** `npm run sim` as people use it: what it prints, what it keeps, and how it exits. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, it } from "node:test"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { parseScenario, runScenario, type Scenario } from "./scenario.ts"

const script = join(dirname(fileURLToPath(import.meta.url)), "../../scripts/sim/main.js")
const sim = (...args: readonly string[]) =>
  spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })

/** The example of the format, with every kind of key. */
const EXAMPLE = `{"validators": 4, "seed": 1, "batch": 64, "twins": [3], "steps": [{"at": 0, "submit": 10},
  {"at": 50, "partition": [["0","1","3a"],["2","3b"]]}, {"at": 400, "heal": true}, {"at": 500, "crash": 1, "disk": "DISK"},
  {"at": 700, "restart": 1}, {"at": 900, "drop": {"from": "0", "to": "*", "type": "commit", "percent": 100, "until": 1200}},
  {"at": 1000, "byzantine": {"id": "0", "behaviour": "equivocate"}}, {"at": 1500, "validators": {"add": 1}}],
  "until": 60000, "expect": {"agree": true, "ordered": 10, "orderedAtLeast": 5, "viewAtLeast": 0}}`

describe("npm run sim", () => {
  it("runs the example of the format with each kind of disk, and holds it to what it expects", (t) => {
    for (const disk of ["keep", "torn", "lose-unsynced", "wiped"]) {
      const scenario = parseScenario(JSON.parse(EXAMPLE.replace("DISK", disk)))
      const { ok, failures, ordered } = runScenario(scenario)
      assert.deepEqual([ok, failures, ordered], [true, [], 10], disk)
    }
    const file = join(temporaryDirectory(t), "example.json")
    writeFileSync(file, EXAMPLE.replace("DISK", "torn"))
    assert.equal(sim("--scenario", file).status, 0)
    writeFileSync(file, EXAMPLE.replace("DISK", "torn").replace('"ordered": 10', '"ordered": 9'))
    const unmet = sim("--scenario", file)
    assert.equal(unmet.status, 1)
    assert.match(unmet.stdout, /10 items were ordered everywhere, not 9/)
    writeFileSync(file, EXAMPLE)
    const bad = sim("--scenario", file)
    assert.deepEqual([bad.status, bad.stdout], [2, ""])
    assert.match(bad.stderr, /example\.json: steps\[3\]\.disk is none of keep, torn/)
  })

  it("replays a seed exactly, and counts in one JSON object", () => {
    const runs = [1, 2].map(() => sim("--seed", "42", "--json"))
    const [first, second] = runs.map(
      ({ stdout }) => JSON.parse(stdout) as { ok: boolean; outcome: { fingerprint: string } },
    )
    assert.ok(first!.ok)
    assert.equal(first!.outcome.fingerprint, second!.outcome.fingerprint)
    const { runs: count, rare } = JSON.parse(
      sim("--seeds", "2", "--from", "9", "--validators", "4", "--json").stdout,
    ) as { runs: number; rare: Record<string, number> }
    assert.equal(count, 2)
    assert.equal(Object.keys(rare).length, 6)
  })

  it("says what failed, how to see it again and by how little, and keeps that", (t) => {
    // Twins of two in four are more than f: the folder has a schedule in which they split the others.
    const home = join(dirname(script), "../../..")
    const path = join(home, "test/sim/scenarios/too-many-twins.json")
    const split = JSON.parse(readFileSync(path, "utf8")) as Scenario
    const file = join(temporaryDirectory(t), "split.json")
    writeFileSync(file, JSON.stringify({ ...split, expect: { agree: true } }))
    const { status, stdout } = sim("--scenario", file)
    assert.equal(status, 1)
    assert.match(stdout, /FAILED: a rule was violated/)
    assert.match(stdout, /at \d+ ms, validator .+: /)
    assert.match(stdout, /again: npm run sim -- --scenario .*split\.json/)
    const kept = temporaryDirectory(t)
    assert.equal(sim("--seeds", "1", "--keep", kept).status, 0)
    assert.deepEqual(readdirSync(kept), [])
  })

  it("refuses what makes no sense, with a sentence and exit 2", () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["--seeds", "0"], /--seeds is a whole number from 1/],
      [["--seed", "1", "--seeds", "2"], /--seed and --seeds are different runs/],
      [["--sample", "2"], /--sample does not go with --seeds/],
      [["--scenario", "/nowhere"], /\/nowhere cannot be read: ENOENT/],
      [["--crypto", "none"], /--crypto is real or fast, not "none"/],
      [["--loud"], /Unknown option '--loud'/],
    ]
    for (const [args, reason] of cases) {
      const { status, stdout, stderr } = sim(...args)
      assert.deepEqual([status, stdout], [2, ""])
      assert.match(stderr, reason)
    }
  })
})
