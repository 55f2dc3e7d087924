import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { Person, World } from "../../helpers/chat-world.ts"

let world: World

async function friends(): Promise<[Person, Person]> {
  world = new World()
  const ada = await world.add("Ada")
  const bob = await world.add("Bob")
  await ada.chat.addContact(bob.address, "bob")
  await bob.chat.addContact(ada.address, "ada")
  for (const [one, other] of [
    [ada, bob],
    [bob, ada],
  ] as const)
    await one.until("to be in contact", () =>
      one.chat.contacts().some((c) => c.address === other.address && c.state === "accepted"),
    )
  return [ada, bob]
}

const states = async (one: Person, other: Person) =>
  (await one.messages(other)).filter((m) => m.mine).map((m) => m.state)

/** Resolves when nothing has been written for a while: all that could happen by itself has happened. */
async function quiet(person: Person): Promise<void> {
  for (let calm = 0, writes = -1; calm < 50; calm++) {
    if (person.shelf.writes !== writes) calm = 0
    writes = person.shelf.writes
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

afterEach(async () => {
  await world.stop()
})

describe("first contact", () => {
  it("of a stranger arrives as a request, with the text, and nothing is confirmed until it is accepted", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "hello, it is me", undefined)
    await bob.until("a request", async () => (await bob.texts(ada)).length === 1)
    const [contact] = bob.chat.contacts()
    assert.deepEqual([contact?.state, contact?.name, contact?.theirName], ["request", "Ada", "Ada"])
    assert.equal(bob.chat.threads()[0]?.request, true)
    assert.equal(bob.chat.threads()[0]?.unread, 1)
    assert.deepEqual(await states(ada, bob), ["gossiped"])

    await bob.chat.accept("Ada")
    await ada.until("delivery", async () => (await states(ada, bob))[0] === "delivered")
    await bob.chat.send("Ada", "hello yourself", undefined)
    await ada.until("the answer", async () => (await ada.texts(bob)).length === 2)
    assert.deepEqual(await ada.texts(bob), ["hello, it is me", "hello yourself"])
    assert.deepEqual(await bob.texts(ada), await ada.texts(bob))
  })

  it("is not believed when the leaf key is not the one on the card of whom they claim to be", async () => {
    world = new World()
    const bob = await world.add("Bob")
    const mallory = await world.add("Mallory")
    const card = world.cards.get(mallory.address)
    assert(card)
    world.cards.set(mallory.address, { ...card, leaf: new Uint8Array(32) })
    await mallory.chat.addContact(bob.address, "bob")
    await mallory.until("to have posted", () => bob.mailbox.arrivals.length > 0)
    await bob.until("the fraud to be dropped", () => [...bob.shelf.rows.keys()].length > 0)
    await bob.chat.stop()
    assert.deepEqual(bob.chat.contacts(), [])
    assert.deepEqual(bob.chat.threads(), [])
    await bob.start()
  })

  it("that is accepted twice at once changes keys once, and both go on reading", async () => {
    world = new World()
    const ada = await world.add("Ada")
    const bob = await world.add("Bob")
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "hello, it is me", undefined)
    await bob.until("a request", async () => (await bob.texts(ada)).length === 1)
    // Whatever is sealed waits for its admission; the last is admitted when the others have long arrived.
    const gates: PromiseWithResolvers<undefined>[] = []
    world.admission = () => {
      const gate = Promise.withResolvers<undefined>()
      gates.push(gate)
      return gate.promise
    }
    await Promise.all([bob.chat.accept("Ada"), bob.chat.accept("Ada")])
    await quiet(bob)
    world.admission = () => Promise.resolve()
    const last = gates.pop()
    for (const gate of gates) gate.resolve(undefined)
    await quiet(bob)
    last?.resolve(undefined)
    const wanted = ["hello, it is me"]
    for (let i = 0; i < 3; i++) {
      const [from, to] = i % 2 === 0 ? [bob, ada] : [ada, bob]
      await from.chat.send(to.address, `text ${i}`, undefined)
      wanted.push(`text ${i}`)
      await to.until(`text ${i}`, async () => (await to.texts(from)).length === wanted.length)
    }
    assert.deepEqual(await ada.texts(bob), wanted)
    assert.deepEqual(await bob.texts(ada), wanted)
  })

  it("by both sides at once ends in one thread that both read and write", async () => {
    const [ada, bob] = await friends()
    await Promise.all([
      ada.chat.send("bob", "from ada", undefined),
      bob.chat.send("ada", "from bob", undefined),
    ])
    for (const one of [ada, bob])
      await one.until(
        "both texts",
        async () => (await one.texts(one === ada ? bob : ada)).length === 2,
      )
    assert.deepEqual(await ada.texts(bob), await bob.texts(ada))
    assert.equal(ada.chat.threads().length, 1)
  })

  it("of someone blocked is nothing at all", async () => {
    const [ada, bob] = await friends()
    await bob.chat.block("ada")
    await ada.chat.send("bob", "are you there?", undefined)
    await ada.until("it to be out", async () => (await states(ada, bob))[0] === "gossiped")
    await bob.until(
      "the envelope",
      () => bob.mailbox.arrivals.length === ada.mailbox.arrivals.length,
    )
    assert.deepEqual(await bob.texts(ada), [])
    await assert.rejects(bob.chat.send("ada", "no", undefined), { code: "BLOCKED_CONTACT" })
  })

  it("of someone blocked who started over is a channel, and both read it once they are let in again", async () => {
    const [ada, bob] = await friends()
    await ada.chat.send("bob", "before", undefined)
    await bob.until("the first", async () => (await bob.texts(ada)).length === 1)
    await bob.chat.block("ada")
    await ada.chat.remove("bob")
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "are you there?", undefined)
    await ada.until("it to be out", async () => (await states(ada, bob))[0] === "gossiped")
    await quiet(bob)
    assert.deepEqual(await bob.texts(ada), ["before"])
    await bob.chat.addContact(ada.address, "ada")
    await ada.chat.send("bob", "and now?", undefined)
    await bob.until("the question", async () => (await bob.texts(ada)).includes("and now?"))
    await bob.chat.send("ada", "now I am", undefined)
    await ada.until("the answer", async () => (await ada.texts(bob)).includes("now I am"))
    assert.deepEqual(await bob.texts(ada), ["before", "and now?", "now I am"])
  })
})

