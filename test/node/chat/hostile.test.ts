/** What strangers and members can send that nobody with manners would: it costs them their own words, and nobody else anything. */
import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import fc from "fast-check"
import { openChannel, sealMessage } from "../../../src/chat/channel.ts"
import { HELD_PER_MEMBER_MAX } from "../../../src/chat/commits.ts"
import { LAMPORT_MAX, SENT_AT_MAX_MS } from "../../../src/chat/content.ts"
import { encodeHello } from "../../../src/chat/hello.ts"
import { addressBytes } from "../../../src/crypto/address.ts"
import { type Bytes, concat, fromHex, Writer } from "../../../src/crypto/bytes.ts"
import { INTRO_PLAINTEXT_BYTES, THREAD_PLAINTEXT_BYTES } from "../../../src/crypto/envelope.ts"
import { cut, TRANSFER_ID_BYTES } from "../../../src/crypto/fragment.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import { addMembers, removeMembers, updateSelf } from "../../../src/crypto/session.ts"
import { UNTRUSTED_MAX } from "../../../src/node/chat/first-contact.ts"
import { PARTIALS_MAX } from "../../../src/node/chat/partials.ts"
import { makeIdentity, meshId, type Person, World } from "../../helpers/chat-world.ts"
import { Rogue } from "../../helpers/rogue.ts"
import { found, tracesOf } from "../../helpers/traces.ts"

let world: World
let bob: Person
let mallory: Rogue

beforeEach(async () => {
  world = new World()
  bob = await world.add("Bob")
  mallory = await Rogue.join(world)
})

afterEach(async () => {
  await world.stop()
  const traces = [mallory, ...world.people].flatMap(({ address }) => [
    ...tracesOf("address", address),
    ...tracesOf("address", addressBytes(address)),
  ])
  const logged = world.people.flatMap(({ logs }) => logs).join("\n")
  assert.deepEqual(found("the log", Buffer.from(logged), traces), [])
  assert.doesNotMatch(logged, /assertion|TypeError|stopped/)
})

const deliver = (envelopes: readonly Bytes[]) => {
  for (const envelope of envelopes) bob.mailbox.take(envelope)
}

const texts = async () => {
  if (!bob.chat.contacts().some(({ address }) => address === mallory.address)) return []
  return (await bob.chat.page(mallory.address, undefined, 500)).messages.map(({ text }) => text)
}

/** Everything delivered so far was read, and what Mallory says properly still arrives. */
async function stillReads(text: string): Promise<void> {
  deliver(await mallory.says(text))
  await bob.until(`"${text}"`, async () => (await texts()).includes(text))
}

/** Reading got as far as the last arrival. */
async function readAll(person: Person): Promise<void> {
  const probe = await Rogue.join(world, "Probe")
  const before = person.chat.contacts().length
  for (const envelope of await probe.hello(person)) person.mailbox.take(envelope)
  await person.until("the probe", () => person.chat.contacts().length > before)
  await person.chat.remove(probe.address)
}

const fragment = (index: number, count: number, data: Bytes, transfer: Bytes, size: number) => {
  const head = new Writer().u8(1).raw(transfer).u8(index).u8(count).bytes(data, 2).finish()
  return concat(head, new Uint8Array(Math.max(0, size - head.length))).subarray(0, size)
}

const THREAD_ROOM = THREAD_PLAINTEXT_BYTES - 13
const INTRO_ROOM = INTRO_PLAINTEXT_BYTES - 13

