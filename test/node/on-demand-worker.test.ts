/** A thread that comes and goes: mining, proving and checking proofs rest on it. */
import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { OnDemandWorker } from "../../src/node/on-demand-worker.ts"
import { until } from "../helpers/wait.ts"

/** Answers a number with twice as much, after saying that it has begun; "die" ends it, "hang" is never answered. */
const PROGRAM = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort, threadId } from "node:worker_threads"
    parentPort.on("message", (job) => {
      if (job === "die") process.exit(1)
      if (job === "hang") return
      parentPort.postMessage({ begun: threadId })
      parentPort.postMessage({ twice: 2 * job })
    })`)}`,
)

type Job = number | "die" | "hang"
type Report = { readonly begun: number } | { readonly twice: number }

class LostError extends Error {}

function worker(t: TestContext, idleMs = 60_000) {
  const lost = (cause: unknown) => new LostError("lost", { cause })
  const one = new OnDemandWorker<Job, Report>({ program: PROGRAM, idleMs, lost })
  t.after(() => one.stop())
  const threads: number[] = []
  const run = (job: Job) =>
    one.run<number>(job, (report, end) => {
      if ("begun" in report) threads.push(report.begun)
      else end.resolve(report.twice)
    })
  return { one, run, threads }
}

describe("a thread on demand", () => {
  it("starts with the first job and is the same for the next", async (t) => {
    const { one, run, threads } = worker(t)
    assert.equal(one.running, false)
    assert.equal(await run(1), 2)
    assert.equal(await run(21), 42)
    assert.equal(threads[0], threads[1])
    assert.ok(one.running)
  })

  it("ends when there was nothing to do for a while, and starts again", async (t) => {
    const { one, run, threads } = worker(t, 10)
    await run(1)
    await until("the thread to end", () => !one.running)
    assert.equal(await run(2), 4)
    assert.notEqual(threads[0], threads[1])
  })

  it("that dies fails its job, and is replaced by the next", async (t) => {
    const { one, run, threads } = worker(t)
    await run(1)
    await assert.rejects(run("die"), LostError)
    await until("its end to be noticed", () => !one.running)
    assert.equal(await run(3), 6)
    assert.notEqual(threads[0], threads[1])
  })

  it("is ready before the first job where somebody expects one, and ends as well if none comes", async (t) => {
    const { one } = worker(t, 10)
    one.warm()
    assert.ok(one.running)
    await until("the thread to end", () => !one.running)
  })

  it("is stopped in the middle of a job, which is lost, and is not started again", async (t) => {
    const { one, run } = worker(t)
    const hanging = assert.rejects(run("hang"), LostError)
    await one.stop()
    await hanging
    one.warm()
    assert.equal(one.running, false)
    await assert.rejects(run(1), /no more jobs/)
  })
})
