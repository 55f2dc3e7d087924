/** When a commit in a blob counts, at members who hear of it in any order and have its bytes sooner, later or not; with real sessions. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import type { Channel } from "../../src/chat/channel.ts"
import { decodeChannel, encodeChannel } from "../../src/chat/channel-record.ts"
import { hold, HELD_PER_MEMBER_MAX, noted, settle } from "../../src/chat/commits.ts"
import {
  awaitedIn,
  CONFIRMATIONS,
  CONFIRMATIONS_PER_MEMBER_MAX,
  farInOrder,
  isConfirmed,
  neededIn,
  NO_COMMIT,
  supply,
} from "../../src/chat/confirmations.ts"
import { BEGINNING, type HeldCommit, isBehind, type Place } from "../../src/chat/held.ts"
import { newBlobKey } from "../../src/crypto/blob.ts"
import { type Bytes, concat, toHex } from "../../src/crypto/bytes.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { epochOf, exportSecret, ownLeaf, updateSelf } from "../../src/crypto/session.ts"
import { channelsOf } from "../helpers/chat-channels.ts"

const NOTHING = new Uint8Array(0)
const idOf = () => primitives.randomBytes(32)
const refOf = ({ length }: Bytes) => ({
  size: Math.max(1, length),
  key: newBlobKey(),
  root: primitives.randomBytes(32),
})

/** What one envelope completes: a commit, whole or in a blob, or a confirmation of one. */
type Item = { readonly envelope: Bytes; readonly leaf: number; readonly epoch: number } & (
  | { readonly kind: "whole"; readonly commit: Bytes; readonly own: HeldCommit["own"] }
  | { readonly kind: "far"; readonly commit: Bytes; readonly own: HeldCommit["own"] }
  | { readonly kind: "confirmation"; readonly of: Bytes }
)

async function madeBy(channel: Channel) {
  const { commit, next } = await updateSelf(channel.state)
  const own = { next, welcome: NOTHING, invited: [], grants: [], renews: true, madeAtMs: 0 }
  return { commit, own }
}

const epochNow = ({ state }: Channel) => Number(epochOf(state))

async function commitBy(channel: Channel, kind: "whole" | "far"): Promise<Item & { own: unknown }> {
  const at = { envelope: idOf(), leaf: ownLeaf(channel.state), epoch: epochNow(channel) }
  return { kind, ...at, ...(await madeBy(channel)) }
}

const confirmationBy = (channel: Channel, of: Item, envelope = idOf()): Item => ({
  kind: "confirmation",
  envelope,
  leaf: ownLeaf(channel.state),
  epoch: epochNow(channel),
  of: of.envelope,
})

/** A member hears of this; of their own commit they keep what they made, and of others' in blobs they have the bytes later. */
function heard(channel: Channel, item: Item): Channel {
  const { envelope, leaf, epoch } = item
  const isOwn = leaf === ownLeaf(channel.state)
  switch (item.kind) {
    case "confirmation":
      return noted(channel, item, { kind: "confirmation", commit: item.of }, envelope) ?? channel
    case "whole":
    case "far": {
      if (epoch !== epochNow(channel)) return channel
      const own = isOwn ? item.own : null
      const far = item.kind === "far" ? { ref: refOf(item.commit), ordered: null } : null
      const payload = far === null || isOwn ? item.commit : NOTHING
      return hold(channel, { envelope, leaf, own, payload, far })
    }
  }
}

/** One member, going through an order. */
class Member {
  channel: Channel
  /** Envelopes whose bytes they have, or will have at the end, in hexadecimal. */
  readonly #known = new Set<string>()
  #next = 0
  /** What the member entered by, and where. */
  readonly entered: { readonly envelope: string; readonly at: Place }[] = []

  constructor(channel: Channel) {
    this.channel = channel
  }

