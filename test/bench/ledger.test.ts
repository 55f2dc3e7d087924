import assert from "node:assert/strict"
import { statSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { LedgerCluster } from "../../bench/ledger-cluster.ts"
import { closedLoop, openLoop } from "../../bench/ledger-load.ts"
import { HYBRID_SIGNATURE_BYTES } from "../../src/consensus/limits.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"

const SHORT = { warmMs: 100, measureMs: 500 }

describe("the ledger bench", () => {
  it("orders what is in flight and what is due, is followed, and goes on when the primary is killed", async (t) => {
    const directory = temporaryDirectory(t)
    const cluster = await LedgerCluster.start({ directory, validators: 4 })
    t.after(() => cluster.stop())
    assert((await closedLoop(cluster, 8, SHORT)).perSecond > 0)
    const open = await openLoop(cluster, 50, SHORT)
    assert(open.p50Ms > 0 && open.p99Ms >= open.p50Ms)
    const follower = await cluster.follow(join(directory, "follower"))
    const victim = cluster.primary
    await cluster.kill(victim)
    const before = cluster.height
    cluster.submit(1)
    await cluster.until("a block without it", () => cluster.height > before)
    await cluster.restart(victim)
    const here = (at: number) => () => cluster.heightOf(at) > before
    await cluster.until("it to catch up", here(victim))
    await cluster.until("it to follow", here(follower))
  })

  it("has a floor that orders the same under the same load", async (t) => {
    const directory = temporaryDirectory(t)
    const cluster = await LedgerCluster.start({ directory, validators: 4, program: "floor" })
    t.after(() => cluster.stop())
    assert((await closedLoop(cluster, 200, SHORT)).perSecond > 0)
    const open = await openLoop(cluster, 500, SHORT)
    assert(open.p50Ms > 0 && open.blocks > 0)
    const log = statSync(join(directory, "validator1", "log")).size
    const signed = cluster.height * 2 * HYBRID_SIGNATURE_BYTES
    assert(log > signed, "each validator has on its disk what it signed")
  })
})
