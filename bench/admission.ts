/**
 * What membership proofs cost: making one, checking one and many, and what a node feels of it. The proofs are those that the tests have
 * recorded (test/helpers/membership-fixture.ts). Beside our verifier the two others that were there to choose from, in the same run: noble's pairing
 * in JavaScript, and snarkjs' own.
 */
import { readFile } from "node:fs/promises"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as after } from "node:timers/promises"
import { groth16 } from "snarkjs"
import type { Bytes } from "../src/crypto/bytes.ts"
import { envelopeId } from "../src/crypto/envelope.ts"
import { MEMBERSHIP_KIND, writeMembership } from "../src/crypto/membership/admission.ts"
import { numberFrom } from "../src/crypto/membership/field.ts"
import { type Claim, membershipVerifier } from "../src/crypto/membership/groth16.ts"
import { pathToKey, rootOverKeys, signEnvelope } from "../src/crypto/membership/one-time-keys.ts"
import { Mailbox, type Origin } from "../src/node/mailbox/mailbox.ts"
import { MembershipAdmission } from "../src/node/membership/membership-admission.ts"
import { Prover } from "../src/node/membership/prove.ts"
import { loadVerificationKey } from "../src/node/semaphore-files.ts"
import { openMemoryStore } from "../src/node/store/store.ts"
import { ProofVerifier } from "../src/node/membership/verify.ts"
import { unpaidEnvelope } from "../test/helpers/envelopes.ts"
import * as fixture from "../test/helpers/membership-fixture.ts"
import { nobleVerifies, readProofPoints } from "../test/helpers/noble-groth16.ts"
import { type Bench, median, type Result } from "./bench.ts"

const PROVE_RUNS = 5
const RUNS = 15
const BATCH = 32
const PER_SECOND = 500
const FLOOD_SECONDS = 4

export const admissionBench: Bench = { name: "admission", run }

const claimOf = (i: number): Claim => {
  const [member, slot] = [i % fixture.MEMBERS, Math.floor(i / fixture.MEMBERS) % 32]
  const { path, signal, scope } = fixture.taskOf(member, slot)
  const { nullifier, proof } = fixture.proofOf(member, slot)
  return { statement: { root: path.root, nullifier, signal, scope }, proof }
}

async function run(): Promise<Result[]> {
  return [
    ...(await proving()),
    ...(await checking()),
    ...(await underLoad()),
    ...(await sending()),
    ...(await others()),
  ]
}

const result = (metric: string, values: readonly number[], unit: string): Result => ({
  metric,
  value: median(values),
  unit,
  runs: values.length,
})

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Processor time of this process while it works, all threads: what a busy machine changes least. */
async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const rssMib = () => process.memoryUsage().rss / 2 ** 20

async function proving(): Promise<Result[]> {
  const prover = new Prover()
  const before = rssMib()
  const first = await timed(() => prover.prove(fixture.taskOf(0, 0)))
  const warm: number[] = []
  for (let i = 1; i <= PROVE_RUNS; i++)
    warm.push(await timed(() => prover.prove(fixture.taskOf(0, i))))
  const cpu = [await cpuMs(() => prover.prove(fixture.taskOf(1, 1)))]
  const during = rssMib() - before
  await prover.stop()
  return [
    result("admission.prove_ms", warm, "ms"),
    result("admission.prove_cold_ms", [first], "ms"),
    result("admission.prove_cpu_ms", cpu, "ms"),
    result("admission.prover_rss_mib", [during], "MiB"),
  ]
}

/** On this thread: what the worker's own work is. */
async function checking(): Promise<Result[]> {
  const verifier = await membershipVerifier(await loadVerificationKey())
  const claims = Array.from({ length: BATCH }, (_, i) => claimOf(i))
  const single: number[] = []
  const batch: number[] = []
  const cpu = { single: [] as number[], batch: [] as number[] }
  for (let i = 0; i <= RUNS; i++) {
    const one = await timed(() => verifier.verify(claims[i % BATCH] ?? claimOf(0)))
    const all = await timed(() => verifier.verifyGroups(claims.map((claim) => [claim])))
    // the first is for warming up
    if (i > 0) {
      single.push(one)
      batch.push(all / BATCH)
      cpu.single.push(await cpuMs(() => verifier.verify(claims[i % BATCH] ?? claimOf(0))))
      cpu.batch.push((await cpuMs(() => verifier.verifyGroups([claims]))) / BATCH)
    }
  }
  return [
    result("admission.single_ms", single, "ms"),
    result("admission.batch32_ms", batch, "ms"),
    result("admission.single_cpu_ms", cpu.single, "ms"),
    result("admission.batch32_cpu_ms", cpu.batch, "ms"),
    result("admission.envelopes_per_s", [1000 / median(cpu.batch)], "/s"),
  ]
}

