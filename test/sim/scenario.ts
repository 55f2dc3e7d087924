/**
 * Schedules as data: what happens when, and what must hold in the end. The same format serves files that people write, seeds
 * that the simulator draws, and what is left of a failing seed after shrinking. README.md documents every field.
 */
import { BLOCK_ITEMS_MAX, PIPELINE_SLOTS, TERM_HEIGHTS } from "../../src/consensus/limits.ts"
import { BEHAVIOURS } from "./byzantine.ts"
import type { Behaviour } from "./byzantine.ts"
import { Cluster } from "./cluster.ts"
import type { Rare } from "./rare.ts"
import type { Violation } from "./checkers.ts"
import type { CrashKind } from "./disk.ts"
import type { CryptoKind } from "./keys.ts"

export interface LinkStep {
  readonly delay?: readonly [number, number]
  readonly tail?: number
  readonly loss?: number
  readonly duplicate?: number
}

/** One thing that happens; exactly one field besides `at` (and `disk` beside `crash`). */
export interface Step {
  readonly at: number
  readonly submit?: number
  readonly members?: number
  readonly variants?: number
  readonly partition?: readonly (readonly string[])[]
  readonly cut?: readonly (readonly [string, string])[]
  readonly heal?: true
  readonly crash?: number
  readonly disk?: CrashKind
  readonly restart?: number
  readonly diskFails?: string
  readonly clock?: { readonly id: string; readonly rate: number }
  readonly network?: LinkStep
  readonly drop?: {
    readonly from?: string
    readonly to?: string
    readonly type?: string
    readonly percent?: number
    readonly until?: number
  }
  readonly byzantine?: { readonly id: string; readonly behaviour: Behaviour }
  readonly validators?: { readonly add?: number; readonly remove?: readonly string[] }
}

export interface Expectation {
  readonly agree?: boolean
  readonly ordered?: number
  readonly orderedAtLeast?: number
  readonly viewAtLeast?: number
  /** Every submitted item is ordered at every running correct validator; then the run ends early. */
  readonly settled?: boolean
}

export interface Scenario {
  readonly validators: number
  readonly seed?: number
  readonly batch?: number
  readonly termHeights?: number
  readonly pipeline?: number
  readonly crypto?: CryptoKind
  readonly wire?: boolean
  readonly twins?: readonly number[]
  readonly steps: readonly Step[]
  readonly until: number
  readonly expect?: Expectation
}

export interface Outcome {
  readonly ok: boolean
  readonly failures: readonly string[]
  readonly violations: readonly Violation[]
  readonly ordered: number
  readonly submitted: number
  readonly height: number
  readonly highestView: number
  readonly messages: number
  readonly steps: number
  readonly virtualMs: number
  readonly rare: Rare
  /** Equal for equal runs. */
  readonly fingerprint: string
}

// ---- reading files

export class ScenarioError extends Error {}

const STEP_KEYS = [
  "submit",
  "members",
  "variants",
  "partition",
  "cut",
  "heal",
  "crash",
  "restart",
  "diskFails",
  "clock",
  "network",
  "drop",
  "byzantine",
  "validators",
] as const
const CRASH_KINDS: readonly string[] = ["keep", "torn", "lose-unsynced", "wiped"]
const MESSAGE_TYPES: readonly string[] = [
  ..."pre-prepare prepare commit checkpoint view-change new-view *".split(" "),
  ..."seal status fetch batch blocks request evidence".split(" "),
]

const bad = (reason: string): never => {
  throw new ScenarioError(reason)
}

function object(
  value: unknown,
  where: string,
  allowed: readonly string[],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad(`${where} is not an object`)
  for (const key of Object.keys(value))
    if (!allowed.includes(key)) bad(`${where} has an unknown field "${key}"`)
  return value as Record<string, unknown>
}

function number(value: unknown, where: string, low = 0, high = 1e12): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < low || value > high)
    return bad(`${where} is not a number from ${low} to ${high}`)
  return value
}

