/**
 * From a seed to a schedule: which faults this run has is drawn first and written down as a scenario, so that a failure can be
 * shrunk by taking steps away. At most f validators are Byzantine, doubled, or lose their disk; everything else is fair game.
 * At the end all is healed, and everything must be ordered.
 */
import { faulty } from "../../src/consensus/quorum.ts"
import { BEHAVIOURS } from "./byzantine.ts"
import type { CrashKind } from "./disk.ts"
import type { CryptoKind } from "./keys.ts"
import { Random } from "./random.ts"
import type { LinkStep, Scenario, Step } from "./scenario.ts"

export interface PlanOptions {
  /** Drawn by the seed when absent. */
  readonly validators?: number
  readonly crypto?: CryptoKind
}

/** Virtual milliseconds within which a healed cluster must order all that waits. */
export const LIVENESS_MS = 400_000

/** The same where every message takes about a second for ever: a block of one item takes several. */
const SLOW_LIVENESS_MS = 4 * LIVENESS_MS
/** Time between the healing of the links and the second healing, of whatever was still scheduled to break. */
const SECOND_HEAL_MS = 6000

/** When the world of a drawn plan heals for good. */
export const healsAt = (plan: Scenario): number =>
  Math.max(...plan.steps.filter((step) => step.heal).map((step) => step.at)) - SECOND_HEAL_MS