describe("texts", () => {
  it("come once and in order, whatever the order of their envelopes", async () => {
    const [ada, bob] = await friends()
    await ada.chat.send("bob", "first", undefined)
    await bob.until("the first", async () => (await bob.texts(ada)).length === 1)
    world.held = []
    const sent = Array.from({ length: 25 }, (_, i) => `text ${i}: ${"x".repeat(900)}`)
    for (const text of sent) await ada.chat.send("bob", text, undefined)
    await ada.until("all to be sealed", () => (world.held?.length ?? 0) >= 13)
    await ada.until("nothing left in line", () => ada.chat.unsent <= (world.held?.length ?? 0))
    world.release((held) => [...held, ...held].reverse())
    await bob.until("all", async () => (await bob.texts(ada)).length === 26)
    assert.deepEqual(await bob.texts(ada), ["first", ...sent])
    ada.chat.peersChanged()
    await ada.until("all delivered", async () =>
      (await states(ada, bob)).every((s) => s === "delivered"),
    )
  })

  it("longer than an envelope are cut and joined; longer than eight are refused with a sentence", async () => {
    const [ada, bob] = await friends()
    const long = "ü".repeat(8_000)
    await ada.chat.send("bob", long, undefined)
    await bob.until("the long text", async () => (await bob.texts(ada)).length === 1)
    assert.deepEqual(await bob.texts(ada), [long])
    await assert.rejects(ada.chat.send("bob", "x".repeat(16_001), undefined), {
      code: "MESSAGE_TOO_LONG",
    })
    await assert.rejects(ada.chat.send("bob", "  ", undefined), { code: "MESSAGE_EMPTY" })
    await assert.rejects(ada.chat.send("nobody", "hi", undefined), { code: "UNKNOWN_CONTACT" })
  })

  it("sent twice with one id are one", async () => {
    const [ada, bob] = await friends()
    const id = "ab".repeat(16)
    const one = await ada.chat.send("bob", "once", id)
    const two = await ada.chat.send("bob", "once", id)
    assert.equal(one.position, two.position)
    await bob.until("it", async () => (await bob.texts(ada)).length > 0)
    await ada.until("delivery", async () => (await states(ada, bob))[0] === "delivered")
    assert.deepEqual(await bob.texts(ada), ["once"])
  })

  it("a hundred sent while the other is away are all there when they come back", async () => {
    const [ada, bob] = await friends()
    bob.isAway = true
    const sent = Array.from({ length: 100 }, (_, i) => `while you were out ${i}`)
    for (const text of sent) await ada.chat.send("bob", text, undefined)
    await ada.until("nothing left in line", async () => {
      const envelopes = ada.mailbox.arrivals.length
      return ada.chat.unsent <= envelopes && (await ada.texts(bob)).length === 100
    })
    await bob.chat.stop()
    await bob.start()
    world.catchUp(bob)
    ada.chat.peersChanged()
    await bob.until("all of them", async () => {
      world.catchUp(bob)
      return (await bob.texts(ada)).length === 100
    })
    assert.deepEqual(await bob.texts(ada), sent)
  })

  it("more than any window holds, all there at once, are read in their order", async () => {
    const [ada, bob] = await friends()
    await bob.chat.stop()
    bob.isAway = true
    const sent = Array.from({ length: 200 }, (_, i) => `text ${i} `.padEnd(1_000, "z"))
    await Promise.all(sent.map((text) => ada.chat.send("bob", text, undefined)))
    await ada.until("nothing left in line", () => ada.mailbox.arrivals.length >= 200)
    world.catchUp(bob)
    await bob.start()
    await bob.until("all of them", async () => (await bob.texts(ada)).length === 200)
    const arrived = bob.events.flatMap((event) =>
      event.type === "message" && event.message.text.startsWith("text") ? [event.message.text] : [],
    )
    assert.deepEqual(arrived, sent)
  })

  it("unread counts and read marks survive a restart", async () => {
    const [ada, bob] = await friends()
    for (const text of ["one", "two", "three"]) await ada.chat.send("bob", text, undefined)
    await bob.until("three", async () => (await bob.texts(ada)).length === 3)
    assert.equal(bob.chat.threads()[0]?.unread, 3)
    const [, second] = await bob.messages(ada)
    assert(second)
    await bob.chat.read("ada", second.position)
    assert.equal(bob.chat.threads()[0]?.unread, 1)
    await bob.chat.stop()
    await bob.start()
    assert.equal(bob.chat.threads()[0]?.unread, 1)
  })
})