function integer(value: unknown, where: string, low = 0, high = 1e12): number {
  const n = number(value, where, low, high)
  return Number.isInteger(n) ? n : bad(`${where} is not a whole number`)
}

const list = (value: unknown, where: string): readonly unknown[] =>
  Array.isArray(value) ? (value as unknown[]) : bad(`${where} is not a list`)

/** Ids that a file may name: validators, twins' halves, and validators added on the way. */
function idChecker(scenario: Record<string, unknown>): (value: unknown, where: string) => string {
  const n = scenario["validators"] as number
  const twins = (scenario["twins"] ?? []) as readonly number[]
  const ids = new Set<string>()
  for (let i = 0; i < n; i++)
    if (twins.includes(i)) ids.add(`${i}a`).add(`${i}b`)
    else ids.add(String(i))
  let next = ids.size
  for (const step of (Array.isArray(scenario["steps"]) ? scenario["steps"] : []) as Step[]) {
    const added = step.validators?.add ?? 0
    for (let i = 0; i < Math.min(added, 64); i++) ids.add(String(next++))
  }
  return (value, where) =>
    typeof value === "string" && ids.has(value)
      ? value
      : bad(`${where}: there is no validator ${JSON.stringify(value)}`)
}

function checkStep(
  value: unknown,
  where: string,
  id: (v: unknown, w: string) => string,
  n: number,
): void {
  const step = object(value, where, ["at", "disk", ...STEP_KEYS])
  number(step["at"], `${where}.at`)
  const kinds = STEP_KEYS.filter((key) => step[key] !== undefined)
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1) return bad(`${where} needs exactly one action`)
  if (step["disk"] !== undefined) {
    if (kind !== "crash") bad(`${where}.disk belongs to a crash`)
    if (!CRASH_KINDS.includes(step["disk"] as string))
      bad(`${where}.disk is none of ${CRASH_KINDS.join(", ")}`)
  }
  const at = `${where}.${kind}`
  const action = step[kind]
  const idOrAll = (wanted: unknown, name: string): void => {
    if (wanted !== undefined && wanted !== "*") id(wanted, name)
  }
  switch (kind) {
    case "submit":
    case "members":
    case "variants":
      integer(action, at, 1, 100_000)
      return
    case "partition":
      list(action, at).forEach((group) => list(group, at).forEach((member) => id(member, at)))
      return
    case "cut":
      for (const pair of list(action, at)) {
        if (list(pair, at).length !== 2) bad(`${at} is a list of pairs`)
        list(pair, at).forEach((member) => id(member, at))
      }
      return
    case "heal":
      if (action !== true) bad(`${at} is not true`)
      return
    case "crash":
    case "restart":
      integer(action, at, 0, n + 63)
      return
    case "diskFails":
      id(action, at)
      return
    case "clock": {
      const clock = object(action, at, ["id", "rate"])
      id(clock["id"], `${at}.id`)
      number(clock["rate"], `${at}.rate`, 0.1, 10)
      return
    }
    case "network": {
      const links = object(action, at, ["delay", "tail", "loss", "duplicate"])
      for (const name of ["tail", "loss", "duplicate"])
        if (links[name] !== undefined) number(links[name], `${at}.${name}`, 0, 100)
      if (links["delay"] === undefined) return
      const delay = list(links["delay"], `${at}.delay`)
      if (delay.length !== 2) bad(`${at}.delay is a pair`)
      delay.forEach((ms) => number(ms, `${at}.delay`, 0, 1e6))
      return
    }
    case "drop": {
      const drop = object(action, at, ["from", "to", "type", "percent", "until"])
      idOrAll(drop["from"], `${at}.from`)
      idOrAll(drop["to"], `${at}.to`)
      if (drop["type"] !== undefined && !MESSAGE_TYPES.includes(drop["type"] as string))
        bad(`${at}.type is none of ${MESSAGE_TYPES.join(", ")}`)
      if (drop["percent"] !== undefined) number(drop["percent"], `${at}.percent`, 0, 100)
      if (drop["until"] !== undefined) number(drop["until"], `${at}.until`)
      return
    }
    case "byzantine": {
      const lie = object(action, at, ["id", "behaviour"])
      id(lie["id"], `${at}.id`)
      if (!(BEHAVIOURS as readonly unknown[]).includes(lie["behaviour"]))
        bad(`${at}.behaviour is none of ${BEHAVIOURS.join(", ")}`)
      return
    }
    case "validators": {
      const change = object(action, at, ["add", "remove"])
      if (change["add"] !== undefined) integer(change["add"], `${at}.add`, 0, 16)
      if (change["remove"] !== undefined)
        list(change["remove"], `${at}.remove`).forEach((gone) => id(gone, `${at}.remove`))
      if (change["add"] === undefined && change["remove"] === undefined)
        bad(`${at} changes nothing`)
    }
  }
}