describe("a member who seals garbage under their own valid tags", () => {
  it("is ignored, whatever it is, and what they say properly afterwards is read", async () => {
    await mallory.befriend(bob)
    const bytes = (max: number) => fc.uint8Array({ maxLength: max })
    const misdeed = fc.oneof(
      fc.record({ what: fc.constant("plaintext" as const), with: bytes(64) }),
      fc.record({ what: fc.constant("message" as const), with: bytes(5_000) }),
      fc.record({ what: fc.constant("contents" as const), with: bytes(300) }),
      fc.record({ what: fc.constant("cut" as const), with: fc.nat(2_000) }),
      fc.record({
        what: fc.constant("flip" as const),
        with: fc.nat(100_000),
      }),
      fc.record({
        what: fc.constant("fragment" as const),
        with: fc.tuple(fc.nat(9), fc.nat(9), fc.nat(2), bytes(40)),
      }),
    )
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(misdeed, { minLength: 1, maxLength: 6 }), async (misdeeds) => {
        for (const each of misdeeds) {
          switch (each.what) {
            case "plaintext":
              deliver([mallory.plaintext(padded(each.with))])
              break
            case "message":
              deliver(mallory.message(each.with))
              break
            case "contents":
              deliver(mallory.message(await mallory.application(each.with)))
              break
            case "cut": {
              const message = await mallory.honestMessage()
              deliver(mallory.message(message.subarray(0, each.with % message.length)))
              break
            }
            case "flip": {
              const message = await mallory.honestMessage()
              const bit = each.with % (8 * message.length)
              message[bit >> 3]! ^= 1 << (bit & 7)
              deliver(mallory.message(message))
              break
            }
            case "fragment": {
              const [index, count, transfer, data] = each.with
              const id = new Uint8Array(TRANSFER_ID_BYTES).fill(transfer)
              deliver([mallory.plaintext(fragment(index, count, data, id, THREAD_PLAINTEXT_BYTES))])
            }
          }
        }
        await stillReads(`round ${++round}`)
      }),
      { numRuns: 25 },
    )
    assert.deepEqual(
      (await texts()).filter((text) => !text.startsWith("round")),
      [],
    )
  })

  it("cannot complete a payload by contradicting its first fragment", async () => {
    await mallory.befriend(bob)
    const [first, second] = cut(
      await mallory.application(new Uint8Array(2_500)),
      THREAD_PLAINTEXT_BYTES,
    )
    assert(first && second)
    const transfer = first.slice(1, 9)
    deliver([mallory.plaintext(first), mallory.plaintext(first)])
    for (const count of [3, 8])
      deliver([
        mallory.plaintext(
          fragment(1, count, new Uint8Array(THREAD_ROOM), transfer, THREAD_PLAINTEXT_BYTES),
        ),
      ])
    deliver([mallory.plaintext(second)])
    await stillReads("and yet")
  })

  it("leaves no more half-made payloads behind than there is room for, before and after a restart", async () => {
    await mallory.knock(bob)
    await stillReads("before")
    const rows = bob.shelf.rows.size
    for (const round of [1, 2]) {
      for (let i = 0; i < PARTIALS_MAX + 20; i++) {
        const full = new Uint8Array(THREAD_ROOM)
        const transfer = primitives.randomBytes(TRANSFER_ID_BYTES)
        deliver([mallory.plaintext(fragment(0, 2, full, transfer, THREAD_PLAINTEXT_BYTES))])
      }
      await stillReads(`after ${round}`)
      await readAll(bob)
      const left = bob.shelf.rows.size - rows
      assert(left >= PARTIALS_MAX, `${left} rows: the payloads were kept at all`)
      // one for the pieces, one for what brought them
      assert(left <= 2 * PARTIALS_MAX + 5 * round, `${left} more rows than before`)
      await bob.chat.stop()
      await bob.start()
    }
    await bob.chat.remove(mallory.address)
    await bob.chat.stop()
    await bob.start()
    assert(bob.shelf.rows.size < rows, "nothing of it outlives the contact")
  })
})

const padded = (bytes: Bytes) =>
  concat(bytes, new Uint8Array(THREAD_PLAINTEXT_BYTES - bytes.length))