describe("a process killed at any instruction", () => {
  it("as the sender loses nothing that was queued and never sends a text twice", async () => {
    for (const crashAfter of [1, 2, 3, 4, 5, 6, 8, 11]) {
      const [ada, bob] = await friends()
      ada.shelf.crashAt = ada.shelf.writes + crashAfter
      const queued: string[] = []
      for (let i = 0; i < 6; i++) {
        try {
          await ada.chat.send("bob", `text ${i}`, undefined)
          queued.push(`text ${i}`)
        } catch {
          break
        }
      }
      await ada.until("the crash", () => ada.isDead || queued.length === 6)
      ada.kill()
      await ada.start()
      await bob.until(
        `what was queued (${crashAfter})`,
        async () => (await bob.texts(ada)).length >= queued.length,
      )
      await ada.chat.send("bob", "the end", undefined)
      await bob.until("the end", async () => (await bob.texts(ada)).includes("the end"))
      const texts = await bob.texts(ada)
      assert.deepEqual(texts.slice(0, queued.length), queued, `crash after ${crashAfter} writes`)
      assert.equal(new Set(texts).size, texts.length, "no text twice")
      await world.stop()
    }
    world = new World()
  })

  it("with many texts on their way at once loses none that was taken, and sends none twice", async () => {
    for (const crashAfter of [1, 2, 3, 4, 5, 6, 7, 9]) {
      const [ada, bob] = await friends()
      ada.shelf.crashAt = ada.shelf.writes + crashAfter
      const texts = Array.from({ length: 40 }, (_, i) => `text ${i} `.padEnd(500, "y"))
      const asked = await Promise.allSettled(
        texts.map((text) => ada.chat.send("bob", text, undefined)),
      )
      const taken = texts.filter((_, i) => asked[i]?.status === "fulfilled")
      ada.kill()
      await ada.start()
      await bob.until(`what was taken (${crashAfter})`, async () => {
        const there = new Set(await bob.texts(ada))
        return taken.every((text) => there.has(text))
      })
      await ada.chat.send("bob", "the end", undefined)
      await bob.until("the end", async () => (await bob.texts(ada)).includes("the end"))
      const seen = await bob.texts(ada)
      assert.equal(new Set(seen).size, seen.length, "no text twice")
      assert.deepEqual(
        seen.filter((text) => taken.includes(text)),
        taken,
      )
      await world.stop()
    }
    world = new World()
  })

  it("leaves no gap that nobody could bridge, however much was sealed and had not left, and however often", async () => {
    const [ada, bob] = await friends()
    await ada.chat.send("bob", "before", undefined)
    await bob.until("the first", async () => (await bob.texts(ada)).length === 1)
    await ada.until("nothing left to send", () => ada.chat.unsent === 0)
    await quiet(ada)
    const sent = Array.from({ length: 10 }, (_, i) => `text ${i} `.padEnd(15_000, "y"))
    for (let life = 0; life < 3; life++) {
      let sealed = 0
      ada.admit = () => {
        sealed++
        return new Promise(() => undefined)
      }
      if (ada.isRunning) ada.kill()
      await ada.start()
      if (life === 0) for (const text of sent) await ada.chat.send("bob", text, undefined)
      await ada.until("texts to be sealed", () => sealed >= (life === 0 ? 1 : 14))
      // What is read in between is written together with the channel as it is by then.
      await bob.chat.send("ada", `hurry ${life}`, undefined)
      await ada.until("the channel to be written", async () =>
        (await ada.texts(bob)).includes(`hurry ${life}`),
      )
      ada.kill()
    }
    ada.admit = (envelope) => Promise.resolve(envelope)
    await ada.start()
    await bob.until("all", async () => {
      const texts = await bob.texts(ada)
      return sent.every((text) => texts.includes(text))
    })
    assert.deepEqual(await bob.texts(ada), await ada.texts(bob))
  })

  it("as the recipient reads on exactly where it was", async () => {
    for (const crashAfter of [1, 2, 3, 5, 8, 13]) {
      const [ada, bob] = await friends()
      bob.shelf.crashAt = bob.shelf.writes + crashAfter
      const sent = Array.from({ length: 12 }, (_, i) => `text ${i} ${"y".repeat(i * 400)}`)
      for (const text of sent) await ada.chat.send("bob", text, undefined)
      await ada.until("nothing left in line", () => ada.chat.unsent === 0)
      bob.kill()
      await bob.start()
      await bob.until("all", async () => (await bob.texts(ada)).length === sent.length)
      assert.deepEqual(await bob.texts(ada), sent, `crash after ${crashAfter} writes`)
      await ada.until("receipts", async () =>
        (await states(ada, bob)).every((s) => s === "delivered"),
      )
      await world.stop()
    }
    world = new World()
  })
})

