/**
 * A member seals under the tags of others: every member of a thread knows what tags and keys are made of. They use up nothing by that,
 * crowd nothing out and change nothing that was begun, so whoever removes them is followed by everybody, and they read nothing afterwards.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import {
  type Channel,
  type ChannelEpoch,
  sealContents,
  sealMessage,
} from "../../../src/chat/channel.ts"
import { openEnvelope } from "../../../src/chat/opening.ts"
import { addressBytes } from "../../../src/crypto/address.ts"
import { type Bytes, concat, equal, Writer } from "../../../src/crypto/bytes.ts"
import { envelopeId, sealThread, THREAD_PLAINTEXT_BYTES } from "../../../src/crypto/envelope.ts"
import { cut, type Fragment } from "../../../src/crypto/fragment.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import { members, updateSelf } from "../../../src/crypto/session.ts"
import { threadKey, threadTag } from "../../../src/crypto/tags.ts"
import { PARTIALS_MAX } from "../../../src/node/chat/partials.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { meshId, type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"

let world: World
let talk: GroupTalk
let [ada, bob, cyd] = [] as unknown as [Person, Person, Person]
let forger: Forger

beforeEach(async () => {
  world = new World(new Order())
  ;[ada, bob, cyd] = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
  await befriendAll(world, ada, bob, cyd)
  talk = new GroupTalk(world, "Team")
  await talk.found(ada, bob, cyd)
  // Everybody has made new keys since they came, so nothing is on its way any more.
  for (const person of [ada, bob, cyd])
    await ordering(world, person, "new keys", () => talk.view(person).epoch >= 3)
  await talk.settled(ada, bob, cyd)
  forger = await Forger.of(cyd, ada)
})

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.doesNotMatch(logged, /assertion|TypeError|stopped|failed/)
})

/** Cyd, with everything that a member knows, and without manners: seals under Ada's tags. */
class Forger {
  readonly channel: Channel
  readonly epoch: ChannelEpoch
  /** The leaf of the one whose tags they are. */
  readonly leaf: number
  /** Where that one's next tags begin. */
  readonly next: number

  private constructor(channel: Channel, epoch: ChannelEpoch, leaf: number, next: number) {
    this.channel = channel
    this.epoch = epoch
    this.leaf = leaf
    this.next = next
  }

  static async of(who: Person, victim: Person): Promise<Forger> {
    const channel = (await who.channels()).find(({ group }) => group !== null)
    const [epoch] = channel?.epochs ?? []
    assert(channel !== undefined && epoch !== undefined)
    const theirs = addressBytes(victim.address)
    const found = members(channel.state).find(({ identity }) => equal(identity, theirs))
    assert(found !== undefined)
    const next = epoch.windows.get(found.leaf)?.base ?? assert.fail("a window for every member")
    return new Forger(channel, epoch, found.leaf, next)
  }

  /** What stands at a counter of theirs, in an envelope that opens. */
  seal(counter: number, plaintext: Bytes): Bytes {
    const { keys } = this.epoch
    const tag = threadTag(keys, this.leaf, counter)
    return sealThread(meshId, tag, threadKey(keys, this.leaf, counter), plaintext)
  }

  payload(counter: number, payload: Bytes): Bytes[] {
    return cut(payload, THREAD_PLAINTEXT_BYTES, 255).map((each, i) => this.seal(counter + i, each))
  }

  /** The fragment in one of their envelopes, and its counter. */
  read(envelope: Bytes): { fragment: Fragment; counter: number } | undefined {
    for (let counter = this.next; counter < this.next + 32; counter++) {
      const at = { epoch: this.epoch.epoch, leaf: this.leaf, counter }
      const fragment = openEnvelope(this.channel, meshId, at, envelope)?.fragment
      if (fragment !== undefined) return { fragment, counter }
    }
    return undefined
  }
}

const junk = (length: number): Bytes => primitives.randomBytes(length)

/** The commit that takes Cyd out, in the order of its fragments; it has reached nobody yet. */
async function removal(): Promise<Bytes[]> {
  world.held = []
  await ada.chat.groupRemove("Team", "Cyd")
  const found = new Map<number, Bytes>()
  await ada.until("the commit that takes her out", () => {
    for (const { from, envelope } of world.held ?? []) {
      const read = from === ada ? forger.read(envelope) : undefined
      if (read !== undefined && read.fragment.count > 1) found.set(read.fragment.index, envelope)
      if (read !== undefined && found.size === read.fragment.count) return true
    }
    return false
  })
  return [...found].sort(([a], [b]) => a - b).map(([, envelope]) => envelope)
}

/** All are where Ada is, Cyd is not, and reads nothing of what follows. */
async function followed(): Promise<void> {
  await talk.settled(ada, bob)
  await talk.say(bob, "is she gone?")
  await talk.say(ada, "she is")
  await talk.everybodyRead(ada, bob)
  for (const { envelope } of world.held ?? []) cyd.mailbox.take(envelope)
  await ordering(world, cyd, "to be out", () => !talk.has(cyd))
  assert(!(await talk.texts(cyd)).includes("she is"))
}

