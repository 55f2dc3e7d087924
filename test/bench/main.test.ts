import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { median, timeCall } from "../../bench/bench.ts"

const MAIN = fileURLToPath(new URL("../../bench/main.js", import.meta.url))
const bench = (...words: string[]) =>
  spawnSync(process.execPath, [MAIN, ...words], { encoding: "utf8" })

describe("npm run bench", () => {
  it("lists the names and exits 2 when the name or an option is not known", () => {
    for (const words of [
      [],
      ["nothing"],
      ["toString"],
      ["primitives", "--xml"],
      ["primitives", "primitives"],
    ]) {
      const { status, stdout, stderr } = bench(...words)
      assert.equal(status, 2, words.join(" "))
      assert.equal(stdout, "")
      assert.match(stderr, /^benchmarks: .*\bprimitives\b/m)
    }
  })

  it("takes the median: of an even number the mean of the middle two, whatever the order", () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([10, 1, 2, 4]), 3)
    assert.equal(median([7]), 7)
  })

  it("calls what it times, and reports in microseconds", () => {
    let calls = 0
    const { metric, value, unit, runs } = timeCall("floor.nothing_us", () => calls++, 1)
    assert.deepEqual([metric, unit, runs], ["floor.nothing_us", "us", 1])
    assert.ok(calls > 1 && value > 0)
  })
})
