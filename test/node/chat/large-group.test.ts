/**
 * A group of a hundred, most of whom are away: nobody answers for them, but their key packages are real, and so is the tree. Its Welcome
 * is too long for envelopes and travels in a blob, which nobody fetches for a stranger's sake.
 */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import { primitives } from "#primitives"
import { decodeFarHello, encodeFarHello, isSignedBy } from "../../../src/chat/far-hello.ts"
import { type Address, addressBytes, addressOf } from "../../../src/crypto/address.ts"
import { newBlobKey } from "../../../src/crypto/blob.ts"
import { generateIntro, introPublic } from "../../../src/crypto/identity.ts"
import { INTRO_PLAINTEXT_BYTES, sealIntro } from "../../../src/crypto/envelope.ts"
import { cut } from "../../../src/crypto/fragment.ts"
import { createKeyPackage } from "../../../src/crypto/session.ts"
import { blobPeer, untilConnected } from "../../helpers/blob-peers.ts"
import { testMesh } from "../../helpers/envelopes.ts"
import { Order } from "../../helpers/chat-ledger.ts"
import { meshId, type Person, World } from "../../helpers/chat-world.ts"
import { befriendAll, GroupTalk, ordering } from "../../helpers/group-talk.ts"
import { strictDecoder } from "../../helpers/decoders.ts"

const MEMBERS = 100

let world: World

beforeEach(() => {
  world = new World(new Order())
})

afterEach(async () => {
  await world.stop()
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.doesNotMatch(logged, /assertion|TypeError|stopped|failed/)
})

const NO_COMPOSITE = { compositeLeaf: null, formerComposites: [] }

/** Somebody whose card can be found and whose program does not run. */
async function absent(): Promise<Address> {
  const leaf = primitives.ed25519.generate()
  const roots = { ed25519Root: primitives.randomBytes(32), slhDsaRoot: primitives.randomBytes(64) }
  const address = addressOf(roots.ed25519Root, roots.slhDsaRoot)
  const { public: lastResort } = await createKeyPackage({
    identity: addressBytes(address),
    signatureSeed: leaf,
    lastResort: true,
    notAfterSeconds: 2 ** 33,
  })
  const intro = introPublic(generateIntro())
  const public32 = primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(leaf))
  const hash = primitives.randomBytes(32)
  const card = {
    ...roots,
    sequence: 1,
    intro,
    leaf: public32,
    lastResort,
    formers: [],
    ...NO_COMPOSITE,
  }
  world.cards.set(address, { ...card, address, hash, encoded: hash })
  return address
}

const sizeAt = (talk: GroupTalk, person: Person) =>
  talk.has(person) ? talk.view(person).members.length : 0

describe("a group of a hundred", () => {
  it("takes in who comes last by a Welcome in a blob, is talked in, and lets go of whom it removes", async () => {
    // Two are there to confirm a commit in a blob, where three would have to: it goes out in envelopes after a while.
    world.farCommits = { fallbackMs: 500 }
    const [ada, bob, cyd] = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
    await befriendAll(world, ada, bob, cyd)
    const others = await Promise.all(Array.from({ length: MEMBERS - 3 }, () => absent()))
    for (const other of others) await ada.chat.addContact(other, other.slice(-8))
    const talk = new GroupTalk(world, "Team")
    await ada.chat.groupCreate("Team", [bob.address, ...others])
    await ordering(world, ada, "nearly all", () => sizeAt(talk, ada) === MEMBERS - 1)
    await ordering(world, bob, "nearly all for Bob", () => sizeAt(talk, bob) === MEMBERS - 1)

    await ada.chat.groupAdd("Team", ["Cyd"])
    await ordering(world, cyd, "Cyd in the group", () => sizeAt(talk, cyd) === MEMBERS)
    assert(world.payloads.size > 0, "no intro envelopes hold a tree of a hundred")
    await ordering(world, ada, "Cyd's greeting", () =>
      talk.view(ada).members.some(({ name, here }) => name === "Cyd" && here),
    )
    await talk.say(cyd, "hello, all hundred of you")
    await talk.everybodyRead(ada, bob, cyd)
    await talk.say(bob, "hello Cyd")
    await talk.everybodyRead(ada, bob, cyd)
    await talk.sameFor(ada, cyd)

    await ada.chat.groupRemove("Team", "Bob")
    await ordering(world, cyd, "Bob gone", () => sizeAt(talk, cyd) === MEMBERS - 1)
    await ordering(world, bob, "Bob to see it", () => !talk.has(bob))
    await talk.say(ada, "he does not read this")
    await talk.everybodyRead(ada, cyd)
    assert(!(await bob.chat.search.ask("does not read", 9)).hits.length)
  })
})

