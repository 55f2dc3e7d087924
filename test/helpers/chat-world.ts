/**
 * A mesh in a test's memory: people with real identities and real chat, whose mailboxes are arrays and whose disks are maps. Cutting a
 * line keeps envelopes back; a crash makes every further write fail, and the person comes back from what was written.
 */
import assert from "node:assert/strict"
import type { Channel } from "../../src/chat/channel.ts"
import type { Address } from "../../src/crypto/address.ts"
import { addressBytes } from "../../src/crypto/address.ts"
import { type Bytes, equal, toHex } from "../../src/crypto/bytes.ts"
import type { BlobRef } from "../../src/crypto/blob.ts"
import { assembleCard, type Card, cardSigningBytes, encodeCardBody } from "../../src/crypto/card.ts"
import { FRAGMENTS_MAX } from "../../src/crypto/fragment.ts"
import { envelopeId, tagOf } from "../../src/crypto/envelope.ts"
import {
  addressOfRoots,
  compositeLeafOf,
  generateIntro,
  generateRoots,
  type Identity,
  introPublic,
  rootPublic,
} from "../../src/crypto/identity.ts"
import { openVault } from "../../src/crypto/keyfile.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { createKeyPackage, generateSignatureSeed, type Signing } from "../../src/crypto/session.ts"
import type { ApiEvent, Message } from "../../src/node/api/types.ts"
import { Chat } from "../../src/node/chat/chat.ts"
import { WorldBlobs } from "./chat-blobs.ts"
import { LedgerView, type Order } from "./chat-ledger.ts"
import type { ChatMailbox, ChatShowing, FarCommitRules } from "../../src/node/chat/parts.ts"
import { ChatRecords } from "../../src/node/chat/records.ts"
import { type Clock, systemClock } from "../../src/node/clock.ts"
import { KeyRing } from "../../src/node/identity/key-ring.ts"
import { moveIn } from "../../src/node/backup/restore.ts"
import type { Kept } from "../../src/node/mailbox/shelf.ts"
import { Sealed, type SealedOp, type SealedShelf } from "../../src/node/store/sealed.ts"

export const meshId = new Uint8Array(32).fill(42)
/** Stands in exports; it is not what the mesh id is the hash of. */
const GENESIS = Uint8Array.of(1)
const DEADLINE_MS = 60_000

/** A disk of sorted keys. After `crash`, nothing is written any more. */
export class MemoryShelf implements SealedShelf {
  readonly rows: Map<string, Bytes>
  writes = 0
  /** Fails with the write of this number, and with all after it. */
  crashAt = Number.POSITIVE_INFINITY

  /** One life of a process: the rows outlive it. */
  constructor(rows = new Map<string, Bytes>()) {
    this.rows = rows
  }

  get isDead(): boolean {
    return this.writes >= this.crashAt
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    return Promise.resolve(this.rows.get(toHex(key)))
  }

  async getMany(keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return Promise.resolve(keys.map((key) => this.rows.get(toHex(key))))
  }

  async write(ops: readonly SealedOp[]): Promise<void> {
    if (++this.writes >= this.crashAt) throw new Error("the process was killed")
    for (const op of ops) {
      if (op.type === "put") this.rows.set(toHex(op.key), op.value.slice())
      else this.rows.delete(toHex(op.key))
    }
    return Promise.resolve()
  }

  async range(
    { gte, lt }: { gte: Bytes; lt: Bytes },
    { reverse, limit }: { reverse: boolean; limit: number },
  ) {
    const [from, to] = [toHex(gte), toHex(lt)]
    const keys = [...this.rows.keys()].filter((key) => key >= from && key < to).sort()
    if (reverse) keys.reverse()
    const wanted = limit < 0 ? keys : keys.slice(0, limit)
    return Promise.resolve(
      wanted.map((key) => ({
        key: new Uint8Array(Buffer.from(key, "hex")),
        value: this.rows.get(key) ?? assert.fail("row vanished"),
      })),
    )
  }
}

