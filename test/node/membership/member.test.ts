import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { primitives } from "#primitives"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import { readMembership } from "../../../src/crypto/membership/admission.ts"
import { joinClaim } from "../../../src/crypto/membership/join.ts"
import { nullifierOf } from "../../../src/crypto/membership/secret.ts"
import { SLOTS } from "../../../src/crypto/membership/statement.ts"
import { Member } from "../../../src/node/membership/member.ts"
import { MemberRecords, type MemberSecret } from "../../../src/node/membership/member-records.ts"
import { COLD_WAITING_MAX, ProofPool, READY_MAX } from "../../../src/node/membership/proof-pool.ts"
import type { ProveTask } from "../../../src/node/membership/prove.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { sealedShelf } from "../../../src/node/store/sealed-store.ts"
import { Slots } from "../../../src/node/membership/slots.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { ProofVerifier } from "../../../src/node/membership/verify.ts"
import { unpaidEnvelope } from "../../helpers/envelopes.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import * as fixture from "../../helpers/membership-fixture.ts"
import { membershipMailbox, TestRoots } from "../../helpers/membership-mailbox.ts"
import { TestTree } from "../../helpers/membership-tree.ts"
import { until } from "../../helpers/wait.ts"

const never = new AbortController().signal
const vaultKey = primitives.randomBytes(32)

/** A member whose prover answers at once, or when the test says so, and whose ledger ticks when the test says so. */
class Bench {
  readonly clock = new ManualClock(0)
  readonly roots = new TestRoots()
  readonly used = new Set<string>()
  readonly tasks: ProveTask[] = []
  readonly member: MemberSecret = {
    secret: fixture.secrets[0]!,
    commitment: fixture.commitments[0]!,
  }
  held: (() => void)[] | undefined
  isMember = true
  store = openMemoryStore()
  pool!: ProofPool
  slots!: Slots

