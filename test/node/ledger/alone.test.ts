/** A mesh of one validator, the default: what happens to its order when the validator's memory is lost, or put back to an older day. */
import assert from "node:assert/strict"
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import type { LedgerStatus } from "../../../src/node/api/types.ts"
import { forgetLedger } from "../../../src/node/ledger/forget.ts"
import { acquaint, newNode, type TestNode } from "../../helpers/nodes.ts"
import { until } from "../../helpers/wait.ts"

async function ledgerOf(node: TestNode): Promise<LedgerStatus> {
  return (await node.call("status", {})).ledger ?? assert.fail("this mesh has a ledger")
}

/** Everything that this node knows of has its place. */
const allOrdered = (node: TestNode) =>
  until("everything to be in order", async () => {
    const { waiting, behind } = await ledgerOf(node)
    return waiting === 0 && behind === 0
  })

async function say(from: TestNode, to: TestNode, names: [string, string], text: string) {
  await from.call("messages.send", { to: names[1], text })
  await to.untilText(names[0], text)
}

describe("a mesh whose only validator", () => {
  it("lost its memory goes on in no order, and in order again at the operator's word; put back to an older day, it takes what others hold", async (t) => {
    const ann = await newNode(t)
    await ann.create("ann", null)
    const ben = await newNode(t)
    await ben.create("ben", null, await ann.ticket())
    await acquaint(ann, ben, { one: "ann", other: "ben" })
    await say(ann, ben, ["ann", "ben"], "first")
    await allOrdered(ann)
    const { height } = await ledgerOf(ann)
    assert(height > 0)
    await until("ben to follow", async () => (await ledgerOf(ben)).height >= height)
    assert.equal((await ann.call("ledger.resume", {})).resumed, "no")
    assert.equal((await ben.call("ledger.resume", {})).resumed, "no")

    await ann.stop()
    // What it certified nobody else may hold: nothing is forgotten by accident.
    const forgetting = { dataDir: ann.dataDir, alone: false, signal: AbortSignal.timeout(10_000) }
    assert.deepEqual(await forgetLedger(forgetting), { refused: "ALONE" })
    rmSync(join(ann.dataDir, "ledger"), { recursive: true })
    await ann.start()
    const lost = await ledgerOf(ann)
    assert.equal(lost.role, "observing")
    assert.equal(lost.problem?.code, "MEMORY_LOST")
    await say(ben, ann, ["ben", "ann"], "without order")
    assert.equal((await ledgerOf(ann)).height, lost.height)
    assert((await ledgerOf(ann)).waiting > 0)
    assert.equal((await ann.call("ledger.resume", {})).resumed, "now")
    await allOrdered(ann)
    const resumed = await ledgerOf(ann)
    assert.equal(resumed.role, "validating")
    assert.equal(resumed.problem, null)
    assert(resumed.height > lost.height)
    await until("ben to follow", async () => (await ledgerOf(ben)).height >= resumed.height)

    // the whole profile as it is now, put back after more was ordered
    await ann.stop()
    const backup = `${ann.dataDir}-backup`
    t.after(() => rmSync(backup, { recursive: true, force: true }))
    cpSync(ann.dataDir, backup, { recursive: true, filter: (path) => !path.endsWith(".sock") })
    await ann.start()
    await say(ben, ann, ["ben", "ann"], "after the backup")
    await allOrdered(ann)
    const newest = (await ledgerOf(ann)).height
    assert(newest > resumed.height)
    await until("ben to follow", async () => (await ledgerOf(ben)).height >= newest)
    await ann.stop()
    rmSync(ann.dataDir, { recursive: true })
    cpSync(backup, ann.dataDir, { recursive: true })
    await ann.start()
    await until(
      "ann to have read what ben holds",
      async () => (await ledgerOf(ann)).height >= newest,
    )
    await say(ben, ann, ["ben", "ann"], "and on")
    await allOrdered(ann)
    const last = await ledgerOf(ann)
    assert.deepEqual([last.role, last.problem], ["validating", null])
    await until("ben to follow", async () => (await ledgerOf(ben)).height >= last.height)
    assert.equal((await ledgerOf(ben)).problem, null)
    assert.equal((await ben.call("ledger.verify", {})).fault, null)
  })
})