/** Checks everything about a scenario. Throws ScenarioError with the reason. */
export function parseScenario(value: unknown): Scenario {
  const scenario = object(value, "the scenario", [
    ..."validators seed batch termHeights pipeline crypto wire twins steps until expect".split(" "),
  ])
  const n = integer(scenario["validators"], "validators", 1, 64)
  if (scenario["seed"] !== undefined) integer(scenario["seed"], "seed")
  if (scenario["batch"] !== undefined) integer(scenario["batch"], "batch", 1, BLOCK_ITEMS_MAX)
  if (scenario["termHeights"] !== undefined)
    integer(scenario["termHeights"], "termHeights", 1, TERM_HEIGHTS)
  if (scenario["pipeline"] !== undefined) integer(scenario["pipeline"], "pipeline", 1, TERM_HEIGHTS)
  if (scenario["crypto"] !== undefined && !["fast", "real"].includes(scenario["crypto"] as string))
    bad("crypto is neither fast nor real")
  if (scenario["wire"] !== undefined && typeof scenario["wire"] !== "boolean")
    bad("wire is neither true nor false")
  if (scenario["twins"] !== undefined)
    list(scenario["twins"], "twins").forEach((twin) => integer(twin, "twins", 0, n - 1))
  number(scenario["until"], "until", 1, 1e9)
  const id = idChecker(scenario)
  list(scenario["steps"], "steps").forEach((step, i) => checkStep(step, `steps[${i}]`, id, n))
  if (scenario["expect"] !== undefined) {
    const expect = object(scenario["expect"], "expect", [
      ..."agree ordered orderedAtLeast viewAtLeast settled".split(" "),
    ])
    for (const name of ["agree", "settled"])
      if (expect[name] !== undefined && typeof expect[name] !== "boolean")
        bad(`expect.${name} is neither true nor false`)
    for (const name of ["ordered", "orderedAtLeast", "viewAtLeast"])
      if (expect[name] !== undefined) integer(expect[name], `expect.${name}`)
  }
  return scenario as unknown as Scenario
}

// ---- running

const matching = (cluster: Cluster, seat: number): readonly string[] =>
  cluster.nodes
    .map((node) => node.id)
    .filter((id) => id === String(seat) || id === `${seat}a` || id === `${seat}b`)

