/**
 * A validator that dies between any two things it does to its disk, or in the middle of one, and one whose disk fails: the real driver,
 * log and files, with a fault at every single step.
 */
import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { DEFAULT_TIMING } from "../../../src/consensus/core.ts"
import { validatorSet } from "../../../src/consensus/quorum.ts"
import { toHex } from "../../../src/crypto/bytes.ts"
import { LedgerChain } from "../../../src/node/ledger/chain.ts"
import { LedgerDriver } from "../../../src/node/ledger/driver.ts"
import { LedgerLog } from "../../../src/node/ledger/wal.ts"
import { openMemoryStore, type Store } from "../../../src/node/store/store.ts"
import { bench, work } from "../../consensus/parts.ts"
import { type Fault, FaultyFiles } from "../../helpers/faulty-files.ts"

const TERM = 4
const ROUNDS = 5
const NONE: Fault = { at: Infinity, code: "killed", written: "nothing" }
let lives = 0
let disks = 0

interface Disk {
  readonly home: string
  readonly store: Store
}

async function newDisk(all: string): Promise<Disk> {
  const home = join(all, `${++disks}`)
  mkdirSync(home)
  writeFileSync(join(home, "validator.new"), "")
  return { home, store: await openMemoryStore() }
}

/** What one life of a validator let out: `type view height digest`, and how it stood. */
interface Life {
  readonly said: string[]
  readonly standing: string
  readonly problem: LedgerDriver["problem"]
  readonly height: number
  readonly faults: unknown[]
}

/** Starts on this disk, is given items round by round, and ends, in whatever way the fault has it end. */
async function live({ home, store }: Disk, files: FaultyFiles, validators: number): Promise<Life> {
  const parts = bench(validators, "fast", TERM)
  const { rules, ring } = parts
  const { keys, sign } = parts.holderOf(validatorSet(rules.validators), 0)
  const life = ++lives
  const said: string[] = []
  const faults: unknown[] = []
  const failing: Store = {
    ...store,
    kind: store.kind,
    id: store.id,
    get: (...args) => store.get(...args),
    peek: (...args) => store.peek(...args),
    getMany: (...args) => store.getMany(...args),
    range: (...args) => store.range(...args),
    batch: (...args) => files.step(() => store.batch(...args)),
  }
  let driver: LedgerDriver | undefined
  const log = new LedgerLog({
    directory: join(home, "ledger"),
    newMark: join(home, "validator.new"),
    meshId: rules.meshId,
  })
  try {
    const chain = await LedgerChain.open(failing)
    driver = await LedgerDriver.start(await chain.replay(rules), {
      replica: {
        scheme: ring.scheme,
        ed25519: keys.ed25519,
        sign,
        timing: DEFAULT_TIMING,
        pipelineSlots: 4,
        nonce: life,
      },
      checks: { prove: () => Promise.resolve() },
      chain,
      log,
      send: (_, message) => {
        if ("digest" in message && "view" in message)
          said.push(`${message.type} ${message.view} ${message.height} ${toHex(message.digest)}`)
      },
      serve: () => undefined,
      want: () => undefined,
      lied: () => undefined,
      onBlock: ({ height, certificate }) =>
        said.push(`block 0 ${height} ${toHex(certificate.digest)}`),
      seal: () => Promise.reject(new Error("not here")),
      note: () => undefined,
      onFault: (error) => faults.push(error),
    })
    for (let n = 0; n < ROUNDS; n++) {
      driver.input({ type: "admit", items: [work(`${life} ${n}`)] })
      await driver.settled()
    }
  } catch (error) {
    faults.push(error)
  }
  const standing = driver?.standing ?? "not started"
  const problem = driver?.problem ?? null
  await driver?.stop()
  await log.close()
  const { height } = await LedgerChain.open(store)
  return { said, standing, problem, height, faults }
}

/** Two lines that speak of one place say the same, over all lives. */
function consistent(said: readonly (readonly string[])[], what: string): number {
  const places = new Map<string, string>()
  let highest = 0
  for (const line of said.flat()) {
    const [type, view, height, digest] = line.split(" ")
    const place = `${type} ${view} ${height}`
    assert.equal(
      places.get(place) ?? digest,
      digest,
      `${what}: signed twice, differently: ${place}`,
    )
    places.set(place, digest!)
    if (type === "block") highest = Math.max(highest, Number(height))
  }
  return highest
}

describe("a validator", () => {
  const home = mkdtempSync(join(tmpdir(), "sotto-kill-"))
  const files = new FaultyFiles(home)
  after(() => {
    files.restore()
    rmSync(home, { recursive: true })
  })

  /** Every step of an undisturbed life, and which of them write bytes. */
  async function stepsOf(validators: number): Promise<{ count: number; writes: Set<number> }> {
    const disk = await newDisk(home)
    files.arm(NONE)
    const { standing } = await live(disk, files, validators)
    assert.equal(standing, "validating")
    return { count: files.steps, writes: new Set(files.writes) }
  }

  for (const validators of [1, 4])
    it(`killed at any step goes on where it was, and signs nothing else: ${validators}`, async () => {
      const { count, writes } = await stepsOf(validators)
      assert(writes.size > 3 && count > writes.size)
      for (let at = 1; at <= count; at++)
        for (const written of writes.has(at)
          ? (["nothing", "half", "all"] as const)
          : (["nothing", "all"] as const)) {
          const what = `${validators} validators, step ${at} of ${count}, ${written} of it done`
          const disk = await newDisk(home)
          files.arm({ at, code: "killed", written })
          const first = await live(disk, files, validators)
          assert(files.isDead, what)
          files.arm(NONE)
          const second = await live(disk, files, validators)
          assert.equal(second.standing, "validating", what)
          assert.deepEqual(second.faults, [], what)
          const told = consistent([first.said, second.said], what)
          assert(second.height >= told, what)
          if (validators === 1) assert.equal(second.height, first.height + ROUNDS, what)
        }
    })

  for (const code of ["ENOSPC", "EIO"] as const)
    it(`whose disk says ${code} at any step stops, says so, and lets nothing out that is not on it`, async () => {
      const { count, writes } = await stepsOf(1)
      for (let at = 1; at <= count; at += 2) {
        const what = `step ${at} of ${count}`
        const disk = await newDisk(home)
        files.arm({ at, code, written: writes.has(at) ? "half" : "nothing" })
        const first = await live(disk, files, 1)
        const started = first.standing !== "not started"
        if (started) {
          assert.equal(first.standing, "halted", what)
          assert.deepEqual(first.problem, { code: "STOPPED", detail: code }, what)
        }
        assert.equal(first.faults.length, 1, what)
        assert.equal((first.faults[0] as { code: string }).code, code)
        files.arm(NONE)
        const second = await live(disk, files, 1)
        assert.equal(second.standing, "validating", what)
        assert.equal(second.problem, null)
        assert(second.height >= consistent([first.said, second.said], what), what)
      }
    })
})
