/** A validator that must not vote: one that met what cannot be, and one that is alone and forgot what it signed. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encodeMessage } from "../../src/consensus/codec.ts"
import { DEFAULT_TIMING } from "../../src/consensus/core.ts"
import { Follower } from "../../src/consensus/follower.ts"
import { Inbox } from "../../src/consensus/inbox.ts"
import { Ledger } from "../../src/consensus/ledger.ts"
import { decodeLogRecord, encodeLogRecord } from "../../src/consensus/log.ts"
import type { Memory } from "../../src/consensus/recovery.ts"
import { Replica } from "../../src/consensus/replica.ts"
import type { BlockRecord, LogRecord, Output, Vote } from "../../src/consensus/types.ts"
import { cluster } from "../sim/cluster.ts"
import type { Cluster } from "../sim/cluster.ts"
import { strictDecoder } from "../helpers/decoders.ts"
import { type Bench, bench, certify, hash, sign, work } from "./parts.ts"
import { validatorSet } from "../../src/consensus/quorum.ts"

const TERM = 4

/** A validator that a quorum of liars has shown a checkpoint unlike its own state. */
function haltedCluster(): Cluster {
  const c = cluster(4, { termHeights: 2, batch: 1, record: true })
  // more than f are faulty here, so nothing about anybody is to be trusted
  for (const id of [0, 1, 2, 3]) c.distrust(id)
  c.drop({ type: "checkpoint" })
  c.drop({ type: "status" })
  c.submit(2)
  c.run(300)
  const set = validatorSet(c.rules.validators)
  const parts: Bench = {
    ring: c.keyring,
    rules: c.rules,
    holderOf: (_, seat) => c.node(seat).holder,
  }
  for (const signer of [1, 2, 3]) {
    const digest = hash("another state")
    const vote = { type: "checkpoint", term: 0, view: 0, height: 2, digest, signer } as const
    c.node(0).receive(signer, sign<Vote<"checkpoint">>(parts, set, vote))
  }
  c.run(50)
  return c
}

const votesOf = (c: Cluster, from: string) =>
  c.sent.filter(
    ({ from: sender, message }) =>
      sender === from && !(message instanceof Uint8Array) && "signature" in message,
  ).length

describe("a validator that met what cannot be", () => {
  it("votes no more, also when it is started again, and again", () => {
    const c = haltedCluster()
    assert.equal(c.node(0).replica?.mode, "halted")
    const before = votesOf(c, "0")
    for (const kind of ["keep", "synced", "keep"] as const) {
      c.crash(0, kind)
      c.restart(0)
      assert.equal(c.node(0).replica?.mode, "halted")
      assert.equal(c.node(0).replica?.halted?.code, "STATE_DIVERGED")
      c.submit(2)
      c.run(5000)
    }
    assert.equal(votesOf(c, "0"), before)
  })

  it("may try again after the operator's word, from the next start on", () => {
    const c = haltedCluster()
    c.node(0).input({ type: "resume" })
    c.run(50)
    assert.equal(c.node(0).replica?.mode, "halted", "its state is not one to go on from")
    c.crash(0, "synced")
    c.restart(0)
    assert.equal(c.node(0).replica?.mode, "voter")
    assert.equal(c.node(0).replica?.halted, undefined)
  })

  it("has that in its log, in bytes of one form", () => {
    const records: LogRecord[] = [
      { kind: "halted", code: "TWO_CERTIFICATES", detail: "at height 7" },
      { kind: "resumed" },
    ]
    for (const record of records)
      strictDecoder(encodeLogRecord(record), decodeLogRecord, encodeLogRecord)
  })
})

// ---- alone

const parts = bench(1, "fast", TERM)
const { rules, ring } = parts
const { keys, sign: signer } = ring.holder(0)

/** Blocks of a chain of its own, from the genesis on. */
function chainOf(length: number, name = "envelope"): BlockRecord[] {
  const ledger = new Ledger(rules)
  return Array.from({ length }, (_, n) => certify(parts, ledger, [work(`${name} ${n}`)]))
}

/** The only validator, as it comes back with this much of its chain. */
function alone(chain: readonly BlockRecord[], past: Memory["past"], more: Partial<Memory> = {}) {
  const ledger = new Ledger(rules)
  for (const { batch } of chain) ledger.apply(ledger.plan(batch))
  const open = Math.floor((chain.length === 0 ? 0 : chain.length - 1) / TERM) * TERM
  const replica = new Replica(
    {
      scheme: ring.scheme,
      ed25519: keys.ed25519,
      sign: signer,
      timing: DEFAULT_TIMING,
      pipelineSlots: 4,
      nonce: 5,
    },
    ledger,
    { blocks: chain.slice(open), records: [], past, ...more },
  )
  const inbox = new Inbox(() => replica.court())
  const outputs: Output[] = replica.start()
  return {
    replica,
    outputs,
    admit: (name: string) => outputs.push(...replica.step({ type: "admit", items: [work(name)] })),
    show: (records: readonly BlockRecord[]) => {
      const bytes = encodeMessage({ type: "blocks", records })
      const taken = inbox.takeBytes(-1, bytes)
      assert(taken !== undefined && "type" in taken)
      outputs.push(...replica.step(taken))
    },
    resume: () => outputs.push(...replica.step({ type: "resume" })),
    signed: () =>
      outputs.flatMap((output) =>
        output.type === "persist" &&
        (output.record.kind === "vote" || output.record.kind === "proposal")
          ? [output.record.message.height]
          : [],
      ),
  }
}