describe("a Welcome that is too long for envelopes", () => {
  it("lies at peers who keep chunks for others, sealed, and is fetched from there when its author is gone", async (t) => {
    const mesh = testMesh()
    const keeper = await blobPeer(t, mesh)
    const inviter = await blobPeer(t, mesh, { role: "none", bootstrap: keeper.addresses() })
    await untilConnected(inviter, keeper)
    const invited = await blobPeer(t, mesh, { role: "none", bootstrap: keeper.addresses() })
    await untilConnected(invited, keeper)
    const soon = AbortSignal.timeout(60_000)
    const put: Uint8Array[] = []
    let there = 0
    let isLast = false
    world.putPayload = async (payload) => {
      const isForCyd = isLast
      put.push(payload)
      const ref = await inviter.blobs.put(payload, soon)
      there++
      // Whoever is away asks for nothing; Cyd has to do without the peer of whoever invites her.
      if (isForCyd) await inviter.stop()
      return ref
    }
    world.getPayload = (ref) => invited.blobs.get(ref, soon)

    const [ada, cyd] = [await world.add("Ada"), await world.add("Cyd")]
    await befriendAll(world, ada, cyd)
    const others = await Promise.all(Array.from({ length: 80 }, () => absent()))
    for (const other of others) await ada.chat.addContact(other, other.slice(-8))
    const talk = new GroupTalk(world, "Team")
    await ada.chat.groupCreate("Team", others)
    // They come sixteen at a time; of five Welcomes the last two are too long.
    await ordering(world, ada, "who is away", () => sizeAt(talk, ada) === 81 && there === 2)
    put.length = 0
    isLast = true
    await ada.chat.groupAdd("Team", [cyd.address])
    await ordering(world, cyd, "Cyd in the group", () => sizeAt(talk, cyd) === 82)
    const [welcome] = put
    assert(welcome !== undefined && keeper.shelf.count > 0)
    await talk.say(cyd, "here by way of a keeper")
    await ordering(world, ada, "Cyd", async () =>
      (await talk.texts(ada)).includes("here by way of a keeper"),
    )
  })
})

describe("a commit that is too long for envelopes", () => {
  it("lies at peers who keep chunks for others, counts for who fetches it from there, and is brought again to a keeper who has lost it", async (t) => {
    const mesh = testMesh()
    const [keeper, other] = [await blobPeer(t, mesh), await blobPeer(t, mesh)]
    const peers = new Map<Person, typeof keeper>()
    // Eve knows a keeper only that has not got it.
    for (const name of ["Ada", "Bob", "Cyd", "Dan", "Eve"]) {
      const known = name === "Eve" ? other : keeper
      const peer = await blobPeer(t, mesh, { role: "none", bootstrap: known.addresses() })
      await untilConnected(peer, known)
      peers.set(await world.add(name), peer)
    }
    const [ada, bob, cyd, dan, eve] = peers.keys()
    assert(ada && bob && cyd && dan && eve)
    for (const each of [bob, cyd, dan, eve]) await befriendAll(world, ada, each)
    const peerOf = (person: Person) => peers.get(person) ?? assert.fail()
    const soon = AbortSignal.timeout(60_000)
    world.putPayload = (payload, by) => peerOf(by).blobs.put(payload, soon)
    const met = Promise.withResolvers<undefined>()
    let brought = 0
    // Peers tell each other of peers: until it was brought again, Eve looks for what not even the first keeper has.
    const nothing = primitives.randomBytes(32)
    world.getPayload = (ref, by) =>
      by === eve && brought === 0
        ? peerOf(by).blobs.get({ ...ref, root: nothing }, AbortSignal.timeout(500))
        : peerOf(by).blobs.get(ref, soon)
    world.blobs.bringAgain = async (ref, by) => {
      await met.promise
      await peerOf(by).blobs.bringAgain(ref, soon)
      brought++
    }
    const talk = new GroupTalk(world, "Team")
    await talk.found(ada, bob, cyd, dan, eve)
    const { thread } = talk.view(ada)
    world.farCommits = { aboveEnvelopes: 0, spreadMs: 1 }
    for (const person of world.people) {
      await person.chat.stop()
      await person.start()
    }
    await ada.chat.groupRename("Team", "Crew")
    const named = (person: Person) => person.chat.groupShow(thread).name === "Crew"
    for (const person of [ada, bob, cyd, dan])
      await ordering(world, person, "the name", () => named(person))
    assert(keeper.shelf.count > 0 && other.shelf.count === 0)
    for (const person of [ada, bob, cyd, dan]) {
      peerOf(person).reach(other.addresses())
      await untilConnected(peerOf(person), other)
    }
    met.resolve(undefined)
    await ordering(world, eve, "the name, by what was brought again", () => named(eve))
    assert(brought > 0)
    talk.name = "Crew"
    await talk.say(eve, "by way of a keeper")
    await talk.everybodyRead(ada, bob, cyd, dan)
  })
})

