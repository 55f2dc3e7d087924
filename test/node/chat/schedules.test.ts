/**
 * Three people, and whatever may happen in between: somebody is killed at some write, is away, adds or blocks somebody. Once all are
 * back and let each other write, every pair has one transcript, in one order, with everything that was ever promised in it.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import fc from "fast-check"
import { type Person, World } from "../../helpers/chat-world.ts"

const NAMES = ["Ada", "Bob", "Cyd"] as const
type Index = 0 | 1 | 2

const index = fc.constantFrom<Index>(0, 1, 2)
const pair = fc
  .tuple(index, fc.constantFrom(1, 2))
  .map(([from, step]): [Index, Index] => [from, ((from + step) % 3) as Index])

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("send" as const), who: pair, long: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("add" as const), who: pair }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("kill" as const), who: index, in: fc.nat(6) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), who: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), who: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("return" as const), who: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("block" as const), who: pair }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Longest that an admission takes here. Proofs and work take their time, and meanwhile the world goes on. */
const ADMISSION_MAX_MS = 20

/** Admissions that take these times in turn, over and over. */
function slowed(delaysMs: readonly number[]): () => Promise<void> {
  let turn = 0
  return () => sleep(delaysMs[turn++ % delaysMs.length] ?? 0)
}

/** One run of a schedule. */
class Run {
  readonly world = new World()
  people: Person[] = []
  /** Texts that `send` said are safe, by "from to". */
  readonly promised = new Map<string, string[]>()
  /** Pairs of which one blocked the other at some time. */
  readonly estranged = new Set<string>()
  #sent = 0

  async begin(): Promise<this> {
    for (const name of NAMES) this.people.push(await this.world.add(name))
    return this
  }

  async perform(what: Step): Promise<void> {
    switch (what.do) {
      case "send":
        return this.#send(what.who, what.long)
      case "add": {
        const [from, to] = this.#both(what.who)
        await this.#attempt(from, () => from.chat.addContact(to.address, to.name))
        return
      }
      case "kill": {
        const person = this.#person(what.who)
        person.shelf.crashAt = person.shelf.writes + 1 + what.in
        return
      }
      case "restart":
        return this.#revive(this.#person(what.who))
      case "leave":
        this.#person(what.who).isAway = true
        return
      case "return":
        this.world.catchUp(this.#person(what.who))
        return
      case "block": {
        const [from, to] = this.#both(what.who)
        this.estranged.add([from.name, to.name].sort().join())
        await this.#attempt(from, () => from.chat.block(to.address))
        return
      }
      case "wait":
        for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #person = (which: Index) => this.people[which] ?? assert.fail()
  #both = ([from, to]: [Index, Index]) => [this.#person(from), this.#person(to)] as const

  async #send(who: [Index, Index], long: boolean): Promise<void> {
    const [from, to] = this.#both(who)
    const text = `${++this.#sent} from ${from.name} to ${to.name}${long ? " …".repeat(1_500) : ""}`
    const done = await this.#attempt(from, () => from.chat.send(to.address, text, undefined))
    if (!done) return
    const key = `${from.name} ${to.name}`
    this.promised.set(key, [...(this.promised.get(key) ?? []), text])
  }

  /** Fails only for reasons of the schedule: a crash, a block, a contact that is none yet. */
  async #attempt(person: Person, what: () => Promise<unknown>): Promise<boolean> {
    try {
      await what()
      return true
    } catch (error) {
      const code = (error as { code?: string }).code ?? ""
      if (person.isDead) await this.#revive(person)
      else assert(["UNKNOWN_CONTACT", "BLOCKED_CONTACT"].includes(code), String(error))
      return false
    }
  }

  async #revive(person: Person): Promise<void> {
    person.kill()
    await person.start()
  }

  /** Everybody is there, alive, and in contact with everybody; then nothing may be missing. */
  async settle(): Promise<void> {
    for (const person of this.people) {
      await this.#revive(person)
      this.world.catchUp(person)
    }
    for (const one of this.people)
      for (const other of this.people)
        if (one !== other) await one.chat.addContact(other.address, other.name)
    for (const one of this.people)
      for (const other of this.people)
        if (one !== other) await one.chat.send(other.address, `${one.name} is done`, undefined)
    for (const one of this.people)
      for (const other of this.people) if (one !== other) await this.#settled(one, other)
  }

  async #settled(one: Person, other: Person): Promise<void> {
    const promised = this.promised.get(`${one.name} ${other.name}`) ?? []
    const wanted = this.#estranged(one, other) ? [] : promised
    await other.until(`all of ${one.name}'s texts`, async () => {
      for (const person of this.people) person.chat.peersChanged()
      const texts = await other.texts(one)
      return [...wanted, `${one.name} is done`].every((text) => texts.includes(text))
    })
  }

  #estranged = (one: Person, other: Person) =>
    this.estranged.has([one.name, other.name].sort().join())

  async check(): Promise<void> {
    for (const one of this.people)
      for (const other of this.people) {
        if (one === other) continue
        const mine = await one.texts(other)
        assert.equal(new Set(mine).size, mine.length, `${one.name} has no text twice`)
        const promised = this.promised.get(`${one.name} ${other.name}`) ?? []
        for (const text of promised) assert(mine.includes(text), `${one.name} still has ${text}`)
        const theirs = await other.texts(one)
        if (this.#estranged(one, other)) {
          const common = mine.filter((text) => theirs.includes(text))
          assert.deepEqual(
            theirs.filter((text) => mine.includes(text)),
            common,
          )
        } else assert.deepEqual(mine, theirs)
        for (const third of this.people)
          if (third !== one && third !== other)
            assert.deepEqual(
              mine.filter((text) => text.includes(third.name)),
              [],
            )
      }
  }
}

let run: Run | undefined

afterEach(async () => {
  await run?.world.stop()
})

describe("whatever happens between three people", () => {
  it("ends in one transcript for every pair: nothing twice, nothing lost, nothing elsewhere", async () => {
    const schedule = fc.asyncProperty(
      fc.array(step, { minLength: 8, maxLength: 40 }),
      fc.array(fc.nat(ADMISSION_MAX_MS), { minLength: 1, maxLength: 10 }),
      async (steps, delays) => {
        await run?.world.stop()
        run = await new Run().begin()
        run.world.admission = slowed(delays)
        for (const each of steps) await run.perform(each)
        await run.settle()
        await run.check()
      },
    )
    // No shrinking: how the three interleave is not part of the schedule, and a shorter one proves little.
    await fc.assert(schedule, {
      numRuns: Number(process.env["SCHEDULES"] ?? 8),
      endOnFailure: true,
    })
  })
})
