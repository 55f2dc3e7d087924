/** A group in a test's world: people in it talk and change it, and the ledger goes on until something is so. */
import assert from "node:assert/strict"
import type { GroupView, Message } from "../../src/node/api/types.ts"
import type { Person, World } from "./chat-world.ts"

/** Lets the ledger go on until it is so. */
export async function ordering(
  world: World,
  person: Person,
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  await person.until(what, async () => {
    world.orderOn()
    return holds()
  })
}

/** Everybody has everybody as a contact, and a channel with them. */
export async function befriendAll(world: World, ...people: Person[]): Promise<void> {
  for (const [i, one] of people.entries())
    for (const other of people.slice(i + 1)) {
      await one.chat.addContact(other.address, other.name)
      await other.chat.addContact(one.address, one.name)
    }
  const isFriend = (one: Person, other: Person) =>
    one.chat
      .contacts()
      .some(({ address, state }) => address === other.address && state === "accepted")
  for (const one of people)
    for (const other of people)
      if (one !== other)
        await ordering(world, one, `${other.name}'s contact`, () => isFriend(one, other))
}

export class GroupTalk {
  readonly world: World
  name: string
  readonly said: string[] = []

  constructor(world: World, name: string) {
    this.world = world
    this.name = name
  }

  has = (person: Person): boolean =>
    person.chat
      .threads()
      .some(({ kind, title, left }) => kind === "group" && title === this.name && !left)

  view = (person: Person): GroupView => person.chat.groupShow(this.name)

  /** Founded by the first; resolves when all are in it and have heard of each other. */
  async found(founder: Person, ...others: Person[]): Promise<void> {
    await founder.chat.groupCreate(
      this.name,
      others.map(({ address }) => address),
    )
    await this.settled(founder, ...others)
  }

  /** All of these are in the group, agree on where it stands, know each other, and want nothing changed. */
  async settled(...people: Person[]): Promise<void> {
    for (const person of people)
      await ordering(this.world, person, `${person.name} in the group`, () =>
        this.isSettled(person, people),
      )
  }

  isSettled(person: Person, people: readonly Person[]): boolean {
    if (!this.has(person)) return false
    const { members, pending, changing, epoch } = this.view(person)
    const first = people[0]
    return (
      members.length === people.length &&
      members.every(({ here }) => here) &&
      pending.length === 0 &&
      !changing &&
      (first === undefined || (this.has(first) && this.view(first).epoch === epoch))
    )
  }

  async say(person: Person, text: string): Promise<Message> {
    this.said.push(text)
    return person.chat.send(this.name, text, undefined)
  }

  async messages(person: Person): Promise<readonly Message[]> {
    if (!this.has(person)) return []
    return (await person.chat.page(this.name, undefined, 500)).messages
  }

  /** What was said, without what the group tells of itself. */
  words = async (person: Person): Promise<readonly Message[]> =>
    (await this.messages(person)).filter(({ notice }) => notice === null)

  texts = async (person: Person): Promise<string[]> =>
    (await this.words(person)).map(({ text }) => text)

  /** All that was said through `say`. */
  async everybodyRead(...people: Person[]): Promise<void> {
    for (const person of people)
      await ordering(this.world, person, `${person.name} to have read all`, async () => {
        const texts = await this.texts(person)
        return this.said.every((text) => texts.includes(text))
      })
  }

  /** Once the ledger has placed everything, everybody sees the same, in the same order. */
  async sameFor(...people: Person[]): Promise<void> {
    const [first, ...others] = people
    if (first === undefined) return
    for (const person of people)
      await ordering(this.world, person, "places for all that was said", async () =>
        (await this.messages(person)).every(({ place }) => place !== null),
      )
    const all = await Promise.all(people.map((person) => this.messages(person)))
    const from = enteredBy(
      all.flat(),
      people.map(({ address }) => address),
    )
    const seenBy = (i: number) => (all[i] ?? []).filter((each) => isSince(each, from)).map(common)
    for (const i of others.keys()) assert.deepEqual(seenBy(i + 1), seenBy(0))
  }
}

/** Whom a notice is about, and what happened. */
export const noticeOf = ({ kind, who, name }: NonNullable<Message["notice"]>) => ({
  kind,
  who: who.map(({ address }) => address),
  name,
})

/** Position of the last change that let one of these people in: of what came before, and of that, not all of them were told. */
export const enteredBy = (messages: readonly Message[], people: readonly string[]): string =>
  messages.reduce((last, { notice, position }) => {
    const isEntry = notice?.kind === "added" || notice?.kind === "returned"
    const isTheirs = isEntry && notice.who.some(({ address }) => people.includes(address))
    return isTheirs && position > last ? position : last
  }, "")

/** Said by somebody, or a change from behind that position on. */
export const isSince = ({ notice, position }: Message, from: string): boolean =>
  notice === null || position > from

/** What of a message is the same for everybody. */
export const common = (message: Message) => ({
  id: message.id,
  author: message.author,
  text: message.text,
  place: message.place,
  answers: message.replyTo?.id ?? null,
  names: message.mentions.map(({ address }) => address),
  first: message.edited?.first ?? null,
  deleted: message.deleted,
  signs: message.reactions.map(({ sign, by, mine }) => [sign, by.length + Number(mine)]).sort(),
  sets: message.sets,
  notice: message.notice && noticeOf(message.notice),
  lifetime: message.lifetime,
})
