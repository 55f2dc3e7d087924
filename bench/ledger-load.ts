/** Load on a ledger cluster: a fixed number of ids in flight (closed loop), or a fixed rate (open loop). */
import { setTimeout as sleep } from "node:timers/promises"
import { median, quantile } from "./bench.ts"
import type { LedgerCluster } from "./ledger-cluster.ts"

export interface Load {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Blocks of the measured time. */
  readonly blocks: number
  /** Processor time of all validators a block; holds on a busy machine too, nearly. */
  readonly cpuMsPerBlock: number
}

export interface Span {
  readonly warmMs: number
  readonly measureMs: number
}

/** What was done since, until now. */
interface Since {
  readonly at: number
  readonly blocks: number
  readonly cpuMs: number
}

const now = (cluster: LedgerCluster): Since => ({
  at: performance.now(),
  blocks: cluster.blocks.length,
  cpuMs: cluster.cpuMs,
})

function summary(waits: readonly number[], from: Since, to: Since): Load {
  const blocks = to.blocks - from.blocks
  return {
    perSecond: (1000 * waits.length) / (to.at - from.at),
    p50Ms: median(waits),
    p99Ms: quantile(waits, 0.99),
    blocks,
    cpuMsPerBlock: (to.cpuMs - from.cpuMs) / blocks,
  }
}

/** As soon as one id is ordered, another is given in its place. Ends with nothing in flight. */
export async function closedLoop(
  cluster: LedgerCluster,
  inFlight: number,
  { warmMs, measureMs }: Span,
): Promise<Load> {
  let waits: number[] = []
  let open = 0
  let due = 0
  let giving = true
  const give = () => {
    const count = due
    due = 0
    if (giving && count > 0) {
      open += count
      cluster.submit(count)
    }
  }
  cluster.onOrdered = (_, since) => {
    open--
    waits.push(performance.now() - since)
    // what one block ordered comes back together
    if (due++ === 0) setImmediate(give)
  }
  due = inFlight
  give()
  await sleep(warmMs)
  waits = []
  const from = now(cluster)
  await sleep(measureMs)
  const load = summary(waits, from, now(cluster))
  giving = false
  await cluster.until("everything to be ordered", () => open <= 0)
  return load
}

const OPEN_STEP_MS = 1

/** So many a second, evenly, whatever the answer: what is sent late counts from when it was due. */
export async function openLoop(
  cluster: LedgerCluster,
  perSecond: number,
  { warmMs, measureMs }: Span,
): Promise<Load> {
  const waits: number[] = []
  const began = performance.now()
  const measuredFrom = began + warmMs
  const end = measuredFrom + measureMs
  let given = 0
  let ordered = 0
  let from: Since | undefined
  cluster.onOrdered = (_, since) => {
    ordered++
    if (since >= measuredFrom) waits.push(performance.now() - since)
  }
  const dueAt = (number: number) => began + (number * 1000) / perSecond
  while (performance.now() < end) {
    const due: number[] = []
    while (dueAt(given) <= Math.min(performance.now(), end)) due.push(dueAt(given++))
    cluster.submitDue(due)
    if (performance.now() >= measuredFrom) from ??= now(cluster)
    await sleep(OPEN_STEP_MS)
  }
  const to = now(cluster)
  await cluster.until("everything to be ordered", () => ordered >= given)
  return summary(waits, { ...(from ?? to), at: measuredFrom }, { ...to, at: end })
}

/** Ids ordered a second, so many in flight, until the chain has so many blocks. */
export async function rateUntil(
  cluster: LedgerCluster,
  inFlight: number,
  height: number,
): Promise<number> {
  let ordered = 0
  let open = inFlight
  let due = 0
  const give = () => {
    const count = due
    due = 0
    if (cluster.height >= height) return
    open += count
    cluster.submit(count)
  }
  cluster.onOrdered = () => {
    ordered++
    open--
    if (due++ === 0) setImmediate(give)
  }
  const began = performance.now()
  cluster.submit(inFlight)
  await cluster.until(`block ${height}`, () => cluster.height >= height)
  const perSecond = (1000 * ordered) / (performance.now() - began)
  await cluster.until("everything to be ordered", () => open <= 0)
  return perSecond
}