describe("first contact, when either side is killed in the middle of it", () => {
  for (const who of ["ada", "bob"] as const)
    it(`(${who}) ends as if nothing had happened`, async () => {
      for (const crashAfter of [1, 2, 3, 4, 5, 6, 7, 9]) {
        world = new World()
        const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
        const victim = who === "ada" ? ada : bob
        victim.shelf.crashAt = victim.shelf.writes + crashAfter
        const attempt = async (one: Person, other: Person) => {
          await one.chat.addContact(other.address, other.name).catch(() => assert(one.isDead))
        }
        await attempt(ada, bob)
        await attempt(bob, ada)
        // as far as it gets without the victim
        await new Promise((resolve) => setTimeout(resolve, 50))
        victim.kill()
        await victim.start()
        await attempt(ada, bob)
        await attempt(bob, ada)
        for (const [one, other] of [
          [ada, bob],
          [bob, ada],
        ] as const) {
          await one.chat.send(other.address, `${one.name} is here`, undefined)
          await other.until(`${one.name}'s text (${crashAfter})`, async () =>
            (await other.texts(one)).includes(`${one.name} is here`),
          )
        }
        assert.deepEqual(await ada.texts(bob), await bob.texts(ada))
        await world.stop()
      }
      world = new World()
    })
})