describe("a member who lies in what they say", () => {
  it("about the clock moves it a little at most, and the thread goes on in order", async () => {
    await mallory.befriend(bob)
    deliver(await mallory.contents([mallory.text("from the future", { lamport: LAMPORT_MAX })]))
    await bob.until("it", async () => (await texts()).length === 1)
    const answer = await bob.chat.send(mallory.address, "back to now", undefined)
    const lamport = Number.parseInt(answer.position.slice(2, 14), 16)
    assert(lamport <= 2 ** 21, `the clock stands at ${lamport}`)
    assert.deepEqual(await texts(), ["from the future", "back to now"])
  })

  it("about the time says none that a screen could not show", async () => {
    await mallory.befriend(bob)
    for (const sentAtMs of [SENT_AT_MAX_MS + 1, Number.MAX_SAFE_INTEGER])
      deliver(await mallory.contents([mallory.text("no such day", { sentAtMs })]))
    deliver(await mallory.contents([mallory.text("the last day", { sentAtMs: SENT_AT_MAX_MS })]))
    await bob.until("the last day", async () => (await texts()).length > 0)
    const { messages } = await bob.chat.page(mallory.address, undefined, 10)
    assert.deepEqual(
      messages.map(({ text }) => text),
      ["the last day"],
    )
    for (const { sentAtMs } of messages) new Date(sentAtMs).toISOString()
  })

  it("about a receipt for what was never theirs proves nothing", async () => {
    const ada = await world.add("Ada")
    await bob.chat.addContact(ada.address, "ada")
    await mallory.befriend(bob)
    ada.isAway = true
    const { id } = await bob.chat.send("ada", "for Ada alone", undefined)
    const ids = [fromHex(id), primitives.randomBytes(16)]
    deliver(await mallory.contents([{ kind: "receipt", ids }]))
    await stillReads("did you see my receipt?")
    const { messages } = await bob.chat.page("ada", undefined, 10)
    assert.deepEqual(
      messages.map(({ state }) => state === "delivered"),
      [false],
    )
  })

  it("about an id that another message has replaces and hides nothing", async () => {
    await mallory.befriend(bob)
    const ada = await world.add("Ada")
    await ada.chat.addContact(bob.address, "bob")
    await bob.chat.addContact(ada.address, "ada")
    const { id } = await ada.chat.send("bob", "the original", undefined)
    await bob.until("the original", async () => (await bob.texts(ada)).length === 1)
    const own = await bob.chat.send("ada", "my own", undefined)
    for (const taken of [id, own.id])
      deliver(await mallory.contents([mallory.text("a forgery", { id: fromHex(taken) })]))
    const twice = mallory.text("once")
    deliver(await mallory.contents([twice, twice]))
    deliver(await mallory.contents([twice]))
    await stillReads("that was all")
    assert.deepEqual(await texts(), ["once", "that was all"])
    assert.deepEqual(await bob.texts(ada), ["the original", "my own"])
  })

  it("about their name takes nobody else's", async () => {
    const ada = await world.add("Ada")
    await bob.chat.addContact(ada.address, "ada")
    await mallory.befriend(bob)
    for (const name of ["ada", "ada", "", " ", "x".repeat(64)])
      deliver(await mallory.contents([{ kind: "profile", name }]))
    await stillReads("call me what you like")
    const names = bob.chat.contacts().map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
    assert.equal(bob.chat.contacts().find(({ name }) => name === "ada")?.address, ada.address)
  })
})

