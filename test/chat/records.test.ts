import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  added,
  decodeContact,
  encodeContact,
  freeName,
  introduced,
} from "../../src/chat/contact.ts"
import {
  type Content,
  contentBytes,
  decodeContents,
  encodeContents,
  LAMPORT_MAX,
  takeFitting,
} from "../../src/chat/content.ts"
import type { Notice } from "../../src/chat/notice.ts"
import { DELIVERIES, further } from "../../src/chat/delivery.ts"
import {
  decodeCarriers,
  decodeEvidence,
  encodeCarriers,
  encodeEvidence,
} from "../../src/chat/evidence.ts"
import { decodeHello, encodeHello } from "../../src/chat/hello.ts"
import {
  advanceLamport,
  type ChatMessage,
  decodeMessage,
  encodeMessage,
  PLAIN,
  positionOf,
} from "../../src/chat/message.ts"
import { addressFromBytes } from "../../src/crypto/address.ts"
import { compare, utf8 } from "../../src/crypto/bytes.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const id = fc.uint8Array({ minLength: 16, maxLength: 16 })
const text = fc.string({ unit: "grapheme", maxLength: 80 })
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("text" as const),
      id,
      sentAtMs: fc.nat(2 ** 41),
      lamport: fc.integer({ min: 0, max: LAMPORT_MAX }),
      text,
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant("receipt" as const),
      ids: fc.array(id, { minLength: 1, maxLength: 100 }),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constant("profile" as const), name: fc.string({ maxLength: 16 }) },
    { noNullPrototype: true },
  ),
)
const ada = addressFromBytes(new Uint8Array(64).fill(1))
const bob = addressFromBytes(new Uint8Array(64).fill(2))

describe("contents: what people say, inside the sealed message", () => {
  it("come back as they were, alone and together", () => {
    fc.assert(
      fc.property(fc.array(content, { maxLength: 8 }), (contents) => {
        const bytes = encodeContents(contents)
        assert.deepEqual(decodeContents(bytes), contents)
        assert.equal(bytes.length, 1 + contents.reduce((sum, each) => sum + contentBytes(each), 0))
      }),
    )
  })

  it("are strictly decoded; kinds from 128 on are skipped, unknown ones below are not", () => {
    const one: Content = {
      kind: "text",
      id: new Uint8Array(16),
      sentAtMs: 1,
      lamport: 2,
      text: "hi",
    }
    const bytes = encodeContents([one])
    for (const length of [0, 3, 20, bytes.length - 1])
      codeOf(() => decodeContents(bytes.slice(0, length)))
    const skipped = [200, 0, 0, 0, 2, 9, 9]
    assert.deepEqual(decodeContents(new Uint8Array([...bytes, ...skipped])), [one])
    assert.equal(
      codeOf(() => decodeContents(new Uint8Array([1, 77, 0, 0, 0, 0]))),
      "BAD_ENCODING",
    )
    assert.equal(
      codeOf(() => decodeContents(new Uint8Array([2]))),
      "BAD_VERSION",
    )
    assert.equal(
      codeOf(() => decodeContents(new Uint8Array([1, 2, 0, 0, 0, 1, 0]))),
      "BAD_ENCODING",
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
        try {
          decodeContents(junk)
        } catch (error) {
          codeOf(() => {
            throw error
          })
        }
      }),
    )
  })

  it("travel together up to the room there is, and a long one goes alone", () => {
    fc.assert(
      fc.property(fc.array(content, { minLength: 1, maxLength: 12 }), fc.nat(3000), (all, room) => {
        const taken = takeFitting(all, room)
        assert.deepEqual(taken, all.slice(0, taken.length))
        assert(taken.length >= 1)
        if (taken.length > 1) assert(encodeContents(taken).length <= room)
        if (taken.length < all.length)
          assert(encodeContents(all.slice(0, taken.length + 1)).length > room)
      }),
    )
  })
})

describe("hello: first contact", () => {
  it("is strictly decoded", () => {
    for (const group of [null, { since: 7 }]) {
      const hello = { from: ada, name: "Ada", welcome: utf8("the welcome"), group }
      assert.deepEqual(decodeHello(encodeHello(hello)), hello)
      strictDecoder(encodeHello(hello), decodeHello, encodeHello)
    }
  })
})

