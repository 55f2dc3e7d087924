/**
 * Somebody who has an identity and a card like everyone, and a channel, but no manners: what they seal under their valid tags is up to
 * the test. They hold no chat, only the pure parts, so nothing of ours keeps them from anything.
 */
import assert from "node:assert/strict"
import { type Channel, openChannel, sealContents, sealMessage } from "../../src/chat/channel.ts"
import { hold, settle } from "../../src/chat/commits.ts"
import { type Content, encodeContents } from "../../src/chat/content.ts"
import { encodeHello } from "../../src/chat/hello.ts"
import { type Address, addressBytes } from "../../src/crypto/address.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import type { Card } from "../../src/crypto/card.ts"
import { INTRO_PLAINTEXT_BYTES, sealIntro, sealThread } from "../../src/crypto/envelope.ts"
import { cut, INTRO_FRAGMENTS_MAX } from "../../src/crypto/fragment.ts"
import type { Identity } from "../../src/crypto/identity.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import {
  addMembers,
  createGroup,
  encrypt,
  type SessionState,
  signingOf,
} from "../../src/crypto/session.ts"
import { threadKey, threadTag } from "../../src/crypto/tags.ts"
import { makeIdentity, meshId, type Person, type World } from "./chat-world.ts"

export interface FirstContact {
  readonly from?: Address
  readonly name?: string
  /** Whose key package the Welcome is for; by default the one of whom it is sent to. */
  readonly invited?: Card
  readonly groupId?: Bytes
  /** What they sign with; by default their own leaf key. With a composite one, for the invited's composite key package. */
  readonly signatureSeed?: Bytes
  /** Whose leaf it says it is, inside the group. */
  readonly identity?: Address
}

export class Rogue {
  readonly address: Address
  readonly card: Card
  readonly #world: World
  readonly #identity: Identity
  #channel: Channel | undefined
  #lamport = 0

  private constructor(world: World, identity: Identity, card: Card) {
    this.#world = world
    this.#identity = identity
    this.card = card
    this.address = card.address
  }

  static async join(world: World, name = "Mallory"): Promise<Rogue> {
    const { identity, card } = await makeIdentity(name)
    world.cards.set(card.address, card)
    world.carriers = 1
    return new Rogue(world, identity, card)
  }

  get channel(): Channel {
    return this.#channel ?? assert.fail("no channel yet")
  }

  set channel(channel: Channel) {
    this.#channel = channel
  }

  /** Envelopes of a first contact, not delivered. */
  async hello(to: Person, options: FirstContact = {}): Promise<Bytes[]> {
    const { from = this.address, name = "Mallory", groupId = primitives.randomBytes(16) } = options
    const { signatureSeed = this.#identity.leaf } = options
    const card = this.#world.cards.get(to.address) ?? assert.fail("no card")
    const identity = addressBytes(options.identity ?? this.address)
    const group = await createGroup({ groupId, identity, signatureSeed })
    const { lastResort, address } = options.invited ?? card
    const isComposite = signingOf(group) === "composite"
    const theirs = isComposite ? this.#world.composites.get(address) : lastResort
    const keyPackage = theirs ?? assert.fail("no key package")
    const { next, welcome } = await addMembers(group, [keyPackage], Math.floor(Date.now() / 1000))
    this.#channel = await openChannel(next, { peer: to.address, theirName: "", trusted: true })
    return this.intro(to, encodeHello({ from, name, welcome, group: null }))
  }

  /** Anything at all, as a first contact. */
  intro(to: Person, payload: Bytes): Bytes[] {
    const card = this.#world.cards.get(to.address) ?? assert.fail("no card")
    const plaintexts = cut(payload, INTRO_PLAINTEXT_BYTES, INTRO_FRAGMENTS_MAX)
    return plaintexts.map((each) => sealIntro(meshId, card.intro, each))
  }

  introPlaintext(to: Person, plaintext: Bytes): Bytes {
    const card = this.#world.cards.get(to.address) ?? assert.fail("no card")
    return sealIntro(meshId, card.intro, plaintext)
  }

  /** Writes first, and is a request then. What they write is read, and nobody but them commits. */
  async knock(person: Person): Promise<void> {
    for (const envelope of await this.hello(person)) person.mailbox.take(envelope)
    await person.until("the rogue's request", () =>
      person.chat.contacts().some(({ address }) => address === this.address),
    )
  }

  /** Is let in, as someone with manners would be. */
  async befriend(person: Person): Promise<void> {
    await this.knock(person)
    await person.chat.accept(this.address)
  }

  async contents(contents: readonly Content[]): Promise<Bytes[]> {
    const sealed = await sealContents(this.channel, meshId, contents)
    this.#channel = sealed.channel
    return [...sealed.envelopes]
  }

  text(text: string, fields: Partial<Content & { kind: "text" }> = {}): Content {
    const id = primitives.randomBytes(16)
    return { kind: "text", id, sentAtMs: 1, lamport: ++this.#lamport, text, ...fields }
  }

  async says(text: string): Promise<Bytes[]> {
    return this.contents([this.text(text)])
  }

  /** An MLS application message around bytes of one's own making. */
  async application(plaintext: Bytes): Promise<Bytes> {
    const { message, next } = await encrypt(this.channel.state, plaintext)
    this.#channel = { ...this.channel, state: next }
    return message
  }

  async honestMessage(): Promise<Bytes> {
    return this.application(encodeContents([this.text("never mind")]))
  }

  /** Whatever this is, in fragments, as if it were an MLS message. */
  message(bytes: Bytes): Bytes[] {
    const sealed = sealMessage(this.channel, meshId, bytes)
    this.#channel = sealed.channel
    return [...sealed.envelopes]
  }

  /** A commit of theirs counts: `next` is the state after it. */
  async enters(next: SessionState): Promise<void> {
    const envelope = new Uint8Array(32)
    const nobody = { welcome: new Uint8Array(0), invited: [], grants: [] }
    const own = { ...nobody, next, renews: true, madeAtMs: 0 }
    const payload = new Uint8Array(0)
    const held = hold(this.channel, { envelope, leaf: 0, own, payload, far: null })
    const settled = await settle(held, envelope, undefined)
    assert(settled?.kind === "entered", "a commit of one's own is valid")
    this.#channel = settled.channel
  }

  /** One envelope under the next valid tag, with this plaintext of 2112 bytes. */
  plaintext(bytes: Bytes): Bytes {
    const { channel } = this
    const [epoch, ...older] = channel.epochs
    assert(epoch !== undefined)
    const { keys, ownLeaf, next } = epoch
    this.#channel = { ...channel, epochs: [{ ...epoch, next: next + 1 }, ...older] }
    const tag = threadTag(keys, ownLeaf, next)
    return sealThread(meshId, tag, threadKey(keys, ownLeaf, next), bytes)
  }
}