describe("a member who commits", () => {
  it("over and over is followed, and costs no more than the epochs that are kept", async () => {
    await mallory.knock(bob)
    await stillReads("first epoch")
    const rows = bob.shelf.rows.size
    for (let i = 0; i < 8; i++) {
      const { commit, next } = await updateSelf(mallory.channel.state)
      const envelopes = mallory.message(commit)
      await mallory.enters(next)
      deliver(envelopes)
      await stillReads(`epoch ${i}`)
    }
    // The text, the way from its id, that it is unread, and what shows it to others.
    assert(bob.shelf.rows.size <= rows + 4 * 9)
  })

  it("twice in one epoch loses the second, and whoever adds or removes is not followed", async () => {
    await mallory.knock(bob)
    const { state } = mallory.channel
    const { card } = await makeIdentity("Eve")
    const now = Math.floor(Date.now() / 1000)
    const alien = [
      (await removeMembers(state, [1])).commit,
      (await addMembers(state, [card.lastResort], now)).commit,
      ...(await Promise.all(
        Array.from({ length: HELD_PER_MEMBER_MAX + 2 }, () => mallory.honestMessage()),
      )),
    ]
    for (const message of alien.slice(0, 2)) deliver(mallory.message(message))
    await stillReads("still two of us")
    const won = await updateSelf(mallory.channel.state)
    const lost = await updateSelf(mallory.channel.state)
    deliver(mallory.message(won.commit))
    deliver(mallory.message(lost.commit))
    await mallory.enters(won.next)
    await stillReads("the first one counts")
  })

  it("and goes on in an epoch of their own is not heard there, and nobody else is disturbed", async () => {
    await mallory.knock(bob)
    const ada = await world.add("Ada")
    await ada.chat.addContact(bob.address, "bob")
    const { next } = await updateSelf(mallory.channel.state)
    const astray = await openChannel(next, mallory.channel)
    deliver([...sealMessage(astray, meshId, await mallory.honestMessage()).envelopes])
    await ada.chat.send("bob", "undisturbed", undefined)
    await bob.until("Ada", async () => (await bob.texts(ada)).length === 1)
    assert.deepEqual(await texts(), [])
  })
})

describe("an envelope that comes again", () => {
  it("with another admission, or the same, says nothing twice", async () => {
    await mallory.befriend(bob)
    const envelopes = [...(await mallory.says("once")), ...(await mallory.says("upon a time"))]
    deliver(envelopes)
    await bob.until("both", async () => (await texts()).length === 2)
    for (const [i, envelope] of [...envelopes, ...envelopes].entries()) {
      const altered = envelope.slice()
      altered.set(primitives.randomBytes(40), 1)
      bob.mailbox.take(i % 2 === 0 ? altered : envelope, { again: true })
    }
    await stillReads("the end")
    await bob.chat.stop()
    await bob.start()
    assert.deepEqual(await texts(), ["once", "upon a time", "the end"])
  })

  it("with its body altered under the same tag does not use the tag up", async () => {
    await mallory.befriend(bob)
    const [envelope] = await mallory.says("the real one")
    assert(envelope)
    const altered = envelope.slice()
    altered[4095]! ^= 1
    deliver([altered, envelope])
    await bob.until("the real one", async () => (await texts()).length === 1)
  })
})