/** The card is signed only when `signed`: that takes seconds, and most stories have nobody look. */
export async function makeIdentity(
  name: string,
  signed = false,
): Promise<{ identity: Identity; card: Card }> {
  const roots = generateRoots()
  const address = addressOfRoots(roots)
  const leaf = primitives.ed25519.generate()
  const intro = generateIntro()
  const lastResort = await createKeyPackage({
    identity: addressBytes(address),
    signatureSeed: leaf,
    lastResort: true,
    notAfterSeconds: 2 ** 33,
  })
  const compositeLeaf = generateSignatureSeed("composite")
  const composite = {
    leaf: compositeLeaf,
    lastResort: await createKeyPackage({
      identity: addressBytes(address),
      signatureSeed: compositeLeaf,
      lastResort: true,
      notAfterSeconds: 2 ** 33,
    }),
  }
  const publicRoots = rootPublic(roots)
  const body = {
    ed25519Root: publicRoots.ed25519,
    slhDsaRoot: publicRoots.slhDsa,
    sequence: 1,
    intro: introPublic(intro),
    leaf: primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(leaf)),
    lastResort: lastResort.public,
    formers: [],
    compositeLeaf: compositeLeafOf({ composite }),
    formerComposites: [],
  }
  const identity = {
    roots,
    sequence: 1,
    sinceMs: Date.now(),
    intro,
    old: [],
    leaf,
    lastResort,
    composite,
    card: signed ? signedBy(roots, encodeCardBody(body)) : encodeCardBody(body),
    name,
  }
  const hash = primitives.sha3_256(identity.card)
  return { identity, card: { ...body, address, hash, encoded: identity.card } }
}

function signedBy(roots: Identity["roots"], body: Bytes): Bytes {
  const { ed25519, slhDsaShake256s } = primitives
  const bytes = cardSigningBytes(body)
  return assembleCard(body, {
    ed25519: ed25519.sign(ed25519.importPrivate(roots.ed25519), bytes),
    slhDsa: slhDsaShake256s.sign(slhDsaShake256s.importPrivate(roots.slhDsa), bytes),
  })
}

/** The mailbox of one peer: what arrived, in order. */
class Mailbox implements ChatMailbox {
  readonly arrivals: Kept[] = []
  readonly #ids = new Set<string>()
  readonly #tags = new Map<string, Kept[]>()
  readonly #world: World
  readonly #owner: Person

  constructor(world: World, owner: Person) {
    this.#world = world
    this.#owner = owner
  }

  entriesAfter(seq: number, limit: number): Promise<readonly Kept[]> {
    return Promise.resolve(this.arrivals.slice(seq, seq + limit))
  }

  getMany(ids: readonly Bytes[]): Promise<readonly (Bytes | undefined)[]> {
    return Promise.resolve(ids.map((id) => this.byId(id)))
  }