describe("an invitation that names a blob", () => {
  const far = (from: Person, to: Address, seed: Uint8Array) => {
    const ref = { size: 9, key: newBlobKey(), root: primitives.randomBytes(32) }
    return encodeFarHello({ from: from.address, name: from.name, since: 1, ref }, to, seed)
  }

  /** Somebody posts this as first contact to them, and they look at it. */
  async function posted(to: Person, payload: Uint8Array): Promise<void> {
    const card = world.cards.get(to.address) ?? assert.fail()
    for (const plaintext of cut(payload, INTRO_PLAINTEXT_BYTES))
      to.mailbox.take(sealIntro(meshId, card.intro, plaintext))
    const { length } = to.mailbox.arrivals
    await to.until("it was looked at", async () => (await to.followed()).arrivals >= length)
  }

  it("is fetched for a contact's sake only, and only if their card has signed it", async () => {
    const [ada, bob, eve] = [await world.add("Ada"), await world.add("Bob"), await world.add("Eve")]
    await befriendAll(world, ada, bob)
    const asked: string[] = []
    const { promise, resolve } = Promise.withResolvers<undefined>()
    world.getPayload = (ref) => {
      asked.push(Buffer.from(ref.root).toString("hex"))
      resolve(undefined)
      return Promise.resolve(new Uint8Array(9))
    }
    // A stranger; a stranger under a friend's name; a friend's, meant for somebody else.
    await posted(bob, far(eve, bob.address, eve.leaf))
    await posted(bob, far(ada, bob.address, eve.leaf))
    await posted(bob, far(ada, eve.address, ada.leaf))
    const sound = far(ada, bob.address, ada.leaf)
    await posted(bob, sound)
    await promise
    const { root } = decodeFarHello(sound).ref
    assert.deepEqual(asked, [Buffer.from(root).toString("hex")])
    await bob.until("the nonsense to be forgotten", () =>
      bob.logs.some((line) => line.includes("first contact")),
    )
  })

  it("is kept over a restart until what it names is there", async () => {
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    await befriendAll(world, ada, bob)
    const asked = Promise.withResolvers<undefined>()
    world.getPayload = () => {
      asked.resolve(undefined)
      return Promise.reject(new Error("nobody has it"))
    }
    await posted(bob, far(ada, bob.address, ada.leaf))
    await asked.promise
    await bob.chat.stop()
    const again = Promise.withResolvers<undefined>()
    world.getPayload = () => {
      again.resolve(undefined)
      return Promise.resolve(new Uint8Array(9))
    }
    await bob.start()
    await again.promise
    await bob.until("it to be looked into", () =>
      bob.logs.some((line) => line.includes("first contact")),
    )
  })

  it("is decoded strictly, and every bit of it is signed", async () => {
    const ada = await world.add("Ada")
    const leaf = primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(ada.leaf))
    const payload = far(ada, ada.address, ada.leaf)
    assert(isSignedBy(payload, ada.address, leaf))
    for (let at = 0; at < payload.length; at++) {
      const changed = payload.with(at, (payload[at] ?? 0) ^ 1)
      assert(!isSignedBy(changed, ada.address, leaf), `byte ${at}`)
    }
    strictDecoder(payload, decodeFarHello)
  })
})
