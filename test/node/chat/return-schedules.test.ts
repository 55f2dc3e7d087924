/**
 * Four people in a group who talk and change it, are cut off, are killed at some write, and again and again go on from a backup, in which
 * the group may be long past. Once all are there everybody is in one epoch again and hears the others; whoever never went back has
 * everything that was ever promised and not lost with a disk; and no tag, and so no key, was ever used for two envelopes.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import fc from "fast-check"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { tagOf } from "../../../src/crypto/envelope.ts"
import { systemClock } from "../../../src/node/clock.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

const NAMES = ["Ada", "Bob", "Cyd", "Dan"] as const
const who = fc.nat(NAMES.length - 1)
/** Ada never goes back: of a group somebody must be left who let the others in. */
const other = fc.integer({ min: 1, max: NAMES.length - 1 })
/** Nobody is let in anew more often. */
const BETWEEN_RETURNS_MS = 11 * 60_000

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("say" as const), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("rename" as const), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("backup" as const), who: other }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("restore" as const), who: other }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const), who, in: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("away" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("back" as const), who }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("order" as const), who }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Promised {
  readonly text: string
  readonly by: Person
}

class Run {
  readonly world: World
  readonly people: Person[] = []
  thread = ""
  #promised: Promised[] = []
  /** Copies of a disk, and how much had been promised by then. */
  readonly #backups = new Map<Person, { rows: ReadonlyMap<string, Bytes>; promised: number }>()
  readonly #wentBack = new Set<Person>()
  #offsetMs = 0
  #made = 0