describe("a validator alone that has forgotten what it signed", () => {
  for (const past of ["unknown", "damaged"] as const)
    it(`signs nothing, whatever waits and whatever time passes: ${past}`, () => {
      const one = alone(chainOf(2), past, past === "damaged" ? { guardTerm: 0 } : {})
      one.admit("something new")
      for (let n = 0; n < 50; n++)
        for (const output of one.outputs.slice())
          if (output.type === "timer")
            one.replica.step({ type: "timeout", timer: output.timer, token: output.token })
      assert.deepEqual(one.signed(), [])
      assert.equal(one.replica.executed, 2)
      assert(one.replica.isAloneWithoutMemory)
    })

  it("takes what followers hold of its own signing, over the ends of terms, and still signs nothing", () => {
    const chain = chainOf(3 * TERM + 2)
    const one = alone([], "unknown")
    one.admit("something new")
    for (let from = 0; from < chain.length; from += 3) one.show(chain.slice(from, from + 3))
    assert.equal(one.replica.executed, chain.length)
    assert.deepEqual(one.signed(), [])
    assert(one.replica.isAloneWithoutMemory)
    one.resume()
    assert.equal(one.replica.mode, "voter")
    assert.equal(one.replica.executed, chain.length + 1, "what waited is ordered above all of it")
    assert(one.signed().every((height) => height > chain.length))
  })

  it("goes on at the operator's word, also where a term has just ended", () => {
    for (const length of [0, 1, TERM - 1, TERM, TERM + 1, 2 * TERM]) {
      const one = alone(chainOf(length), "unknown")
      one.resume()
      for (let n = 0; n < TERM + 1; n++) one.admit(`after ${n}`)
      assert.equal(one.replica.executed, length + TERM + 1)
      // and the next start knows
      const records = one.outputs.flatMap((output) =>
        output.type === "persist" && output.term === one.replica.term ? [output.record] : [],
      )
      const chain = chainOf(length)
      for (const output of one.outputs) if (output.type === "store") chain.push(output.record)
      const stable = one.outputs.flatMap((output) =>
        output.type === "stable" ? [output.certificate] : [],
      )
      const again = alone(chain, "intact", {
        records,
        blocks: chain.filter(({ height }) => height > one.replica.term * TERM),
        ...(stable.length === 0 ? {} : { boundary: stable.at(-1)! }),
      })
      assert.equal(again.replica.mode, "voter")
      again.admit("one more")
      assert.equal(again.replica.executed, length + TERM + 2)
    }
  })

  it("stops when it is shown that it had signed on from another block: the mesh has two orders", () => {
    const before = chainOf(6)
    // put back whole to an older day, it noticed nothing and went on
    const one = alone(before.slice(0, 2), "intact")
    one.admit("another third")
    assert.equal(one.replica.executed, 3)
    one.show(before.slice(3))
    assert.equal(one.replica.mode, "halted")
    assert.equal(one.replica.halted?.code, "TWO_CERTIFICATES")
    const height = one.replica.executed
    one.admit("and more")
    assert.equal(one.replica.executed, height)
  })

  it("does not stop for blocks that nobody certified", () => {
    const one = alone(chainOf(2), "intact")
    const [, , , fourth] = chainOf(4, "others")
    const forged = { ...fourth!, height: 3, certificate: { ...fourth!.certificate, height: 3 } }
    one.show([forged])
    assert.equal(one.replica.mode, "voter")
  })
})

describe("the operator's word", () => {
  it("means nothing to a validator that votes, or to one that others can tell when to", () => {
    const one = alone(chainOf(2), "intact")
    const height = one.outputs.length
    one.resume()
    assert.deepEqual(
      one.outputs.slice(height).filter(({ type }) => type === "persist"),
      [],
    )
    const c = cluster(4, {})
    c.submit(3)
    c.run(500)
    c.distrust(1)
    c.crash(1, "wiped")
    c.restart(1)
    c.node(1).input({ type: "resume" })
    assert.equal(c.node(1).replica?.mode, "observer")
    assert.deepEqual(c.violations, [])
  })
})

describe("a follower", () => {
  it("tells two orders from a block that is none", () => {
    const chain = chainOf(5)
    const others = chainOf(5, "others")
    const follower = new Follower(new Ledger(rules), ring.scheme)
    for (const block of chain.slice(0, 2)) assert(follower.take(block).ok)
    assert.deepEqual(follower.take(others[2]!), { ok: false, code: "TWO_CERTIFICATES" })
    const { certificate } = others[2]!
    const unsigned = { ...others[2]!, certificate: { ...certificate, signatures: [] } }
    assert.deepEqual(follower.take(unsigned), { ok: false, code: "WRONG_PARENT" })
    const altered = { ...others[2]!, stateRoot: hash("another state") }
    assert.deepEqual(follower.take(altered), { ok: false, code: "WRONG_PARENT" })
    assert(follower.take(chain[2]!).ok)
  })
})