describe("message: its record and its place", () => {
  const message: ChatMessage = {
    ...PLAIN,
    id: new Uint8Array(16).fill(3),
    author: ada,
    mine: true,
    lamport: 5,
    sentAtMs: 1_700_000_000_000,
    text: "hello",
    delivery: "queued" as const,
    late: false,
    audience: 3,
    awaited: [new Uint8Array(8).fill(1), new Uint8Array(8).fill(2)],
  }

  it("is kept whole, strictly decoded", () => {
    assert.deepEqual(decodeMessage(encodeMessage(message)), message)
    strictDecoder(encodeMessage(message), decodeMessage, encodeMessage)
    const again = { ...message, again: true, place: { height: 7, index: 2, part: 1 } }
    assert.deepEqual(decodeMessage(encodeMessage(again)), again)
  })

  it("sorts by clock, then id, the same at everybody", () => {
    const place = fc.record({
      lamport: fc.oneof(fc.nat(3), fc.integer({ min: 0, max: LAMPORT_MAX })),
      id,
      place: fc.constant("none" as const),
    })
    fc.assert(
      fc.property(place, place, (a, b) => {
        const order = compare(positionOf(a), positionOf(b))
        if (a.lamport !== b.lamport)
          assert.equal(Math.sign(order), Math.sign(a.lamport - b.lamport))
        else
          assert.equal(
            Math.sign(order),
            Math.sign(compare(a.id.subarray(0, 15), b.id.subarray(0, 15))),
          )
      }),
    )
  })

  it("of what the group tells of itself comes back as it was", () => {
    const notices: Notice[] = [
      { kind: "added", who: [ada, bob], name: "" },
      { kind: "left", who: [bob], name: "" },
      { kind: "renamed", who: [], name: "Crew" },
      { kind: "missed", who: [ada], name: "" },
    ]
    for (const notice of notices) {
      const told = { ...message, text: "", place: { height: 9, index: 2, part: 1 }, notice }
      assert.deepEqual(decodeMessage(encodeMessage(told)), told)
      strictDecoder(encodeMessage(told), decodeMessage)
    }
  })

  it("cannot drag the clock to the end of time", () => {
    assert.equal(advanceLamport(10, 7), 10)
    assert.equal(advanceLamport(10, 12), 12)
    assert.equal(advanceLamport(10, LAMPORT_MAX), 10 + 2 ** 20)
    assert.equal(advanceLamport(LAMPORT_MAX, LAMPORT_MAX), LAMPORT_MAX)
  })

  it("never goes back in delivery: a receipt may overtake the neighbours", () => {
    assert.equal(further("gossiped", "queued"), "gossiped")
    assert.equal(further("gossiped", "delivered"), "delivered")
    for (const a of DELIVERIES)
      for (const b of DELIVERIES) assert.equal(further(a, b), further(b, a))
  })
})

describe("contacts: petnames over addresses", () => {
  it("a stranger is a request, someone added waits for their card, both together are accepted", () => {
    const request = introduced(undefined, bob, "Bob")
    assert.equal(request.standing, "request")
    assert.equal(added(request, bob, "bobby").standing, "accepted")
    const pending = added(undefined, bob, "bobby")
    assert.equal(pending.standing, "pending")
    assert.deepEqual(introduced(pending, bob, "Bob"), {
      ...pending,
      theirName: "Bob",
      standing: "accepted",
    })
    const blocked = { ...request, standing: "blocked" as const }
    assert.equal(introduced(blocked, bob, "Bob").standing, "blocked")
    assert.equal(added(blocked, bob, "bobby").standing, "accepted")
  })

  it("two people never get one petname", () => {
    assert.equal(freeName("bob", new Set()), "bob")
    assert.equal(freeName("bob", new Set(["bob", "bob 2"])), "bob 3")
    assert.equal(freeName("  ", new Set()), "unnamed")
  })

  it("are kept strictly", () => {
    for (const contact of [introduced(undefined, bob, "Bob"), added(undefined, ada, "ada")]) {
      assert.deepEqual(decodeContact(encodeContact(contact)), contact)
      strictDecoder(encodeContact(contact), decodeContact)
    }
    const whole = {
      ...introduced(undefined, bob, "Bob"),
      verified: true,
      claims: ada,
      namesake: ada,
      card: {
        sequence: 7,
        hash: new Uint8Array(32).fill(9),
        leaf: new Uint8Array(32).fill(8),
        compositeLeaf: new Uint8Array(32).fill(7),
      },
      signing: "composite" as const,
    }
    assert.deepEqual(decodeContact(encodeContact(whole)), whole)
    strictDecoder(encodeContact(whole), decodeContact, encodeContact)
  })

  it("written before there were claims, or a choice of signatures, are read as they were", () => {
    const contact = { ...introduced(undefined, bob, "Bob"), verified: true }
    const before = encodeContact(contact).slice(0, -1)
    for (const version of [1, 3]) {
      before[0] = version
      assert.deepEqual(decodeContact(before), contact)
    }
  })
})

describe("what shows a message to others", () => {
  const carrier = { id: new Uint8Array(32).fill(1), key: new Uint8Array(32).fill(2) }
  const opening = {
    leaf: 1,
    key: new Uint8Array(32).fill(3),
    nonce: new Uint8Array(12).fill(4),
    context: new Uint8Array(110).fill(5),
  }

  it("is kept in one form, or named where it lies", () => {
    const evidence = { opening, signedBy: new Uint8Array(32), carriers: [carrier, carrier] }
    const records = [
      { kind: "evidence", evidence },
      { kind: "beside", owner: new Uint8Array(16) },
    ] as const
    for (const record of records)
      strictDecoder(encodeEvidence(record), decodeEvidence, encodeEvidence)
    // a payload has one envelope at least and eleven at most
    for (const carriers of [[], Array.from({ length: 12 }, () => carrier)])
      assert.equal(
        codeOf(() =>
          decodeEvidence(encodeEvidence({ kind: "evidence", evidence: { ...evidence, carriers } })),
        ),
        "BAD_ENCODING",
      )
  })

  it("is gathered piece by piece", () => {
    const pieces = [2, 0, 1].map((index) => ({ index, ...carrier }))
    assert.deepEqual(decodeCarriers(encodeCarriers(pieces)), pieces)
    assert.equal(
      codeOf(() => decodeCarriers(encodeCarriers(pieces).subarray(1))),
      "BAD_LENGTH",
    )
  })
})