describe("a member who seals under the tags of another", () => {
  it("uses none of them up: whoever removes them is followed all the same", async () => {
    for (let counter = forger.next; counter < forger.next + 32; counter++)
      world.spread(cyd, forger.seal(counter, concat(...cut(junk(100), THREAD_PLAINTEXT_BYTES))))
    // Garbage as a plaintext too, and once more under the same tags.
    for (let counter = forger.next; counter < forger.next + 32; counter++)
      world.spread(cyd, forger.seal(counter, junk(THREAD_PLAINTEXT_BYTES)))
    await bob.until("all of it looked at", () =>
      bob.logs.some((line) => line.includes("was ignored")),
    )
    await talk.say(ada, "still here")
    await ordering(world, bob, "her text", async () =>
      (await talk.texts(bob)).includes("still here"),
    )
    await ada.chat.groupRemove("Team", "Cyd")
    await followed()
  })

  it("crowds out none of what is being put together", async () => {
    const [first, ...rest] = await removal()
    assert(first !== undefined && rest.length > 0, "it takes more than one envelope")
    world.held = undefined
    bob.mailbox.take(first)
    // More than are kept, each begun and never ended.
    for (let i = 0; i <= PARTIALS_MAX; i++) {
      const [begun] = forger.payload(forger.next + 31, junk(3_000))
      bob.mailbox.take(begun ?? assert.fail())
    }
    await bob.chat.stop()
    await bob.start()
    for (const envelope of rest) bob.mailbox.take(envelope)
    await followed()
  })

  it("puts nothing into a payload of theirs that counts", async () => {
    const [first, second, ...rest] = await removal()
    assert(first !== undefined && second !== undefined)
    const { fragment, counter } = forger.read(second) ?? assert.fail()
    const { transfer, count, index, data } = fragment
    world.held = undefined
    const head = new Writer().u8(1).raw(transfer).u8(index).u8(count).bytes(junk(data.length), 2)
    const forged = head.finish()
    const padding = new Uint8Array(THREAD_PLAINTEXT_BYTES - forged.length)
    // He has hers first, and then what was sealed in the place of the next one.
    bob.mailbox.take(first)
    bob.mailbox.take(forger.seal(counter, concat(forged, padding)))
    for (const envelope of [...rest, second]) bob.mailbox.take(envelope)
    await followed()
  })

  it("leaves no room that is theirs taken: commits in their name come to nothing", async () => {
    const envelopes = await removal()
    world.held = undefined
    // Sound commits of her own, but under Ada's tags, and never shown to the ledger.
    for (let i = 0; i < 6; i++) {
      const { commit } = await updateSelf(forger.channel.state, undefined)
      for (const envelope of forger.payload(forger.next + 8, commit)) bob.mailbox.take(envelope)
    }
    await bob.until("them held", async () => {
      const held = (await bob.channels()).flatMap((each) => (each.group ? each.held : []))
      return held.length >= 4
    })
    assert(!envelopes.some((each) => bob.mailbox.has(envelopeId(each))))
    for (const envelope of envelopes) bob.mailbox.take(envelope)
    await followed()
  })
})

describe("a member who seals twice under tags of their own", () => {
  /** A text for Bob and a commit for Ada, under the same tags; the commit is what the ledger sees. */
  async function twice(betweenAtBob: () => Promise<void>): Promise<void> {
    const { epoch } = talk.view(ada)
    await cyd.chat.stop()
    const { channel } = forger
    const words = { text: "only for Bob", sentAtMs: 1, lamport: 1_000 }
    const text = { kind: "text", id: junk(16), ...words } as const
    const { envelopes: said } = await sealContents(channel, meshId, [text])
    const { commit } = await updateSelf(channel.state, undefined)
    const { envelopes: committed } = sealMessage(channel, meshId, commit)
    for (const envelope of said) bob.mailbox.take(envelope)
    await bob.until("her words", async () => (await talk.texts(bob)).includes(words.text))
    await betweenAtBob()
    for (const envelope of committed) {
      ada.mailbox.take(envelope)
      bob.mailbox.take(envelope)
      world.order?.take(envelope)
    }
    for (const person of [ada, bob])
      await ordering(world, person, "the next epoch", () => talk.view(person).epoch > epoch)
    assert.equal(talk.view(ada).epoch, talk.view(bob).epoch)
    await talk.say(ada, "here?")
    await talk.say(bob, "here")
    await talk.everybodyRead(ada, bob)
  }

  it("leads nobody elsewhere: who saw the one first comes to the same epoch as who saw the other", () =>
    twice(() => Promise.resolve()))

  it("nor after a restart", () =>
    twice(async () => {
      await bob.chat.stop()
      await bob.start()
    }))
})