  byTag(tag: Bytes): Promise<readonly Kept[]> {
    return Promise.resolve(this.#tags.get(toHex(tag)) ?? [])
  }

  missing(ids: readonly Bytes[]): Promise<readonly Bytes[]> {
    return Promise.resolve(ids.filter((id) => !this.has(id)))
  }

  has = (id: Bytes): boolean => this.#ids.has(toHex(id))
  byId = (id: Bytes): Bytes | undefined => this.arrivals.find((kept) => equal(kept.id, id))?.bytes

  /** The mailbox as one life of its owner's process sees it. */
  life(shelf: MemoryShelf): ChatMailbox {
    return {
      entriesAfter: (seq, limit) => this.entriesAfter(seq, limit),
      missing: (ids) => this.missing(ids),
      getMany: (ids) => this.getMany(ids),
      byTag: (tag) => this.byTag(tag),
      post: (envelope) => {
        if (shelf.isDead) throw new Error("the process was killed")
        return this.post(envelope)
      },
    }
  }

  async post(envelope: Bytes): Promise<{ peers: number }> {
    this.take(envelope)
    return Promise.resolve({ peers: this.#world.spread(this.#owner, envelope) })
  }

  /** A real mailbox takes an id once; `again` is one that would not. */
  take(envelope: Bytes, { again = false } = {}): void {
    const id = envelopeId(envelope)
    if (this.#owner.lost.has(toHex(id))) return
    if (!again && this.has(id)) return
    const kept = { seq: this.arrivals.length + 1, id, bytes: envelope }
    this.arrivals.push(kept)
    this.#ids.add(toHex(id))
    const tag = toHex(tagOf(envelope))
    this.#tags.set(tag, [...(this.#tags.get(tag) ?? []), kept])
    this.#owner.arrived()
  }
}

export class Person {
  readonly name: string
  shelf = new MemoryShelf()
  readonly mailbox: Mailbox
  readonly address: Address
  readonly #world: World
  #identity: Identity
  #vaultKey = primitives.randomBytes(32)
  events: ApiEvent[] = []
  readonly logs: string[] = []
  isAway = false
  /** Envelopes, by hexadecimal id, that nobody hands to this person. */
  lost: ReadonlySet<string> = new Set()
  /** What this person sees of the world's order, when it has one. */
  readonly ledger: LedgerView | undefined
  clock: Clock = systemClock
  /** Proves places to others, in a world that has a real order. */
  places: ChatShowing["places"]
  keys: KeyRing | undefined
  admit = (envelope: Bytes): Promise<Bytes> => Promise.resolve(envelope)
  #chat: Chat | undefined
  #retiredPackage = false
  readonly #watchers = new Set<() => void>()

  constructor(world: World, name: string, identity: Identity) {
    this.#world = world
    this.name = name
    this.#identity = identity
    this.address = addressOfRoots(identity.roots)
    this.mailbox = new Mailbox(world, this)
    this.ledger = world.order && new LedgerView(world.order, this)
  }

  /** Seed of the leaf key on their card, 32 bytes. */
  get leaf(): Bytes {
    return this.#identity.leaf
  }

  /** The same for groups with composite signatures, 64 bytes. */
  get compositeLeaf(): Bytes {
    return this.#identity.composite?.leaf ?? assert.fail("no such key")
  }

  /** What they call themselves from the next start on. */
  rename(name: string): void {
    this.#identity = { ...this.#identity, name }
  }

  get chat(): Chat {
    return this.#chat ?? assert.fail(`${this.name} is not running`)
  }

  get isDead(): boolean {
    return this.shelf.isDead
  }

  get isRunning(): boolean {
    return this.#chat !== undefined
  }

  /** Their disk, as their program reads it. */
  records(shelf = this.shelf): ChatRecords {
    return new ChatRecords(
      new Sealed(openVault(this.#vaultKey), shelf, (line) => this.logs.push(line)),
    )
  }

  /** What is on their disk of channels at this moment. */
  channels(): Promise<Channel[]> {
    return this.records(new MemoryShelf(new Map(this.shelf.rows))).channels.all()
  }

  /** How many of the arrivals were looked at, and up to which height the order was followed. */
  async followed(): Promise<{ readonly arrivals: number; readonly height: number }> {
    const records = this.records()
    return { arrivals: await records.cursor(), height: (await records.orderedUpTo()) ?? 0 }
  }

  /** All that is on their disk now, and their passphrase: makes thieves, who have this and are nobody's peers yet. */
  steal(): () => Person {
    const rows = new Map(this.shelf.rows)
    const arrivals = [...this.mailbox.arrivals]
    return () => {
      const thief = new Person(this.#world, `a thief of ${this.name}'s`, this.#identity)
      thief.#vaultKey = this.#vaultKey
      thief.shelf = new MemoryShelf(new Map(rows))
      thief.clock = this.clock
      for (const { bytes } of arrivals) thief.mailbox.take(bytes)
      return thief
    }
  }

  /** Goes on elsewhere, from a copy of an earlier state of the disk. What has arrived in the mesh is still there. */
  async moveTo(rows: ReadonlyMap<string, Bytes>): Promise<void> {
    this.kill()
    this.shelf = new MemoryShelf(new Map(rows))
    const records = this.records()
    await records.write([records.putIdentity(this.#identity)], { sync: false })
    await moveIn(records, { about: { period: 0 }, proof: undefined })
    this.#retiredPackage = true
    await this.start()
  }

  async start(): Promise<void> {
    this.shelf = new MemoryShelf(this.shelf.rows)
    const records = this.records()
    const keys = await KeyRing.open({ records, clock: this.clock }, this.#identity)
    this.keys = keys
    this.#chat = await Chat.open({
      meshId,
      me: this.address,
      get identity() {
        return keys.identity
      },
      keys,
      records,
      isRetired: (keyPackage) =>
        this.#retiredPackage &&
        [this.#identity.lastResort, this.#identity.composite?.lastResort].some(
          (each) => each !== undefined && equal(keyPackage, each.public),
        ),
      mailbox: this.mailbox.life(this.shelf),
      findCard: (address) => this.#world.findCard(address, this),
      findKeyPackage: (card, signing) => this.#world.findKeyPackage(card, signing),
      admit: (envelopes) => {
        assert(envelopes.length <= FRAGMENTS_MAX, "one admission serves so many envelopes")
        return Promise.all(
          envelopes.map(async (envelope) => {
            await this.#world.admission()
            return this.admit(envelope)
          }),
        )
      },
      isStale: () => false,
      payloads: {
        put: (payload) => this.#world.putPayload(payload, this),
        get: (ref) => this.#world.getPayload(ref, this),
        bringAgain: (ref) => this.#world.blobs.bringAgain(ref, this),
      },
      ...(this.#world.farCommits === undefined ? {} : { farCommits: this.#world.farCommits }),
      showing: {
        genesis: GENESIS,
        envelopes: (ids) => Promise.resolve(ids.map((id) => this.mailbox.byId(id))),
        ...(this.places === undefined ? {} : { places: this.places }),
      },
      clock: this.clock,
      emit: (event) => {
        this.events.push(event)
        for (const watcher of [...this.#watchers]) watcher()
      },
      log: (line) => this.logs.push(line),
      ...(this.ledger === undefined
        ? { order: "arrival" as const }
        : { order: "ledger" as const, ledger: this.ledger }),
    })
  }

  /** The order went on. */
  blocksCame(): void {
    if (!this.isAway) this.#chat?.blocksCame()
  }

  /** The process is killed now: nothing more is written. */
  kill(): void {
    this.shelf.crashAt = this.shelf.writes
    void this.#chat?.stop()
    this.#chat = undefined
  }

  arrived(): void {
    if (!this.isAway) this.#chat?.arrived()
  }

  /** Resolves when `holds` does; looked at after every event. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS
    while (!(await holds())) {
      if (Date.now() > deadline) assert.fail(`${this.name} waited in vain: ${what}`)
      const next = Promise.withResolvers<undefined>()
      const wake = () => next.resolve(undefined)
      this.#watchers.add(wake)
      const timer = setTimeout(wake, 50)
      await next.promise
      clearTimeout(timer)
      this.#watchers.delete(wake)
    }
  }

  async messages(peer: Person): Promise<readonly Message[]> {
    const known = this.chat.contacts().some(({ address }) => address === peer.address)
    if (!known || this.chat.threads().every(({ members }) => !members.includes(peer.address)))
      return []
    return (await this.chat.page(peer.address, undefined, 500)).messages
  }

  async texts(peer: Person): Promise<string[]> {
    return (await this.messages(peer)).map(({ text }) => text)
  }
}

export class World {
  readonly people: Person[] = []
  readonly cards = new Map<Address, Card>()
  /** Who says in which order what was posted counts; without one, arriving is being ordered. */
  readonly order: Order | undefined

  constructor(order?: Order) {
    this.order = order
  }

  /** What every envelope waits for before it may leave: real admission takes a while. */
  admission: () => Promise<unknown> = () => Promise.resolve()
  findCard: (address: Address, asker?: Person) => Promise<Card | undefined> = (address) =>
    Promise.resolve(this.cards.get(address))
  /** Key packages for groups with composite signatures; a card has room for none. */
  readonly composites = new Map<Address, Bytes>()
  findKeyPackage = (card: Card, signing: Signing): Promise<Bytes | undefined> =>
    Promise.resolve(signing === "composite" ? this.composites.get(card.address) : card.lastResort)
  readonly blobs = new WorldBlobs()
  /** What was put for others to fetch, by the id of the blob. */
  readonly payloads = this.blobs.keepers
  putPayload = (payload: Bytes, by: Person): Promise<BlobRef> => this.blobs.put(payload, by)
  getPayload = (ref: BlobRef, by: Person): Promise<Bytes> => this.blobs.get(ref, by)
  /** Where commits travel in blobs by other rules than usual; for whoever starts from now on. */
  farCommits: Partial<FarCommitRules> | undefined
  /** Peers who take every envelope and are nobody here. */
  carriers = 0
  /** Set to keep envelopes back; they arrive, in the order that `release` is given them, later. */
  held: { from: Person; envelope: Bytes }[] | undefined

  async add(name: string, { signed = false } = {}): Promise<Person> {
    const { identity, card } = await makeIdentity(name, signed)
    const person = new Person(this, name, identity)
    this.cards.set(card.address, card)
    if (identity.composite !== null)
      this.composites.set(card.address, identity.composite.lastResort.public)
    this.people.push(person)
    await person.start()
    return person
  }

  spread(from: Person, envelope: Bytes): number {
    // Where there is a ledger, being away is being cut off.
    if (this.order !== undefined && from.isAway) return 0
    this.order?.take(envelope)
    if (this.held !== undefined) {
      this.held.push({ from, envelope })
      return 0
    }
    const others = this.people.filter((person) => person !== from && !person.isAway)
    for (const person of others) person.mailbox.take(envelope)
    return others.length + this.carriers
  }

  /** Lets what was held arrive at everybody, in an order of the test's choosing. */
  release(order: (held: readonly Bytes[]) => readonly Bytes[] = (held) => held): void {
    const held = this.held ?? []
    this.held = undefined
    for (const envelope of order(held.map((each) => each.envelope)))
      for (const person of this.people) person.mailbox.take(envelope)
  }

  /** The ledger goes on, for all who are there. */
  orderOn(): void {
    if (this.order?.go() === true) for (const person of this.people) person.blocksCame()
  }

  /** What an away person missed. */
  catchUp(person: Person): void {
    person.isAway = false
    for (const other of this.people)
      for (const { bytes } of other.mailbox.arrivals) person.mailbox.take(bytes)
    if (this.order !== undefined)
      for (const { bytes } of person.mailbox.arrivals) {
        this.order.take(bytes)
        for (const other of this.people) if (!other.isAway) other.mailbox.take(bytes)
      }
    person.arrived()
    person.blocksCame()
  }

  async stop(): Promise<void> {
    for (const person of this.people) if (person.isRunning) await person.chat.stop()
  }
}
