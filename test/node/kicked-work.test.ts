/** Work that is kicked (src/node/kicked-work.ts), by a clock of the test's. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { KickedWork } from "../../src/node/kicked-work.ts"
import { until } from "../helpers/wait.ts"

function made() {
  const runs: { readonly name: string; end(error?: Error): void }[] = []
  const timers: { readonly afterMs: number; readonly run: () => void }[] = []
  const failed: string[] = []
  const work = new KickedWork({
    clock: {
      after(afterMs, run) {
        const timer = { afterMs, run }
        timers.push(timer)
        return () => void timers.splice(timers.indexOf(timer), 1)
      },
    },
    run: (name) => {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      runs.push({ name, end: (error) => (error ? reject(error) : resolve(undefined)) })
      return promise
    },
    onFailed: (name, error) => failed.push(`${name}: ${(error as Error).message}`),
  })
  /** The clock has come to the first timer. */
  const ring = () => timers.splice(0, 1)[0]!.run()
  return { work, runs, timers, failed, ring }
}

describe("kicked work", () => {
  it("runs once at a time for each name, and once more however often it was kicked meanwhile", async () => {
    const { work, runs } = made()
    for (const name of ["a", "a", "b", "a"]) work.kick(name)
    assert.deepEqual(runs.map(({ name }) => name), ["a", "b"]) // prettier-ignore
    runs[0]!.end()
    await until("again", () => runs.length === 3)
    runs[2]!.end()
    runs[1]!.end()
    await work.stop()
    assert.deepEqual(runs.map(({ name }) => name), ["a", "b", "a"]) // prettier-ignore
  })

  it("says what failed and goes on when it is kicked again", async () => {
    const { work, runs, failed } = made()
    work.kick("a")
    runs[0]!.end(new Error("a full disk"))
    await until("it failed", () => failed.length === 1)
    assert.deepEqual(failed, ["a: a full disk"])
    work.kick("a")
    assert.equal(runs.length, 2)
    runs[1]!.end()
    await work.stop()
  })

  it("later means once: by the clock, or by the kick that comes before", async () => {
    const { work, runs, timers, ring } = made()
    work.kickLater("a", 50)
    work.kickLater("a", 70)
    assert.deepEqual(timers.map(({ afterMs }) => afterMs), [70]) // prettier-ignore
    ring()
    assert.equal(runs.length, 1)
    runs[0]!.end()
    work.kickLater("b", 50)
    work.kick("b")
    assert.equal(timers.length, 0)
    runs[1]!.end()
    await work.stop()
  })

  it("ends with the stop, which waits for what runs: nothing begins, no timer is left, nothing failed", async () => {
    const { work, runs, timers, failed } = made()
    work.kick("a")
    work.kick("a")
    work.kickLater("b", 50)
    const stopped = work.stop()
    assert.ok(work.signal.aborted)
    runs[0]!.end(new Error("aborted"))
    await stopped
    work.kickLater("c", 50)
    work.kick("c")
    assert.deepEqual([runs.length, timers.length, failed.length], [1, 0, 0])
  })
})