describe("a key update that arrives", () => {
  it("counts also for who is killed while reading it", async () => {
    for (const crashAfter of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
      world = new World()
      const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
      await ada.chat.addContact(bob.address, "bob")
      await ada.chat.send("bob", "may I?", undefined)
      await bob.until("the request", async () => (await bob.texts(ada)).length === 1)
      await ada.until("everything to be out", () => ada.chat.unsent === 0)
      ada.shelf.crashAt = ada.shelf.writes + crashAfter
      await bob.chat.accept(ada.address)
      await bob.until("the update to be out", () => bob.chat.unsent === 0)
      await bob.chat.send(ada.address, "you may", undefined)
      await bob.until("the answer to be out", () => bob.chat.unsent === 0)
      await ada.until("the crash", async () => ada.isDead || (await ada.texts(bob)).length === 2)
      ada.kill()
      await ada.start()
      await ada.until(`the answer (${crashAfter})`, async () => (await ada.texts(bob)).length === 2)
      await bob.chat.send(ada.address, "are you there?", undefined)
      await ada.until("the question", async () => (await ada.texts(bob)).length === 3)
      await world.stop()
    }
    world = new World()
  })
})

describe("when something fails for a while", () => {
  it("as admission does, what was sealed goes out later, and no gap is left that nobody could bridge", async () => {
    const [ada, bob] = await friends()
    await ada.chat.send("bob", "before", undefined)
    await bob.until("the first", async () => (await bob.texts(ada)).length === 1)
    const admit = ada.admit
    let failed = 0
    ada.admit = () => {
      failed++
      return Promise.reject(new Error("no work is done today"))
    }
    const sent = Array.from({ length: 40 }, (_, i) => `text ${i}`)
    for (const [i, text] of sent.entries()) {
      await ada.chat.send("bob", text, undefined)
      await ada.until("an attempt", () => failed > i)
    }
    ada.admit = admit
    await ada.chat.send("bob", "after", undefined)
    await bob.until("all", async () => (await bob.texts(ada)).length === 42)
    assert.deepEqual(await bob.texts(ada), ["before", ...sent, "after"])
  })

  it("a removed contact takes along what was still to be sent to them", async () => {
    world = new World()
    const [ada, bob] = [await world.add("Ada"), await world.add("Bob")]
    const card = world.cards.get(bob.address) ?? assert.fail()
    world.cards.delete(bob.address)
    await ada.chat.addContact(bob.address, "bob")
    const rows = ada.shelf.rows.size
    await ada.chat.send("bob", "said in anger", undefined)
    assert.equal(ada.chat.unsent, 1)
    await ada.chat.remove("bob")
    assert.equal(ada.chat.unsent, 0)
    assert(ada.shelf.rows.size < rows)
    world.cards.set(bob.address, card)
    await ada.chat.stop()
    await ada.start()
    await ada.chat.addContact(bob.address, "bob")
    await ada.chat.send("bob", "said after a walk", undefined)
    await bob.until("a text", async () => (await bob.texts(ada)).length > 0)
    await ada.until("nothing left to send", () => ada.chat.unsent === 0)
    assert.deepEqual(await bob.texts(ada), ["said after a walk"])
  })
})

describe("what a carrier gets", () => {
  it("is envelopes of 4096 bytes in which neither address, name nor text appears, and no two share a field", async () => {
    const [ada, bob] = await friends()
    for (const text of ["the quick brown fox", "the quick brown fox"])
      await ada.chat.send("bob", text, undefined)
    await bob.until("both", async () => (await bob.texts(ada)).length === 2)
    const seen = new Set<string>()
    for (const { bytes } of ada.mailbox.arrivals) {
      assert.equal(bytes.length, 4096)
      const haystack = Buffer.from(bytes)
      for (const needle of ["quick brown", "Ada", "Bob", ada.address, bob.address])
        assert.equal(haystack.includes(needle), false)
      for (let at = 384; at + 16 <= 4096; at += 16) {
        const field = haystack.subarray(at, at + 16).toString("hex")
        assert(!seen.has(field))
        seen.add(field)
      }
    }
  })
})