  hear(item: Item): void {
    if (this.#known.has(toHex(item.envelope))) return
    this.#known.add(toHex(item.envelope))
    this.channel = heard(this.channel, item)
  }

  has(item: Item & { readonly kind: "far" }, commit = item.commit): void {
    this.channel = supply(this.channel, item.envelope, commit)
  }

  /** Goes on as far as can be gone. Stored and read again after every step, as a restart would. */
  async follow(order: readonly Item[], later: readonly Item[] = []): Promise<void> {
    for (const item of later) this.hear(item)
    for (; this.#next < order.length; this.#next++) {
      const item = order[this.#next] ?? assert.fail()
      this.hear(item)
      const at = placeOf(this.#next)
      const settled = await settle(this.channel, item.envelope, at)
      if (settled === undefined) {
        assert(awaitedIn(this.channel, at) === undefined, "nobody goes on without the bytes")
        continue
      }
      this.channel = decodeChannel(encodeChannel(settled.channel))
      if (settled.kind === "awaited") return
      if (settled.kind === "entered")
        this.entered.push({
          envelope: toHex(item.envelope),
          at: this.channel.epochs[0]?.began ?? at,
        })
    }
  }

  /** The bytes are here by now: the order is followed again from a little before where it stopped, as the node does. */
  async goOn(order: readonly Item[], back: number): Promise<void> {
    this.#next = Math.max(0, this.#next - back)
    await this.follow(order)
  }

  get isWaiting(): boolean {
    return awaitedIn(this.channel) !== undefined
  }

  secret = () => exportSecret(this.channel.state, "test", NOTHING, 32)
}

/** Four envelopes to a block. */
const placeOf = (i: number): Place => ({ height: 1 + Math.floor(i / 4), index: i % 4 })

async function settledAll(channel: Channel, ...order: Item[]) {
  const member = new Member(channel)
  for (const item of order) {
    member.hear(item)
    if (item.kind === "far") member.has(item)
  }
  await member.follow(order)
  return member
}

describe("a commit in a blob", () => {
  it("counts with the last confirmation that it needs, at that one's place", async () => {
    const [ada, bob, cyd, dan, eve] = await five()
    const far = await commitBy(ada, "far")
    const order = [far, ...[bob, cyd, dan].map((each) => confirmationBy(each, far))]
    assert.equal(CONFIRMATIONS, order.length - 1)
    for (const each of [ada, bob, eve]) {
      const { channel, entered } = await settledAll(each, ...order)
      assert.equal(epochNow(channel), epochNow(each) + 1)
      assert.deepEqual(entered[0]?.at, placeOf(3))
    }
    const { channel } = await settledAll(eve, ...order.slice(0, -1))
    assert.equal(epochNow(channel), epochNow(eve))
  })

  it("does not count by what its author says, what one says twice, what came before it, or what is of something else", async () => {
    const [ada, bob, cyd, dan, eve] = await five()
    const far = await commitBy(ada, "far")
    const other = await commitBy(eve, "far")
    const void_ = [
      confirmationBy(ada, far),
      confirmationBy(bob, far),
      confirmationBy(bob, far),
      confirmationBy(cyd, far),
      confirmationBy(eve, other),
    ]
    const one = await settledAll(eve, confirmationBy(dan, far), far, ...void_)
    assert.equal(epochNow(one.channel), epochNow(eve))
    // One honest word more, and it does.
    const two = await settledAll(eve, far, ...void_, confirmationBy(dan, far))
    assert.equal(epochNow(two.channel), epochNow(eve) + 1)
  })

  it("needs all others where they are fewer, and is nothing for who is alone", async () => {
    for (const count of [1, 2, 3, 4, 6]) {
      const [first] = await channelsOf(count)
      assert.equal(neededIn(first ?? assert.fail()), Math.min(3, count - 1))
    }
    const [ada, bob] = await channelsOf(2)
    assert(ada !== undefined && bob !== undefined)
    const far = await commitBy(ada, "far")
    const { channel } = await settledAll(bob, far, confirmationBy(bob, far))
    assert.equal(epochNow(channel), epochNow(bob) + 1)
  })

  it("loses to a whole commit that is ordered before it is complete, and wins over one behind that", async () => {
    const [ada, bob, cyd, dan, eve] = await five()
    const [far, whole] = [await commitBy(ada, "far"), await commitBy(bob, "whole")]
    const confirmations = [bob, cyd, dan].map((each) => confirmationBy(each, far))
    const lost = await settledAll(eve, far, ...confirmations.slice(1), whole, ...confirmations)
    assert.equal(lost.entered[0]?.envelope, toHex(whole.envelope))
    const won = await settledAll(eve, far, ...confirmations, whole)
    assert.deepEqual(won.entered[0]?.at, placeOf(3))
    assert.equal(won.entered.length, 1)
  })

  it("is void in its place where it is none, and the epoch goes on, at everybody", async () => {
    const [ada, bob, cyd, dan, eve] = await five()
    const far = await commitBy(ada, "far")
    const whole = await commitBy(cyd, "whole")
    assert(far.kind === "far")
    // Three of them have said that junk is sound.
    const order = [far, ...[bob, cyd, dan].map((each) => confirmationBy(each, far)), whole]
    for (const junk of [NO_COMMIT, primitives.randomBytes(300), far.commit.slice(0, -1)]) {
      const member = new Member(eve)
      member.hear(far)
      member.has(far, junk)
      await member.follow(order)
      assert.deepEqual(
        member.entered.map(({ envelope }) => envelope),
        [toHex(whole.envelope)],
      )
    }
  })

  it("holds who has not the bytes where it counts: nothing behind it is judged until they come", async () => {
    const [ada, bob, cyd, dan, eve] = await five()
    const [far, whole] = [await commitBy(ada, "far"), await commitBy(bob, "whole")]
    assert(far.kind === "far")
    const order = [far, ...[bob, cyd, dan].map((each) => confirmationBy(each, far)), whole]
    const member = new Member(eve)
    await member.follow(order)
    assert(member.isWaiting)
    assert.equal(await settle(member.channel, whole.envelope, placeOf(4)), undefined)
    member.has(far)
    await member.goOn(order, 0)
    assert.deepEqual(member.entered[0]?.at, placeOf(3))
    assert.deepEqual(
      member.channel.farPast.map(({ envelope }) => envelope),
      [far.envelope],
    )
  })

  it("counts where it is placed behind the commit that began its epoch, and nowhere else", async () => {
    const [ada, bob, cyd, dan, eve] = await five()
    const began = { height: 9, index: 0 }
    const [epoch, ...past] = eve.epochs
    assert(epoch !== undefined)
    const later = { ...eve, epochs: [{ ...epoch, began }, ...past] }
    const far = await commitBy(ada, "far")
    const order = [far, ...[bob, cyd, dan].map((each) => confirmationBy(each, far))]
    const { channel } = await settledAll(later, ...order)
    assert.equal(epochNow(channel), epochNow(eve))
    assert.equal(channel.held.length, 0)
  })

  it("takes up bounded room, whatever a member sends", async () => {
    const [ada, bob] = await five()
    let channel = ada
    for (let i = 0; i < 40; i++) {
      channel = heard(channel, confirmationBy(bob, { ...(await none(bob)), envelope: idOf() }))
      channel =
        noted(channel, atNow(bob), { kind: "commit", ref: refOf(NO_COMMIT) }, idOf()) ?? channel
    }
    assert.equal(channel.confirmations.length, CONFIRMATIONS_PER_MEMBER_MAX)
    assert.equal(channel.held.length, HELD_PER_MEMBER_MAX)
  })

  it("is confirmed in the order of the commits, by no more than are needed", async () => {
    const [ada, bob, cyd, dan, eve] = await five()
    const [one, two] = [await commitBy(ada, "far"), await commitBy(bob, "far")]
    let channel = heard(heard(eve, two), one)
    assert.deepEqual(farInOrder(channel), [])
    for (const [i, item] of [one, two].entries()) {
      const settled = await settle(channel, item.envelope, placeOf(i))
      assert(settled?.kind === "placed")
      channel = settled.channel
    }
    assert.deepEqual(
      farInOrder(channel).map(({ envelope }) => envelope),
      [one.envelope, two.envelope],
    )
    const enough = (by: readonly Channel[]) => {
      const all = by.reduce((now, each) => heard(now, confirmationBy(each, one)), channel)
      return isConfirmed(all, farInOrder(all)[0] ?? assert.fail())
    }
    assert(enough([bob, cyd, dan]))
    assert(!enough([bob, cyd, cyd]))
    assert(!enough([ada, bob, cyd]))
  })
})

const atNow = (channel: Channel) => ({ epoch: epochNow(channel), leaf: ownLeaf(channel.state) })
const none = (channel: Channel) => commitBy(channel, "far")

async function five() {
  const [ada, bob, cyd, dan, eve] = await channelsOf(5)
  assert(ada && bob && cyd && dan && eve)
  return [ada, bob, cyd, dan, eve] as const
}

describe("members who go through the same order", () => {
  const act = fc.record({
    by: fc.nat(4),
    kind: fc.constantFrom("whole", "far", "far", "confirm", "confirm", "confirm", "confirm"),
    which: fc.nat(),
    before: fc.nat(),
  })

  it("are in the same epoch with the same keys, whatever they heard first and whenever they got the bytes", async () => {
    const schedule = fc.asyncProperty(
      fc.array(fc.array(act, { minLength: 3, maxLength: 14 }), { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.nat(1 << 30)),
      async (rounds, draws) => {
        const draw = (below: number) => Number(draws.next().value) % below
        const members = (await channelsOf(5)).map((channel) => new Member(channel))
        const order: Item[] = []
        for (const acts of rounds) {
          const made: Item[] = []
          for (const { by, kind, which, before } of acts) {
            const { channel } = members[by] ?? assert.fail()
            const named = made.filter((each) => each.kind !== "confirmation")
            const of = named[which % Math.max(1, named.length)]
            const isFirst = made.every((each) => each.leaf !== by || each.kind === "confirmation")
            if (kind === "confirm" && of !== undefined) {
              const item = confirmationBy(channel, of)
              // A word may be ordered before what it is about.
              if (before % 5 === 0) made.splice(before % made.length, 0, item)
              else made.push(item)
            } else if (kind === "whole" && isFirst) made.push(await commitBy(channel, "whole"))
            else if (kind === "far" && isFirst) {
              const far = await commitBy(channel, "far")
              // Whoever stores something else goes by that as well.
              const isJunk = draw(6) === 0
              made.push(isJunk ? { ...far, kind: "far", commit: NO_COMMIT, own: null } : far)
            }
          }
          order.push(...made)
          for (const member of members) {
            const early = made.filter(() => draw(2) === 0).sort(() => draw(3) - 1)
            for (const item of early) member.hear(item)
            for (const item of early) if (item.kind === "far" && draw(2) === 0) member.has(item)
            await member.follow(order)
          }
          // Whoever still lacks something gets it now, and goes on.
          for (const member of members)
            for (let turns = 0; member.isWaiting; turns++) {
              assert(turns <= made.length, "every wait ends with the bytes")
              for (const item of made) if (item.kind === "far") member.has(item)
              await member.goOn(order, draw(4))
            }
          const [first, ...others] = members
          assert(first !== undefined)
          for (const other of others) {
            assert.equal(epochNow(other.channel), epochNow(first.channel))
            assert.deepEqual(await other.secret(), await first.secret())
            assert.deepEqual(other.channel.epochs[0]?.began, first.channel.epochs[0]?.began)
          }
        }
      },
    )
    await fc.assert(schedule, { numRuns: 15, endOnFailure: true })
  })
})

describe("a channel", () => {
  it("is read as it was kept before commits could lie in blobs", async () => {
    const [ada, bob] = await channelsOf(2)
    assert(ada !== undefined && bob !== undefined)
    const bytes = encodeChannel(ada)
    // The last three bytes say that there are no confirmations, and that no commit in a blob has counted.
    assert.deepEqual(bytes.slice(-3), new Uint8Array(3))
    const before = decodeChannel(concat(Uint8Array.of(5), bytes.slice(1, -3)))
    assert.deepEqual(encodeChannel(before), bytes)
  })
})

describe("places", () => {
  it("stand one behind the other", () => {
    const at = (height: number, index: number) => ({ height, index })
    assert(isBehind(at(2, 0), at(1, 9)) && isBehind(at(1, 2), at(1, 1)))
    assert(!isBehind(at(1, 1), at(1, 1)) && !isBehind(at(1, 0), at(2, 0)))
    assert(isBehind(at(1, 0), BEGINNING))
  })
})