function perform(cluster: Cluster, step: Step): void {
  if (step.submit !== undefined) cluster.submit(step.submit)
  else if (step.members !== undefined) cluster.submitMembers(step.members)
  else if (step.variants !== undefined) cluster.submitVariants(step.variants)
  else if (step.partition !== undefined) cluster.partition(step.partition)
  else if (step.cut !== undefined) for (const [from, to] of step.cut) cluster.network.cut(from, to)
  else if (step.heal !== undefined) {
    cluster.heal()
    for (const node of cluster.nodes) node.diskFails = false
  } else if (step.crash !== undefined) {
    for (const id of matching(cluster, step.crash)) cluster.crash(id, step.disk ?? "keep")
  } else if (step.restart !== undefined)
    for (const id of matching(cluster, step.restart)) cluster.restart(id)
  else if (step.diskFails !== undefined) cluster.node(step.diskFails).diskFails = true
  else if (step.clock !== undefined) cluster.node(step.clock.id).clockRate = step.clock.rate
  else if (step.network !== undefined) {
    const { delay, tail, loss, duplicate } = step.network
    cluster.network.options = {
      delayMs: delay ?? [1, 10],
      tailPercent: tail ?? 0,
      lossPercent: loss ?? 0,
      duplicatePercent: duplicate ?? 0,
    }
  } else if (step.drop !== undefined) cluster.drop(step.drop)
  else if (step.byzantine !== undefined)
    cluster.byzantine(step.byzantine.id, step.byzantine.behaviour)
  else if (step.validators !== undefined)
    cluster.changeValidators(step.validators.add ?? 0, step.validators.remove)
}

/** How often the run is looked at, virtual milliseconds. */
const LOOK_MS = 50

export function runScenario(scenario: Scenario): Outcome {
  const cluster = new Cluster(scenario.validators, {
    seed: scenario.seed ?? 1,
    batch: scenario.batch ?? 64,
    termHeights: scenario.termHeights ?? TERM_HEIGHTS,
    pipelineSlots: scenario.pipeline ?? PIPELINE_SLOTS,
    crypto: scenario.crypto ?? "fast",
    wire: scenario.wire ?? false,
    twins: scenario.twins ?? [],
  })
  const expect = scenario.expect ?? { agree: true }
  const steps = scenario.steps
    .map((step, order) => ({ step, order }))
    .sort((a, b) => a.step.at - b.step.at || a.order - b.order)
  let highestView = 0
  const look = (): void => {
    for (const node of cluster.correct) highestView = Math.max(highestView, node.replica?.view ?? 0)
  }
  const advanceTo = (end: number, stop: () => boolean): void => {
    while (cluster.scheduler.now < end && cluster.violations.length === 0 && !stop()) {
      cluster.run(Math.min(LOOK_MS, end - cluster.scheduler.now))
      look()
    }
  }
  for (const { step } of steps) {
    if (step.at > scenario.until || cluster.violations.length > 0) break
    advanceTo(step.at, () => false)
    perform(cluster, step)
  }
  const settle = expect.settled === true
  let quiet = 0
  advanceTo(scenario.until, () => settle && ++quiet % 10 === 0 && cluster.settled())

  const failures: string[] = []
  const agreed = cluster.violations.length === 0
  if ((expect.agree ?? true) !== agreed)
    failures.push(agreed ? "disagreement was expected, and all agree" : "a rule was violated")
  const ordered = cluster.orderedEverywhere()
  if (expect.ordered !== undefined && ordered !== expect.ordered)
    failures.push(`${ordered} items were ordered everywhere, not ${expect.ordered}`)
  if (expect.orderedAtLeast !== undefined && ordered < expect.orderedAtLeast)
    failures.push(`${ordered} items were ordered everywhere, fewer than ${expect.orderedAtLeast}`)
  if (expect.viewAtLeast !== undefined && highestView < expect.viewAtLeast)
    failures.push(`the highest view was ${highestView}, below ${expect.viewAtLeast}`)
  if (settle && agreed && !cluster.settled()) failures.push("liveness: items are left unordered")
  return {
    ok: failures.length === 0,
    failures,
    violations: cluster.violations,
    ordered,
    submitted: cluster.checkers.submitted.size,
    height: cluster.checkers.height,
    highestView,
    messages: cluster.network.sent,
    steps: cluster.scheduler.steps,
    virtualMs: cluster.scheduler.now,
    rare: cluster.rare,
    fingerprint: `${cluster.scheduler.steps} ${cluster.network.sent} ${cluster.checkers.fingerprint()}`,
  }
}
