/** A validator's clocks: who was held up himself gives the others the time that he did not look. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { TimerName } from "../../../src/consensus/types.ts"
import { LedgerTimers } from "../../../src/node/ledger/timers.ts"

/** What ended, in order, with the time since the start. */
function timers() {
  const ended: { readonly timer: TimerName; readonly token: number; readonly atMs: number }[] = []
  const began = performance.now()
  let wake: () => void = () => undefined
  const clocks = new LedgerTimers((timer, token) => {
    ended.push({ timer, token, atMs: performance.now() - began })
    wake()
  })
  const until = async (count: number) => {
    while (ended.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { clocks, ended, until, sinceMs: () => performance.now() - began }
}

/** The event loop stands still. */
function holdUp(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** Timers do not keep a process awake, and this one has nothing else to do. */
async function awake<T>(work: Promise<T>): Promise<T> {
  const alive = setInterval(() => undefined, 1_000)
  try {
    return await work
  } finally {
    clearInterval(alive)
  }
}

describe("a validator's clocks", () => {
  it("end with their token, and one of a name replaces the one before", async () => {
    const { clocks, ended, until } = timers()
    clocks.arm("request", 1, 5)
    clocks.arm("request", 2, 10)
    clocks.arm("status", 7, 20)
    await awake(until(2))
    assert.deepEqual(
      ended.map(({ timer, token }) => [timer, token]),
      [
        ["request", 2],
        ["status", 7],
      ],
    )
  })

  it("do not accuse a primary of the time in which nobody looked, but for twice their time at most", async () => {
    const { clocks, ended, until, sinceMs } = timers()
    clocks.arm("request", 1, 60)
    clocks.arm("status", 2, 60)
    holdUp(500)
    const heldMs = sinceMs()
    await awake(until(2))
    const [first, second] = ended
    // what costs nobody anything ends at once
    assert.equal(first?.timer, "status")
    assert.equal(second?.timer, "request")
    assert.ok(second.atMs - heldMs >= 55, `only ${second.atMs - heldMs} ms to look`)
    assert.ok(second.atMs - heldMs < 400, `${second.atMs - heldMs} ms for one of 60`)
  })

  it("end for nobody once stopped", async () => {
    const { clocks, ended } = timers()
    clocks.arm("view", 1, 1)
    clocks.stop()
    clocks.arm("pace", 2, 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(ended, [])
  })
})