export function planOf(seed: number, options: PlanOptions = {}): Scenario {
  const random = new Random(seed, "plan")
  const n = options.validators ?? random.pick([4, 4, 4, 4, 4, 4, 5, 6, 7, 7])
  const ids = Array.from({ length: n }, (_, i) => String(i))
  const faultsEnd = random.between(4_000, 30_000)
  const steps: Step[] = []
  const when = (): number => random.between(0, faultsEnd)
  const has = (percent: number): boolean => random.chance(percent)

  // The budget of f: each of these uses up one validator.
  let budget = faulty(n)
  const suspects = random.shuffled(ids)
  const spoiled = new Set<string>()
  const twins: number[] = []
  const takeSuspect = (): string | undefined => {
    if (budget === 0) return undefined
    budget--
    const id = suspects.pop()
    if (id !== undefined) spoiled.add(id)
    return id
  }
  while (budget > 0) {
    const kind = random.between(0, 9)
    if (kind < 5) {
      const id = takeSuspect()
      const turns = random.between(1, 3)
      for (let i = 0; id !== undefined && i < turns; i++)
        steps.push({
          at: i === 0 ? random.between(0, 2000) : when(),
          byzantine: { id, behaviour: random.pick(BEHAVIOURS) },
        })
    } else if (kind === 5) {
      const id = takeSuspect()
      if (id !== undefined) twins.push(Number(id))
    } else if (kind === 6) {
      const id = takeSuspect()
      const at = when()
      if (id !== undefined) {
        steps.push({ at, crash: Number(id), disk: "wiped" })
        steps.push({ at: at + random.between(1, 5000), restart: Number(id) })
      }
    } else budget--
  }
  const nodeIds = ids.flatMap((id) => (twins.includes(Number(id)) ? [`${id}a`, `${id}b`] : [id]))
  const healthy = ids.filter((id) => !spoiled.has(id))

  // Load: bursts and trickles.
  const submits = random.between(3, 25)
  for (let i = 0; i < submits; i++) steps.push({ at: when(), submit: random.between(1, 12) })
  if (has(40)) for (let i = 0; i < 4; i++) steps.push({ at: when(), members: random.between(1, 2) })

  // Drawn by themselves, so that all else of a seed is as it was before there were any.
  const again = new Random(seed, "variants")
  if (again.chance(20))
    for (let i = again.between(1, 3); i > 0; i--)
      steps.push({ at: again.between(0, faultsEnd), variants: again.between(1, 4) })

  if (has(70)) steps.push({ at: random.between(0, 1000), network: drawLinks(random) })
  if (has(30)) steps.push({ at: when(), network: drawLinks(random) })

  if (has(55)) {
    const count = random.between(1, 6)
    for (let i = 0; i < count; i++) {
      const at = when()
      steps.push({ at, partition: drawPartition(random, nodeIds) })
      steps.push({ at: at + random.between(100, 6000), heal: true })
    }
  }
  if (has(35)) {
    for (let i = random.between(1, 5); i > 0; i--) {
      const at = when()
      steps.push({ at, cut: [[random.pick(nodeIds), random.pick(nodeIds)]] })
      if (has(60)) steps.push({ at: at + random.between(100, 4000), heal: true })
    }
  }
  if (has(60)) {
    const kinds: readonly CrashKind[] = ["keep", "torn", "torn", "lose-unsynced"]
    for (let i = random.between(1, 8); i > 0; i--) {
      const id = Number(random.pick(healthy))
      const at = when()
      steps.push({ at, crash: id, disk: random.pick(kinds) })
      steps.push({ at: at + random.between(1, 4000), restart: id })
    }
  }
  if (has(20)) {
    const id = random.pick(healthy)
    const at = when()
    steps.push({ at, diskFails: id })
    steps.push({ at: at + random.between(500, 4000), restart: Number(id) })
  }
  if (has(30))
    for (const id of nodeIds)
      if (has(50)) steps.push({ at: 0, clock: { id, rate: random.pick([0.7, 0.9, 1.1, 1.5]) } })
  if (has(30)) {
    const types = ["pre-prepare", "prepare", "commit", "checkpoint", "view-change", "new-view"]
    for (let i = random.between(1, 4); i > 0; i--) {
      const at = when()
      steps.push({
        at,
        drop: {
          from: random.pick([...nodeIds, "*"]),
          to: random.pick([...nodeIds, "*"]),
          type: random.pick(types),
          percent: random.pick([30, 100]),
          until: at + random.between(200, 5000),
        },
      })
    }
  }
  if (has(15) && twins.length === 0) {
    // A smaller set may tolerate fewer faults than there are.
    const mayShrink = n >= 5 && spoiled.size <= Math.floor((n - 2) / 3)
    steps.push({
      at: when(),
      validators: has(70) || !mayShrink ? { add: 1 } : { remove: [random.pick(healthy)] },
    })
  }

  // The world heals: links, then everyone who is down. Some worlds stay slow for ever.
  const slow = has(6)
  const calm: LinkStep = slow ? { delay: [300, 1200] } : { delay: [1, 20] }
  steps.push({ at: faultsEnd + 1, heal: true })
  steps.push({ at: faultsEnd + 1, network: calm })
  for (const id of ids) steps.push({ at: faultsEnd + SECOND_HEAL_MS, restart: Number(id) })
  steps.push({ at: faultsEnd + 1 + SECOND_HEAL_MS, heal: true })
  steps.push({ at: faultsEnd + 2 + SECOND_HEAL_MS, submit: random.between(1, 6) })
  return {
    validators: n,
    seed,
    batch: random.between(1, 8),
    termHeights: random.pick([2, 4, 4, 6, 8, 12, 16]),
    pipeline: random.between(1, 8),
    wire: seed % 10 === 0,
    ...(options.crypto === undefined ? {} : { crypto: options.crypto }),
    twins,
    steps: steps.sort((a, b) => a.at - b.at),
    until: faultsEnd + SECOND_HEAL_MS + (slow ? SLOW_LIVENESS_MS : LIVENESS_MS),
    expect: { agree: true, settled: true },
  }
}

function drawLinks(random: Random): LinkStep {
  const high = random.pick([5, 20, 100, 100, 600, 2500])
  return {
    delay: [random.between(0, Math.floor(high / 2)), high],
    tail: random.pick([0, 0, 5]),
    loss: random.pick([0, 2, 10, 25]),
    duplicate: random.pick([0, 2, 20]),
  }
}

/** Two or three groups; now and then someone is in both. */
function drawPartition(random: Random, ids: readonly string[]): string[][] {
  const groups: string[][] = [[], [], []]
  const count = random.chance(80) ? 2 : 3
  for (const id of ids) {
    groups[random.between(0, count - 1)]!.push(id)
    if (random.chance(10)) {
      const other = groups[random.between(0, count - 1)]!
      if (!other.includes(id)) other.push(id)
    }
  }
  return groups.filter((group) => group.length > 0)
}
