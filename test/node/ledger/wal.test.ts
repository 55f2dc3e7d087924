import assert from "node:assert/strict"
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import type { LogRecord, Prepare } from "../../../src/consensus/types.ts"
import { appendRecord, encodeLogRecord, logStart } from "../../../src/consensus/log.ts"
import { validatorSet } from "../../../src/consensus/quorum.ts"
import { LedgerLog } from "../../../src/node/ledger/wal.ts"
import { bench, hash, sign } from "../../consensus/parts.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const parts = bench(4)
const { meshId } = parts.rules
const set = validatorSet(parts.rules.validators)

const vote = (height: number, term = 0): LogRecord => {
  const digest = hash(`batch ${height}`)
  const fields = { type: "prepare", term, view: 0, height, digest, signer: 1 } as const
  return { kind: "vote", message: sign<Prepare>(parts, set, fields) }
}
const heights = (records: readonly LogRecord[]) =>
  records.map((record) => (record.kind === "vote" ? record.message.height : record.kind))

function place(t: TestContext) {
  const home = temporaryDirectory(t)
  const directory = join(home, "ledger")
  const newMark = join(home, "validator.new")
  writeFileSync(newMark, "")
  return {
    directory,
    newMark,
    meshId,
    log: join(directory, "log-0"),
    guard: join(directory, "guard"),
  }
}

/** One life of a process: what it finds, and then what it signs, synced. */
async function life(at: ReturnType<typeof place>, records: readonly LogRecord[], term = 0) {
  const log = new LedgerLog(at)
  const found = await log.recall(term)
  for (const record of records) log.append(term, record)
  await log.sync(log.take())
  await log.close()
  return found
}

describe("what a validator signed", () => {
  it("is nothing beside keys that are new, and is then remembered", async (t) => {
    const at = place(t)
    const found = await life(at, [])
    assert.deepEqual(found, { records: [], past: "intact", cutBytes: 0, guardTerm: 0 })
    assert(!existsSync(at.newMark), "from now on the guard says so")
    assert.equal((await life(at, [vote(1), vote(2)])).past, "intact")
    assert.deepEqual(heights((await life(at, [vote(3)])).records), [1, 2])
    assert.deepEqual(heights((await life(at, [])).records), [1, 2, 3])
  })

  it("is whole when a record after it was torn, wherever the tear is: that one was never sent", async (t) => {
    const at = place(t)
    await life(at, [vote(1), vote(2)])
    const whole = readFileSync(at.log)
    let end = logStart(meshId, 0)
    for (const height of [1, 2]) end = appendRecord(end, encodeLogRecord(vote(height))).end
    const { bytes } = appendRecord(end, encodeLogRecord(vote(3)))
    for (let kept = 1; kept < bytes.length; kept += 7) {
      appendFileSync(at.log, bytes.subarray(0, kept))
      const found = await life(at, [])
      assert.equal(found.past, "intact")
      assert.equal(found.cutBytes, kept)
      assert.deepEqual(heights(found.records), [1, 2])
      assert.deepEqual(readFileSync(at.log), whole)
    }
  })

  it("is not believed when any byte of it was altered, or its end is gone", async (t) => {
    const at = place(t)
    await life(at, [vote(1), vote(2)])
    const whole = readFileSync(at.log)
    for (let n = 0; n < whole.length; n += 5) {
      const altered = Buffer.from(whole)
      altered[n] = (altered[n] ?? 0) ^ 1
      writeFileSync(at.log, altered)
      assert.equal((await life(at, [])).past, "damaged", `byte ${n}`)
    }
    writeFileSync(at.log, whole.subarray(0, whole.length / 2))
    assert.equal((await life(at, [])).past, "damaged")
    rmSync(at.log)
    assert.equal((await life(at, [])).past, "damaged")
  })

  it("is unknown without its guard, and not believed when the chain is behind it", async (t) => {
    const at = place(t)
    await life(at, [vote(1)])
    const guard = readFileSync(at.guard)
    for (let n = 0; n < guard.length; n++) {
      const altered = Buffer.from(guard)
      altered[n] = (altered[n] ?? 0) ^ 1
      writeFileSync(at.guard, altered)
      assert.equal((await life(at, [])).past, "unknown", `byte ${n}`)
    }
    rmSync(at.guard)
    assert.equal((await life(at, [])).past, "unknown")
    rmSync(at.directory, { recursive: true })
    assert.equal((await life(at, [])).past, "unknown", "the new mark does not come back")
    writeFileSync(at.guard, guard)
    await life(at, [vote(129, 1)], 1)
    const { past, guardTerm } = await life(at, [])
    assert.deepEqual({ past, guardTerm }, { past: "damaged", guardTerm: 1 })
  })

  it("is not believed when the log, but not the guard, was put back to an older state", async (t) => {
    const at = place(t)
    await life(at, [vote(1)])
    const older = join(at.directory, "older")
    cpSync(at.log, older)
    await life(at, [vote(2)])
    cpSync(older, at.log)
    assert.equal((await life(at, [])).past, "damaged")
  })

  it("goes term by term: a new term's log is believed, an old one goes for good", async (t) => {
    const at = place(t)
    await life(at, [vote(1)])
    const log = new LedgerLog(at)
    assert.equal((await log.recall(0)).past, "intact")
    log.append(0, vote(128))
    log.append(1, vote(129, 1))
    await log.sync(log.take())
    await log.forget(0)
    await log.close()
    assert(!existsSync(at.log))
    const found = await life(at, [], 1)
    assert.equal(found.past, "intact")
    assert.deepEqual(heights(found.records), [129])
  })
})