  constructor(seed: number) {
    let state = seed >>> 0
    this.world = new World(
      new Order((below) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        return Math.floor((state / 2 ** 32) * below)
      }),
    )
  }

  async begin(): Promise<this> {
    for (const name of NAMES) {
      const person = await this.world.add(name)
      await person.chat.stop()
      person.clock = { ...systemClock, nowMs: () => systemClock.nowMs() + this.#offsetMs }
      await person.start()
      this.people.push(person)
    }
    await befriendAll(this.world, ...this.people)
    const talk = new GroupTalk(this.world, "Team")
    const [ada, ...others] = this.people
    assert(ada !== undefined)
    await talk.found(ada, ...others)
    this.thread = talk.view(ada).thread
    for (const { name } of others) await ada.chat.groupAdmin("Team", name, true)
    await talk.settled(...this.people)
    for (const person of others) this.#backUp(person)
    return this
  }

  #backUp(person: Person): void {
    const rows = new Map(person.shelf.rows)
    this.#backups.set(person, { rows, promised: this.#promised.length })
  }

  async perform(what: Step): Promise<void> {
    const person = this.people[what.who] ?? assert.fail()
    switch (what.do) {
      case "say":
        return this.#say(person, `${++this.#made} from ${person.name}`)
      case "rename": {
        const name = `Team ${++this.#made}`
        // Whoever is not let in again yet cannot change the group.
        const isIn = person.chat
          .groupShow(this.thread)
          .pending.every(({ kind }) => kind !== "return")
        if (isIn) await this.#attempt(person, () => person.chat.groupRename(this.thread, name))
        return
      }
      case "backup":
        this.#backUp(person)
        return
      case "restore":
        return this.#restore(person)
      case "kill":
        person.shelf.crashAt = person.shelf.writes + 1 + what.in
        return
      case "away":
        person.isAway = true
        return
      case "back":
        this.world.catchUp(person)
        return
      case "order":
        for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
        this.world.orderOn()
    }
  }

  async #say(person: Person, text: string): Promise<void> {
    const said = () => person.chat.send(this.thread, text, undefined)
    if (await this.#attempt(person, said)) this.#promised.push({ text, by: person })
  }

  /** From the last backup: what they had said since was on the disk that is gone. */
  async #restore(person: Person): Promise<void> {
    const backup = this.#backups.get(person) ?? assert.fail()
    this.#offsetMs += BETWEEN_RETURNS_MS
    this.#wentBack.add(person)
    this.#promised = this.#promised.filter(({ by }, i) => by !== person || i < backup.promised)
    for (const each of this.#backups.values())
      each.promised = Math.min(each.promised, this.#promised.length)
    await person.moveTo(backup.rows)
    this.world.catchUp(person)
  }

  /** Fails only by a crash. */
  async #attempt(person: Person, what: () => Promise<unknown>): Promise<boolean> {
    try {
      await what()
      return true
    } catch (error) {
      if (!person.isDead) throw error
      await this.#revive(person)
      return false
    }
  }

  async #revive(person: Person): Promise<void> {
    person.kill()
    await person.start()
  }

  async settle(): Promise<void> {
    for (const person of this.people) {
      await this.#revive(person)
      this.world.catchUp(person)
    }
    const [ada] = this.people
    assert(ada !== undefined)
    try {
      await ordering(this.world, ada, "one epoch for all", () => this.#isOne([]))
      // Only now: what was said in an epoch that somebody never was in, they cannot read.
      const last = this.people.map(({ name }) => `${name} is done`)
      for (const person of this.people) await this.#say(person, `${person.name} is done`)
      await ordering(this.world, ada, "all to hear each other", () => this.#isOne(last))
    } catch (cause) {
      const seen = await Promise.all(this.people.map((person) => this.#stands(person)))
      throw new Error(seen.join("\n"), { cause })
    }
  }

  async #stands(person: Person): Promise<string> {
    const { epoch, name, pending, changing } = person.chat.groupShow(this.thread)
    const kinds = pending.map(({ kind }) => kind)
    const texts = await this.#texts(person)
    const missing = this.#promised.map(({ text }) => text).filter((text) => !texts.includes(text))
    const logs = person.logs.slice(-8)
    return JSON.stringify({ of: person.name, epoch, name, kinds, changing, missing, logs })
  }

  async #isOne(last: readonly string[]): Promise<boolean> {
    for (const person of this.people) person.chat.peersChanged()
    const views = this.people.map((person) => person.chat.groupShow(this.thread))
    if (views.some(({ pending, changing }) => pending.length > 0 || changing)) return false
    if (new Set(views.map(({ epoch, name }) => `${epoch} ${name}`)).size > 1) return false
    for (const person of this.people) {
      const texts = await this.#texts(person)
      if (!last.every((text) => texts.includes(text))) return false
      const { messages } = await person.chat.page(this.thread, undefined, 500)
      const isPlaced = messages.every(({ place }) => place !== null)
      if (!this.#wentBack.has(person) && !isPlaced) return false
      const isWhole = this.#promised.every(({ text }) => texts.includes(text))
      if (!this.#wentBack.has(person) && !isWhole) return false
    }
    return true
  }

  #texts = async (person: Person): Promise<string[]> =>
    (await person.chat.page(this.thread, undefined, 500)).messages
      .filter(({ notice }) => notice === null)
      .map(({ text }) => text)

  async check(): Promise<void> {
    for (const person of this.people) {
      const texts = await this.#texts(person)
      assert.equal(new Set(texts).size, texts.length, "nothing is there twice")
    }
    const stayed = this.people.filter((person) => !this.#wentBack.has(person))
    const [first, ...others] = await Promise.all(stayed.map(this.#texts))
    const shared = (texts: string[]) =>
      texts.filter((text) => this.#promised.some((each) => each.text === text))
    for (const other of others)
      assert.deepEqual(shared(other), shared(first ?? []), "one order for whoever stayed")
    await this.#checkPlaces()
    const seen = new Map<string, string>()
    for (const { mailbox } of this.people)
      for (const { id, bytes } of mailbox.arrivals) {
        const [tag, envelope] = [toHex(tagOf(bytes)), toHex(id)]
        assert.equal(seen.get(tag) ?? envelope, envelope, "one tag on two envelopes")
        seen.set(tag, envelope)
      }
  }

  /** Whoever went back may lack some of it; what they have, and the ledger has placed for them, stands where it stands for Ada. */
  async #checkPlaces(): Promise<void> {
    const [ada, ...others] = await Promise.all(
      this.people.map(
        async (person) => (await person.chat.page(this.thread, undefined, 500)).messages,
      ),
    )
    const places = new Map((ada ?? []).map(({ id, place }) => [id, place]))
    let compared = 0
    for (const messages of others)
      for (const { id, place, text } of messages) {
        const known = places.get(id) ?? null
        if (place === null || known === null) continue
        assert.deepEqual(place, known, text)
        compared++
      }
    assert(compared > 0)
  }
}

let run: Run | undefined

afterEach(async () => {
  await run?.world.stop()
})

describe("whatever happens, and people go on from backups", () => {
  it("ends in one epoch for all, with nothing sealed twice under one key", async () => {
    const schedule = fc.asyncProperty(
      fc.nat(),
      fc.array(step, { minLength: 8, maxLength: 30 }),
      async (seed, steps) => {
        await run?.world.stop()
        run = await new Run(seed).begin()
        for (const each of steps) await run.perform(each)
        await run.settle()
        await run.check()
      },
    )
    // No shrinking: how they interleave is not part of the schedule, and a shorter one proves little.
    await fc.assert(schedule, {
      numRuns: Number(process.env["SCHEDULES"] ?? 2),
      endOnFailure: true,
    })
  })
})