  async open({ isNew = false } = {}): Promise<this> {
    const store = await this.store
    const records = new MemberRecords(new Sealed(openVault(vaultKey), sealedShelf(store)))
    const slots = await Slots.open(records, store.id, { isNew })
    this.slots = slots
    this.pool = new ProofPool({
      meshId: fixture.meshId,
      periodMs: 60_000,
      member: this.member,
      slots,
      roots: this.roots,
      path: () => (this.isMember ? fixture.tree.pathOf(this.member.commitment) : undefined),
      prover: { prove: (task) => this.#prove(task) },
      verifier: { verify: () => Promise.resolve(true) },
      admission: { isUsed: (_, nullifier) => this.used.has(toHex(nullifier)), proven: () => undefined }, // prettier-ignore
      clock: this.clock,
      log: () => undefined,
    })
    return this
  }

  async #prove(task: ProveTask) {
    this.tasks.push(task)
    const { held } = this
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve))
    const nullifier = nullifierOf(task.secret, task.scope)
    return { nullifier, proof: primitives.randomBytes(128) }
  }

  /** What the ledger shows, as the member tells it to its slots. */
  watch = (isNewest = true) =>
    this.slots.watch(
      { period: this.roots.now, isNewest },
      { nowMs: this.clock.nowMs(), periodMs: 60_000 },
    )

  tick(): void {
    this.roots.now += 1
    this.pool.ledgerMoved()
  }

  take = () => this.pool.take(never)

  settled = async () => {
    for (let before = -1; before !== this.tasks.length;) {
      before = this.tasks.length
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

const bench = (options?: { isNew?: boolean }) => new Bench().open({ isNew: true, ...options })

describe("proofs made ahead", () => {
  it("follow use: none for who sends nothing, as many as were taken for who does, a few at most", async () => {
    const b = await bench()
    for (let period = 0; period < 5; period++) b.tick()
    await b.settled()
    assert.equal(b.tasks.length, 0)
    for (let taken = 1; taken <= READY_MAX + 3; taken++) {
      assert.ok(await b.take())
      await b.settled()
      assert.equal(b.pool.ready, Math.min(taken, READY_MAX))
    }
    // the next period begins with as many, the one after without use with none
    b.tick()
    await b.settled()
    const made = b.tasks.length
    assert.equal(made, 2 * READY_MAX + 3 + READY_MAX)
    b.tick()
    b.tick()
    await b.settled()
    assert.equal(b.tasks.length, made)
    assert.equal(b.pool.ready, 0)
  })

  it("one lies ready for who has just come to write", async () => {
    const b = await bench()
    b.pool.expect()
    await b.settled()
    assert.equal(b.pool.ready, 1)
    b.held = []
    assert.ok(await b.take())
  })

  it("are in different slots, each used up on the disk before anybody sees the proof", async () => {
    const b = await bench()
    const seen = new Set<number>()
    for (let life = 0; life < 4; life++) {
      for (let i = 0; i < 4; i++) {
        const proof = await b.take()
        assert.ok(proof)
        assert.equal(proof.period, b.roots.now)
        assert.ok(!seen.has(proof.slot), `slot ${proof.slot} twice`)
        seen.add(proof.slot)
      }
      await b.settled()
      // what lay ready is lost with the process, and its slots are not used again
      await b.pool.stop()
      await b.open()
    }
  })

  it("end when the quota does, and begin again with the next period", async () => {
    const b = await bench()
    const slots = new Set<number | undefined>()
    assert.equal(b.pool.left, SLOTS)
    for (let i = 0; i < SLOTS; i++) {
      slots.add((await b.take())?.slot)
      await b.settled()
      assert.equal(b.pool.left, SLOTS - i - 1, "what lies ready is still to be had")
    }
    assert.equal(slots.size, SLOTS)
    assert.equal(slots.has(undefined), false)
    assert.equal(await b.take(), undefined)
    b.tick()
    assert.equal(b.pool.left, SLOTS)
    assert.equal((await b.take())?.period, b.roots.now)
  })

  it("of the last period are good for a while after a tick, and no longer", async () => {
    const b = await bench()
    b.pool.expect()
    await b.settled()
    b.held = []
    b.tick()
    assert.equal((await b.take())?.period, b.roots.now - 1)

    const late = await bench()
    late.pool.expect()
    await late.settled()
    late.tick()
    late.clock.advance(30_000)
    assert.equal((await late.take())?.period, late.roots.now)
  })
})

describe("a cold send", () => {
  it("waits for one proof; who comes while somebody waits pays otherwise", async () => {
    const b = await bench()
    b.held = []
    const waiting = Array.from({ length: COLD_WAITING_MAX }, () => b.take())
    assert.equal(await b.take(), undefined)
    for (const go of b.held) go()
    for (const each of await Promise.all(waiting)) assert.ok(each)
  })

  it("is given up by who waits for it, and what was made lies ready for the next", async () => {
    const b = await bench()
    b.held = []
    const nobody = new AbortController()
    const waiting = b.pool.take(nobody.signal)
    nobody.abort(new Error("given up"))
    await assert.rejects(waiting, /given up/)
    b.held.splice(0).forEach((go) => go())
    await b.settled()
    assert.equal(b.pool.ready, 1)
  })

  it("takes another slot when this one was used by a copy of the installation", async () => {
    const b = await bench()
    b.held = []
    const waiting = b.take()
    const [task] = b.tasks
    assert.ok(task)
    b.used.add(toHex(nullifierOf(task.secret, task.scope)))
    b.held.splice(0).forEach((go) => go())
    await until("another is begun", () => b.held?.length === 1)
    b.held.splice(0).forEach((go) => go())
    const proof = await waiting
    assert.ok(proof)
    assert.notEqual(toHex(proof.nullifier), [...b.used][0])
  })

  it("is not for who is no member, and leaves nobody waiting when the node stops", async () => {
    const b = await bench()
    b.isMember = false
    assert.equal(await b.take(), undefined)
    b.isMember = true
    b.held = []
    const waiting = b.take()
    const stopped = b.pool.stop()
    b.held.splice(0).forEach((go) => go())
    await stopped
    assert.equal(await waiting, undefined)
  })
})

describe("after a restore", () => {
  const TICK_MS = (7 / 8) * 60_000

  /** A member that took one proof, and then its sealed records in another store, as a backup brings them. */
  async function restored() {
    const b = await bench()
    assert.ok(await b.take())
    await b.pool.stop()
    const before = await b.store
    const after = await openMemoryStore()
    const rows = []
    for await (const [key, value] of before.range("sealed"))
      rows.push({ table: "sealed" as const, key, value: value.slice() })
    await after.batch(rows)
    b.store = Promise.resolve(after)
    return await b.open()
  }

  it("the running period is left out, and the next that is seen to begin is as free as ever", async () => {
    const b = await restored()
    await b.watch()
    assert.equal(await b.take(), undefined)
    await b.pool.stop()
    // a restart changes nothing about it
    await b.open()
    assert.ok(b.slots.isWaiting)
    await b.watch()
    assert.equal(await b.take(), undefined)
    b.clock.advance(TICK_MS)
    b.tick()
    await b.watch()
    assert.ok(!b.slots.isWaiting)
    for (let i = 0; i < SLOTS; i++) assert.ok(await b.take())
    assert.equal(await b.take(), undefined, "as many as ever, and no more")
    await b.pool.stop()
    await b.open()
    b.tick()
    assert.ok(await b.take(), "known for good")
  })

  it("so are the periods that a ledger behind shows while it catches up, though the old one may have used them all", async () => {
    const b = await restored()
    for (let i = 0; i < 5; i++) {
      b.clock.advance(TICK_MS)
      b.tick()
      await b.watch(false)
      assert.equal(await b.take(), undefined)
    }
    // the newest block is here: this is the period that runs, and was used as well
    await b.watch()
    assert.equal(await b.take(), undefined)
    b.clock.advance(TICK_MS)
    b.tick()
    await b.watch()
    assert.ok(await b.take())
  })

  it("and those that come faster than periods can: who had nothing later was behind as well", async () => {
    const b = await restored()
    await b.watch()
    for (let i = 0; i < 5; i++) {
      b.clock.advance(TICK_MS - 1)
      b.tick()
      await b.watch()
      assert.equal(await b.take(), undefined)
    }
    b.clock.advance(TICK_MS)
    b.tick()
    await b.watch()
    assert.ok(await b.take())
  })

  it("a secret without any record of its slots counts as restored", async () => {
    const b = await bench({ isNew: false })
    assert.equal(await b.take(), undefined)
    b.tick()
    assert.equal(await b.take(), undefined)
    await b.watch()
    b.clock.advance(TICK_MS)
    b.tick()
    await b.watch()
    assert.ok(await b.take())
  })
})

describe("a member, from its secret to a stranger's mailbox", () => {
  async function memberIn(t: TestContext) {
    const stranger = await membershipMailbox(t)
    const store = await openMemoryStore()
    const verifier = new ProofVerifier()
    const trees: { tree?: TestTree } = {}
    const member = await Member.open({
      records: new MemberRecords(new Sealed(openVault(vaultKey), sealedShelf(store))),
      storeId: store.id,
      meshId: fixture.meshId,
      periodMs: 60_000,
      roots: stranger.roots,
      isNewest: () => true,
      path: (commitment) => trees.tree?.pathOf(commitment),
      verifier,
      admission: { isUsed: () => false, proven: () => undefined },
      clock: new ManualClock(0),
      log: () => undefined,
    })
    t.after(async () => {
      await member.stop()
      await verifier.stop()
      await store.close()
    })
    const join = (commitment: Bytes) => {
      trees.tree = new TestTree([...fixture.commitments, commitment])
      stranger.roots.roots.set(stranger.roots.now, trees.tree.root)
    }
    return { member, stranger, verifier, join }
  }

  it("joins by a proof of knowledge, posts by proof, and is one of many", async (t) => {
    const { member, stranger, verifier, join } = await memberIn(t)
    assert.equal(member.known, undefined)
    const commitment = await member.commitment()
    assert.deepEqual(await member.commitment(), commitment)
    const item = primitives.randomBytes(80)
    const joinProof = await member.joinProof(item)
    assert.equal(
      await verifier.verify(joinClaim(fixture.meshId, commitment, item, joinProof)),
      true,
    )

    const payload = [unpaidEnvelope(), unpaidEnvelope(), unpaidEnvelope()]
    assert.equal(member.isMember, false)
    assert.equal(await member.admit(payload, never), undefined)
    join(commitment)
    assert.equal(member.isMember, true)
    const admitted = await member.admit(payload, never)
    assert.ok(admitted)
    for (const each of admitted) assert.equal(await stranger.came(each), "accept")
    assert.equal(stranger.counted.checks, 1)
    const indexes = admitted.map((each) => {
      const read = readMembership(each)
      assert.ok("fields" in read)
      return read.fields.keyIndex
    })
    assert.equal(new Set(indexes).size, payload.length)
  })
})