/** A mailbox in memory that takes the recorded members' envelopes. */
async function mailbox() {
  const store = await openMemoryStore()
  const verifier = new ProofVerifier()
  const onFault = (error: unknown) => process.stderr.write(`fault: ${String(error)}\n`)
  const { meshId, tree, PERIOD } = fixture
  const roots = { period: () => PERIOD, rootFor: () => tree.root }
  const admission = await MembershipAdmission.open({ store, meshId, roots, verifier, onFault })
  const admissions = new Map([
    [MEMBERSHIP_KIND, (bytes: Bytes, origin: Origin) => admission.judge(bytes, origin)],
  ])
  const box = await Mailbox.open({ store, meshId, admissions, onFault })
  const stop = async () => {
    await verifier.stop()
    await box.stop()
    await store.close()
  }
  return { box, admission, stop }
}

/** 500 envelopes a second, half of them with proofs that do not hold, from many peers: what the event loop of the node feels. */
async function underLoad(): Promise<Result[]> {
  const { box, stop } = await mailbox()
  const good = fixture
    .slots()
    .flatMap(({ member, slot }) =>
      Array.from({ length: 8 }, (_, key) => fixture.admitted(unpaidEnvelope(), member, slot, key)),
    )
  const bad = good.slice(0, 256).map((envelope, i) => {
    const other = fixture.admitted(unpaidEnvelope(), i % 4, i % 32)
    // a nullifier that nobody has, under a signature that holds
    other.set(envelope.slice(700, 730), 9)
    other[7] = 0
    return other
  })
  await box.rule().judge(good.pop() ?? unpaidEnvelope(), "warm")
  const before = rssMib()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const verdicts: Promise<string>[] = []
  const TICK_MS = 20
  const began = performance.now()
  for (let sent = 0; sent < PER_SECOND * FLOOD_SECONDS;) {
    const due = Math.min((performance.now() - began) / 1000, FLOOD_SECONDS) * PER_SECOND
    for (; sent < due; sent++) {
      const half = sent >> 1
      const envelope = sent % 2 === 0 ? good[half % good.length] : spoilt(bad, half)
      verdicts.push(
        box
          .rule()
          .judge(envelope ?? unpaidEnvelope(), `peer ${sent % 40}`)
          .then((verdict) => (verdict.verdict === "accept" ? "accept" : verdict.code)),
      )
    }
    await after(TICK_MS)
  }
  const all = await Promise.all(verdicts)
  delay.disable()
  const accepted = all.filter((each) => each === "accept").length
  const shed = all.filter((each) => each === "OVERLOADED").length
  await stop()
  return [
    result("admission.loop_p99_ms", [delay.percentile(99) / 1e6 - 1], "ms"),
    result("admission.load_accepted", [accepted], "envelopes"),
    result("admission.load_shed", [shed], "envelopes"),
    result("admission.load_rss_mib", [rssMib() - before], "MiB"),
  ]
}

/** Each another nullifier, so that each is another proof to be checked. */
function spoilt(bad: readonly Bytes[], i: number): Bytes {
  const envelope = bad[i % bad.length]?.slice() ?? unpaidEnvelope()
  envelope[20] = i & 255
  envelope[21] = i >> 8
  return envelope
}

/** What an own envelope waits for when its proof lies ready: key, path, signature, and being judged and stored here. */
async function sending(): Promise<Result[]> {
  const { box, admission, stop } = await mailbox()
  const values: number[] = []
  for (let slot = 0; slot <= RUNS; slot++) {
    const envelope = unpaidEnvelope()
    const keys = fixture.keysOf(0, slot)
    const seed = fixture.seedsOf(0, slot)[0]
    const { nullifier, proof } = fixture.proofOf(0, slot)
    admission.proven(nullifier, rootOverKeys(keys))
    const spent = await timed(async () => {
      const [key, path] = [keys[0], pathToKey(keys, 0)]
      if (key === undefined || seed === undefined) throw new Error("no keys")
      const signature = signEnvelope(seed, fixture.meshId, envelopeId(envelope))
      const fields = { period: fixture.PERIOD, slot, nullifier, proof, keyIndex: 0, key, path, signature } // prettier-ignore
      await box.post(writeMembership(envelope, fields))
    })
    if (slot > 0) values.push(spent)
  }
  await stop()
  return [result("admission.send_warm_ms", values, "ms")]
}

async function others(): Promise<Result[]> {
  const key = await loadVerificationKey()
  const noble: number[] = []
  for (let i = 0; i <= 5; i++) {
    const spent = await timed(() => nobleVerifies(key, claimOf(i)))
    if (i > 0) noble.push(spent)
  }
  const file = new URL("../../data/semaphore/semaphore-20.json", import.meta.url)
  const json: unknown = JSON.parse(await readFile(file, "utf8"))
  const snark: number[] = []
  for (let i = 0; i <= 5; i++) {
    const { statement, proof } = claimOf(i)
    const { root, nullifier, signal, scope } = statement
    const signals = [root, nullifier, signal, scope].map((each) => numberFrom(each).toString())
    const points = readProofPoints(proof)
    const spent = await timed(async () => {
      if (!(await groth16.verify(json, signals, points)))
        throw new Error("snarkjs refuses what the others take")
    })
    if (i > 0) snark.push(spent)
  }
  const curve = (globalThis as { curve_bn128?: { terminate(): Promise<void> } }).curve_bn128
  await curve?.terminate()
  return [
    result("floor.noble_single_ms", noble, "ms"),
    result("floor.snarkjs_single_ms", snark, "ms"),
  ]
}
