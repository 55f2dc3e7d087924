/** People and groups for the session stories: who they are, what they hold, and a ledger that hands every commit to everyone. */
import assert from "node:assert/strict"
import { primitives } from "#primitives"
import { type Bytes, concat, fromUtf8, utf8 } from "../../../src/crypto/bytes.ts"
import * as session from "../../../src/crypto/session.ts"

/** Any moment: key packages of the stories live from 0 to LATER. */
export const NOW = 1_800_000_000
export const LATER = 4_000_000_000

export class Person {
  readonly name: string
  readonly identity: Bytes
  signatureSeed: Bytes
  #state: session.SessionState | undefined

  constructor(name: string, signing: session.Signing = "ed25519") {
    this.name = name
    this.identity = utf8(name)
    const seed = primitives.sha3_256(utf8(`signature seed of ${name}`))
    const twice = concat(seed, primitives.sha3_256(seed))
    this.signatureSeed = signing === "composite" ? twice : seed
  }

  get signing(): session.Signing {
    return this.signatureSeed.length === 64 ? "composite" : "ed25519"
  }

  get state(): session.SessionState {
    assert(this.#state !== undefined, `${this.name} is in a group`)
    return this.#state
  }

  set state(state: session.SessionState) {
    this.#state = state
  }

  keyPackage(more: Partial<session.KeyPackageRequest> = {}): Promise<session.KeyPackagePair> {
    const { identity, signatureSeed } = this
    return session.createKeyPackage({
      identity,
      signatureSeed,
      lastResort: false,
      notAfterSeconds: LATER,
      ...more,
    })
  }

  async found(groupId = "a group"): Promise<this> {
    const { identity, signatureSeed } = this
    this.state = await session.createGroup({ groupId: utf8(groupId), identity, signatureSeed })
    return this
  }

  async join(welcome: Bytes, pair: session.KeyPackagePair): Promise<void> {
    const joined = await session.joinFromWelcome(welcome, pair)
    assert(joined.kind === "joined", `${this.name} joins: ${JSON.stringify(joined)}`)
    this.state = joined.state
  }

  async says(text: string): Promise<Bytes> {
    const { message, next } = await session.encrypt(this.state, utf8(text))
    this.state = next
    return message
  }

  /** What a message says to this person, or the code it is ignored with. */
  async reads(message: Bytes): Promise<string> {
    const read = await session.process(this.state, message)
    if (read.kind === "ignored") return read.code
    assert(read.kind === "application", "a message to read")
    this.state = read.next
    return fromUtf8(read.plaintext)
  }

  async sees(commit: Bytes): Promise<session.CommitChanges> {
    const read = await session.process(this.state, commit)
    assert(read.kind === "commit", `${this.name} sees a commit: ${JSON.stringify(read)}`)
    this.state = read.next
    return read
  }

  leafOf(other: Person): number {
    const found = session
      .members(this.state)
      .find(({ identity }) => fromUtf8(identity) === other.name)
    assert(found !== undefined, `${other.name} is in ${this.name}'s group`)
    return found.leaf
  }

  secret(): Promise<Bytes> {
    return session.exportSecret(this.state, "story", utf8("all agree"), 32)
  }

  /** Their state written down and read again, as after a restart. */
  restarts(): void {
    this.state = session.decodeState(session.encodeState(this.state))
  }
}

/** `by` adds `newcomers`; the commit is ordered at once, `others` see it, and the newcomers join. */
export async function adds(by: Person, newcomers: Person[], others: Person[] = []): Promise<void> {
  const pairs = await Promise.all(newcomers.map((person) => person.keyPackage()))
  const made = await session.addMembers(
    by.state,
    pairs.map((pair) => pair.public),
    NOW,
  )
  for (const other of others) await other.sees(made.commit)
  by.state = session.mergeCommit(by.state, made.next)
  for (const [index, person] of newcomers.entries()) await person.join(made.welcome, pairs[index]!)
}

export async function removes(by: Person, gone: Person[], others: Person[]): Promise<void> {
  const made = await session.removeMembers(
    by.state,
    gone.map((person) => by.leafOf(person)),
  )
  for (const other of others) await other.sees(made.commit)
  by.state = session.mergeCommit(by.state, made.next)
}

/** `gone` has lost everything and comes back as someone with the same name and keys, who is returned. */
export async function readmits(by: Person, gone: Person, others: Person[]): Promise<Person> {
  const anew = new Person(gone.name, gone.signing)
  const pair = await anew.keyPackage()
  const made = await session.readmitMembers(by.state, [pair.public], NOW)
  for (const other of [...others, gone]) await other.sees(made.commit)
  by.state = session.mergeCommit(by.state, made.next)
  await anew.join(made.welcome, pair)
  return anew
}

export async function updates(by: Person, others: Person[]): Promise<void> {
  const made = await session.updateSelf(by.state)
  for (const other of others) await other.sees(made.commit)
  by.state = session.mergeCommit(by.state, made.next)
}

/** `by` commits to a new signature key. */
export async function rotates(by: Person, others: Person[]): Promise<void> {
  by.signatureSeed = session.generateSignatureSeed(by.signing)
  const made = await session.updateSelf(by.state, by.signatureSeed)
  for (const other of others) {
    const seen = await other.sees(made.commit)
    assert.deepEqual(seen.updated, [
      session.members(made.next).find(({ leaf }) => leaf === session.ownLeaf(by.state)),
    ])
  }
  by.state = session.mergeCommit(by.state, made.next)
}

/** A group of all these people, founded by the first. */
export async function groupOf<Names extends string[]>(
  ...names: Names
): Promise<{ [Index in keyof Names]: Person }> {
  return groupWith("ed25519", ...names)
}

/** The same, whose members sign in a way of one's choosing. */
export async function groupWith<Names extends string[]>(
  signing: session.Signing,
  ...names: Names
): Promise<{ [Index in keyof Names]: Person }> {
  const people = names.map((name) => new Person(name, signing))
  const [founder, ...others] = people
  assert(founder !== undefined, "a group has a founder")
  await founder.found()
  if (others.length > 0) await adds(founder, others)
  return people as { [Index in keyof Names]: Person }
}

export async function assertAgreed(...people: Person[]): Promise<void> {
  const [first, ...others] = await Promise.all(people.map((person) => person.secret()))
  for (const other of others) assert.deepEqual(other, first)
  const [lead, ...rest] = people
  for (const person of rest) {
    assert.equal(session.epochOf(person.state), session.epochOf(lead!.state))
    assert.deepEqual(session.members(person.state), session.members(lead!.state))
  }
}
