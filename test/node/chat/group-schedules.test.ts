/**
 * Four people in a group, all of whom may change it, and whatever may happen in between: they talk and change it at once, are cut off,
 * are killed at some write, and the ledger stands still. It orders what it gets in any order. Once all are back, they are in one epoch,
 * understand each other, and have one transcript with everything in it that was ever promised.
 */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import fc from "fast-check"
import { toHex } from "../../../src/crypto/bytes.ts"
import { BlobError } from "../../../src/node/blobs/blobs.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

const NAMES = ["Ada", "Bob", "Cyd", "Dan"] as const
/** Of so many not all have to confirm a commit in a blob. */
const MORE_NAMES = [...NAMES, "Fay"] as const
const who = fc.nat()

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("say" as const), who }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("rename" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("everybody renames" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("guest" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("kill" as const), who, in: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("away" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("back" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stall" as const), who }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("order" as const), who }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What somebody's next commits are, that lie in blobs: withheld from all, or from some, or nothing of the kind; or sound again. */
const HOW = ["withheld", "for some", "junk", "sound"] as const
const withhold = fc.record({
  do: fc.constant("withhold" as const),
  who,
  how: fc.constantFrom(...HOW),
})

/** One run of a schedule. */
class Run {
  readonly world: World
  readonly talk: GroupTalk
  readonly people: Person[] = []
  guest: Person | undefined
  thread = ""
  /** Texts that `send` said are safe. */
  readonly promised: string[] = []
  readonly #names: readonly string[]
  readonly #draw: (below: number) => number
  #made = 0

  constructor(seed: number, names: readonly string[] = NAMES) {
    this.#names = names
    let state = seed >>> 0
    this.#draw = (below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    this.world = new World(new Order(this.#draw))
    this.talk = new GroupTalk(this.world, "Team")
  }

  async begin(): Promise<this> {
    for (const name of this.#names) this.people.push(await this.world.add(name))
    this.guest = await this.world.add("Eve")
    await befriendAll(this.world, ...this.people, this.guest)
    const [ada, ...others] = this.people
    assert(ada !== undefined)
    await this.talk.found(ada, ...others)
    this.thread = this.talk.view(ada).thread
    for (const { name } of others) await ada.chat.groupAdmin("Team", name, true)
    await this.talk.settled(...this.people)
    return this
  }

  /** From now on every commit lies in a blob, which not everybody gets at once. */
  async lieInBlobs(): Promise<this> {
    this.world.farCommits = { aboveEnvelopes: 0, spreadMs: 20, fallbackMs: 200, lostMs: 30_000 }
    const { blobs } = this.world
    const lies = new Map<string, { how: string; by: Person }>()
    this.world.putPayload = async (payload, by) => {
      const ref = await blobs.put(payload, by)
      lies.set(toHex(ref.root), { how: this.#withholding.get(by) ?? "sound", by })
      return ref
    }
    this.world.getPayload = (ref, by) => {
      const lie = lies.get(toHex(ref.root))
      const isWithheld = lie?.how === "withheld" || (lie?.how === "for some" && this.#draw(2) === 0)
      if (lie?.how === "junk") return Promise.reject(new BlobError("BLOB_DAMAGED", "made wrong"))
      const isLost = isWithheld && lie.by !== by && this.#withholding.size > 0
      return isLost ? Promise.reject(new Error("not there")) : blobs.get(ref, by)
    }
    for (const person of [...this.people, ...(this.guest === undefined ? [] : [this.guest])]) {
      await person.chat.stop()
      await person.start()
    }
    return this
  }

  readonly #withholding = new Map<Person, (typeof HOW)[number]>()

  withhold({ who: which, how }: { who: number; how: (typeof HOW)[number] }): void {
    this.#withholding.set(this.#person(which), how)
  }

  #person = (which: number): Person => this.people[which % this.people.length] ?? assert.fail()

  async perform(what: Step): Promise<void> {
    const person = this.#person(what.who)
    switch (what.do) {
      case "say": {
        const text = `${++this.#made} from ${person.name}`
        if (await this.#attempt(person, () => person.chat.send(this.thread, text, undefined)))
          this.promised.push(text)
        return
      }
      case "rename":
        await this.#rename(person)
        return
      case "everybody renames":
        await Promise.all(this.people.map((each) => this.#rename(each)))
        return
      case "guest": {
        const { members } = person.chat.groupShow(this.thread)
        const { guest } = this
        assert(guest !== undefined)
        const isIn = members.some(({ address }) => address === guest.address)
        await this.#attempt(person, () =>
          isIn
            ? person.chat.groupRemove(this.thread, guest.address)
            : person.chat.groupAdd(this.thread, [guest.address]),
        )
        return
      }
      case "kill":
        person.shelf.crashAt = person.shelf.writes + 1 + what.in
        return
      case "away":
        person.isAway = true
        return
      case "back":
        this.world.catchUp(person)
        return
      case "stall":
        assert(this.world.order !== undefined)
        this.world.order.isStalled = !this.world.order.isStalled
        return
      case "order":
        for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
        this.world.orderOn()
    }
  }

  #rename = (person: Person) =>
    this.#attempt(person, () => person.chat.groupRename(this.thread, `Team ${++this.#made}`))

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

  /** Everybody is there and alive, and the ledger goes on. */
  async settle(): Promise<void> {
    assert(this.world.order !== undefined)
    this.world.order.isStalled = false
    this.#withholding.clear()
    for (const person of this.people) {
      await this.#revive(person)
      this.world.catchUp(person)
    }
    for (const person of this.people) {
      const text = `${person.name} is done`
      await person.chat.send(this.thread, text, undefined)
      this.promised.push(text)
    }
    const [ada] = this.people
    assert(ada !== undefined)
    const isOne = async () => {
      for (const person of this.people) person.chat.peersChanged()
      return this.#isOne()
    }
    try {
      await ordering(this.world, ada, "one epoch for all, with everything said", isOne)
    } catch (cause) {
      const seen = await Promise.all(this.people.map((person) => this.#stands(person)))
      throw new Error(seen.join("\n"), { cause })
    }
  }

  async #stands(person: Person): Promise<string> {
    const { epoch, name, pending, changing } = person.chat.groupShow(this.thread)
    const texts = await this.#texts(person)
    const missing = this.promised.filter((text) => !texts.includes(text))
    const wishes = pending.map(({ kind }) => kind)
    return JSON.stringify({
      of: person.name,
      epoch,
      name,
      wishes,
      changing,
      missing,
      logs: person.logs,
    })
  }

  async #isOne(): Promise<boolean> {
    const views = this.people.map((person) => person.chat.groupShow(this.thread))
    if (views.some(({ pending, changing }) => pending.length > 0 || changing)) return false
    if (new Set(views.map(({ epoch, name }) => `${epoch} ${name}`)).size > 1) return false
    for (const person of this.people) {
      const messages = await this.#messages(person)
      const texts = messages.map(({ text }) => text)
      if (!this.promised.every((text) => texts.includes(text))) return false
      // before that everybody has their own order
      if (!messages.every(({ place }) => place !== null)) return false
    }
    return true
  }

  #messages = async (person: Person) =>
    (await person.chat.page(this.thread, undefined, 500)).messages.filter(
      ({ notice }) => notice === null,
    )

  #texts = async (person: Person): Promise<string[]> =>
    (await this.#messages(person)).map(({ text }) => text)

  async check(): Promise<void> {
    const [first, ...others] = await Promise.all(this.people.map(this.#texts))
    assert(first !== undefined)
    assert.equal(new Set(first).size, first.length, "nothing is there twice")
    for (const other of others) assert.deepEqual(other, first)
    const members = this.people.map((person) =>
      person.chat.groupShow(this.thread).members.map(({ address }) => address),
    )
    for (const each of members) assert.deepEqual(each, members[0])
  }
}

let run: Run | undefined

afterEach(async () => {
  await run?.world.stop()
})

describe("whatever happens in a group", () => {
  it("ends in one epoch for all, and one transcript: nothing twice, nothing lost", async () => {
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

  it("ends so where commits lie in blobs as well, that some withhold, or give to some only, or that are none", async () => {
    const either = fc.oneof({ weight: 9, arbitrary: step }, { weight: 2, arbitrary: withhold })
    const schedule = fc.asyncProperty(
      fc.nat(),
      fc.array(either, { minLength: 8, maxLength: 25 }),
      async (seed, steps) => {
        await run?.world.stop()
        run = await new Run(seed, MORE_NAMES).begin()
        await run.lieInBlobs()
        for (const each of steps)
          if (each.do === "withhold") run.withhold(each)
          else await run.perform(each)
        await run.settle()
        await run.check()
      },
    )
    await fc.assert(schedule, {
      numRuns: Number(process.env["SCHEDULES"] ?? 2),
      endOnFailure: true,
    })
  })
})