describe("a stranger", () => {
  it("who floods with first contacts that never end leaves only so many, over restarts too", async () => {
    const rows = bob.shelf.rows.size
    for (const round of [1, 2]) {
      for (let i = 0; i < PARTIALS_MAX + 10; i++) {
        const full = new Uint8Array(INTRO_ROOM)
        const transfer = primitives.randomBytes(TRANSFER_ID_BYTES)
        const plaintext = fragment(0, 8, full, transfer, INTRO_PLAINTEXT_BYTES)
        deliver([mallory.introPlaintext(bob, plaintext)])
      }
      await readAll(bob)
      const left = bob.shelf.rows.size - rows
      assert(left >= PARTIALS_MAX && left <= PARTIALS_MAX + 2, `${left} rows in round ${round}`)
      await bob.chat.stop()
      await bob.start()
    }
  })

  it("who sends garbage as a first contact is nobody", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 4_000 }), { minLength: 1, maxLength: 4 }),
        async (payloads) => {
          for (const payload of payloads) {
            deliver(mallory.intro(bob, payload))
            const welcome = encodeHello({
              from: mallory.address,
              name: "M",
              welcome: payload,
              group: null,
            })
            deliver(mallory.intro(bob, welcome))
            const head = new Uint8Array(INTRO_PLAINTEXT_BYTES)
            head.set(payload.subarray(0, INTRO_PLAINTEXT_BYTES))
            deliver([mallory.introPlaintext(bob, head)])
          }
          await readAll(bob)
        },
      ),
      { numRuns: 5 },
    )
    assert.deepEqual(bob.chat.contacts(), [])
  })

  it("who invites somebody else's key package, or claims to be somebody else, is not let in", async () => {
    const ada = await world.add("Ada")
    const invited = world.cards.get(ada.address) ?? assert.fail()
    deliver(await mallory.hello(bob, { invited }))
    deliver(await mallory.hello(bob, { from: ada.address }))
    deliver(await mallory.hello(bob, { from: bob.address }))
    await readAll(bob)
    assert.deepEqual(bob.chat.contacts(), [])
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "this one is mine", undefined)
    await bob.until("Ada herself", async () => (await bob.texts(ada)).length === 1)
  })

  it("whom nobody can vouch for waits among a bounded number, and the next one is still let in", async () => {
    const claims = Array.from({ length: UNTRUSTED_MAX + 6 }, () => mallory.hello(bob))
    world.cards.delete(mallory.address)
    const rows = bob.shelf.rows.size
    for (const claim of claims) deliver(await claim)
    await readAll(bob)
    const left = bob.shelf.rows.size - rows
    // a channel is two records
    assert(left > UNTRUSTED_MAX && left <= 2 * UNTRUSTED_MAX + 2, `${left} rows`)
    const ada = await world.add("Ada")
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "room for me?", undefined)
    await bob.until("Ada", async () => (await bob.texts(ada)).length === 1)
  })

  it("who introduces themselves again and again is one contact with a few channels", async () => {
    await mallory.knock(bob)
    await stillReads("the first time")
    const rows = bob.shelf.rows.size
    for (let i = 0; i < 20; i++) deliver(await mallory.hello(bob))
    await stillReads("the last time")
    assert(bob.shelf.rows.size <= rows + 20, `${bob.shelf.rows.size - rows} more rows`)
    assert.equal(bob.chat.contacts().length, 1)
    assert.equal(bob.chat.threads().length, 1)
  })

  it("who was blocked can introduce themselves again and again, and leaves nothing but a bounded number of channels", async () => {
    await mallory.befriend(bob)
    await stillReads("hello")
    await bob.chat.block(mallory.address)
    deliver(await mallory.says("let me in"))
    const rows = bob.shelf.rows.size
    for (let i = 0; i < 20; i++) deliver(await mallory.hello(bob))
    deliver(await mallory.says("it is me again"))
    await readAll(bob)
    assert.deepEqual(await texts(), ["hello"])
    assert(bob.shelf.rows.size <= rows + 2 * 8, `${bob.shelf.rows.size - rows} more rows`)
    assert.equal(bob.chat.contacts()[0]?.state, "blocked")
  })
})

describe("a directory that lies", () => {
  it("with another person's card, or a card with another's key package, or rubbish, invites nobody wrong", async () => {
    const ada = await world.add("Ada")
    const real = world.cards.get(ada.address) ?? assert.fail()
    const rubbish = new Uint8Array(2_000)
    const lies = [
      mallory.card,
      { ...real, lastResort: mallory.card.lastResort },
      { ...real, lastResort: rubbish },
      { ...real, leaf: mallory.card.leaf },
    ]
    world.findCard = (address) => {
      if (address !== ada.address) return Promise.resolve(world.cards.get(address))
      return Promise.resolve(lies.shift() ?? real)
    }
    await bob.chat.addContact(ada.address, "ada")
    await bob.chat.send("ada", "only for Ada", undefined)
    await bob.until("the truth", async () => {
      bob.chat.peersChanged()
      return (await ada.texts(bob)).length === 1
    })
    assert.equal(lies.length, 0)
  })

  it("and vouches for whoever claims to be Ada with Mallory's card is not believed", async () => {
    const ada = await world.add("Ada")
    world.findCard = () => Promise.resolve(mallory.card)
    deliver(await mallory.hello(bob, { from: ada.address }))
    await bob.until("the lie to be looked up", () => bob.mailbox.arrivals.length > 0)
    world.findCard = (address) => Promise.resolve(world.cards.get(address))
    await readAll(bob)
    assert.deepEqual(bob.chat.contacts(), [])
  })
})
