/**
 * What is said about messages, and what becomes of them: the codec takes exactly what it writes, and whoever has the same messages and
 * acts has the same transcript, in whatever order they came and however often (DESIGN §10).
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import type { Act } from "../../src/chat/act.ts"
import {
  type Content,
  decodeContents,
  encodeContents,
  LAMPORT_MAX,
} from "../../src/chat/content.ts"
import {
  actedOn,
  decodeEarly,
  type Early,
  EDIT_AGE_MAX_MS,
  encodeEarly,
  gathered,
  withEarly,
} from "../../src/chat/fold.ts"
import { LIFETIME_MAX, LIFETIME_UNITS } from "../../src/chat/lifetime.ts"
import { findMentions, MENTIONS_MAX } from "../../src/chat/mention.ts"
import {
  type ChatMessage,
  decodeMessage,
  encodeMessage,
  PLAIN,
  positionOf,
  REACTED_MAX,
} from "../../src/chat/message.ts"
import { isEmoji } from "../../src/chat/reaction.ts"
import {
  type ChatThread,
  decodeThread,
  encodeThread,
  newThread,
  placed,
  withLifetime,
} from "../../src/chat/thread.ts"
import { addressFromBytes } from "../../src/crypto/address.ts"
import { compare, toHex, utf8 } from "../../src/crypto/bytes.ts"
import { CodedError } from "../../src/crypto/errors.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const people = [1, 2, 3].map((n) => addressFromBytes(new Uint8Array(64).fill(n)))
const [ada, bob, cyd] = people as [(typeof people)[0], (typeof people)[0], (typeof people)[0]]
const idOf = (n: number) => new Uint8Array(16).fill(n)

const id = fc.uint8Array({ minLength: 16, maxLength: 16 })
const lamport = fc.integer({ min: 0, max: LAMPORT_MAX })
const sentAtMs = fc.nat(2 ** 41)
const head = { id, sentAtMs, lamport }
const words = fc.string({ unit: "grapheme", maxLength: 60 })
const sign = fc.constantFrom("👍", "🎉", "❤️", "👩‍🚀")
const lifetime = fc.record(
  {
    unit: fc.constantFrom(...LIFETIME_UNITS),
    amount: fc.integer({ min: 1, max: LIFETIME_MAX }),
  },
  { noNullPrototype: true },
)
/** A text with people named at its begin, whole characters of it. */
const named = words.map((rest) => {
  const mentions = [ada, bob].map((who, i) => ({ start: i * 5, length: 4, who }))
  return { text: `@ada @bob ${rest}`, mentions }
})
const place = fc.record(
  { height: fc.nat(2 ** 40), index: fc.nat(2 ** 20), part: fc.nat(100) },
  { noNullPrototype: true },
)
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true }) as unknown as fc.Arbitrary<Content>
const content: fc.Arbitrary<Content> = fc.oneof(
  plain({ kind: fc.constant("text"), ...head, text: words, replyTo: id }),
  plain({ kind: fc.constant("text"), ...head, text: words, lifetime }),
  plain({ kind: fc.constant("text"), ...head, text: words, again: place }),
  plain({ kind: fc.constant("text"), ...head, text: words, replyTo: id, again: place }),
  plain({ kind: fc.constant("lack"), above: fc.nat(2 ** 40) }),
  fc
    .tuple(plain({ kind: fc.constant("text"), ...head, replyTo: id, lifetime }), named)
    .map(([said, { text, mentions }]) => ({ ...said, text, mentions }) as Content),
  fc
    .tuple(plain({ kind: fc.constant("edit"), ...head, target: id }), named)
    .map(([said, { text, mentions }]) => ({ ...said, text, mentions }) as Content),
  plain({
    kind: fc.constant("reaction"),
    id,
    lamport,
    target: id,
    signs: fc.uniqueArray(sign, { maxLength: 3 }),
  }),
  plain({ kind: fc.constant("deletion"), id, lamport, target: id }),
  plain({ kind: fc.constant("lifetime"), ...head, lifetime: fc.option(lifetime) }),
  plain({ kind: fc.constant("read"), ids: fc.array(id, { minLength: 1, maxLength: 100 }) }),
  plain({ kind: fc.constant("typing"), sentAtMs, active: fc.boolean() }),
)

describe("what is said about messages, as it travels", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(fc.array(content, { maxLength: 6 }), (contents) => {
        assert.deepEqual(decodeContents(encodeContents(contents)), contents)
      }),
    )
  })

  it("is strictly decoded: one value has one encoding, and nothing is left over", () => {
    const HEAD = 6
    const change = fc.oneof(
      fc.record({ at: fc.nat(), flip: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ at: fc.nat(), cut: fc.constant(true) }),
    )
    fc.assert(
      fc.property(content, change, (one, how) => {
        const valid = encodeContents([one])
        const body = valid.subarray(HEAD)
        if (body.length === 0) return
        const at = how.at % body.length
        const changed =
          "flip" in how ? body.with(at, (body[at] ?? 0) ^ how.flip) : body.slice(0, at)
        const bytes = new Uint8Array([...valid.subarray(0, HEAD), ...changed])
        new DataView(bytes.buffer).setUint32(2, changed.length)
        let decoded: Content[]
        try {
          decoded = decodeContents(bytes)
        } catch (error) {
          assert(error instanceof CodedError, String(error))
          return
        }
        assert.deepEqual(encodeContents(decoded), bytes)
      }),
      { numRuns: 1_000 },
    )
  })

  it("is refused when it names nobody, says too much, or is a plain text in disguise", () => {
    const text = { kind: "text", id: idOf(1), sentAtMs: 1, lamport: 1, text: "é" } as const
    const naming = (start: number, length: number): Content => ({
      ...text,
      mentions: [{ start, length, who: ada }],
    })
    for (const broken of [naming(1, 1), naming(0, 3), naming(0, 0), naming(2, 1)])
      assert.equal(
        codeOf(() => decodeContents(encodeContents([broken]))),
        "BAD_ENCODING",
      )
    assert.doesNotThrow(() => decodeContents(encodeContents([naming(0, 2)])))
    const many = Array.from({ length: MENTIONS_MAX + 1 }, () => ({ start: 0, length: 1, who: ada }))
    assert.equal(
      codeOf(() => decodeContents(encodeContents([{ ...text, mentions: many }]))),
      "TOO_LARGE",
    )
    const signs = (some: readonly string[]): Content => ({
      kind: "reaction",
      id: idOf(1),
      lamport: 1,
      target: idOf(2),
      signs: some,
    })
    for (const broken of [["👍", "👍"], [""], ["a b"], ["\u001b[2J"]])
      assert.equal(
        codeOf(() => decodeContents(encodeContents([signs(broken)]))),
        "BAD_ENCODING",
      )
    assert.equal(
      codeOf(() => decodeContents(encodeContents([signs(["1", "2", "3", "4"])]))),
      "TOO_LARGE",
    )
    // kind 5 with no part, and with a file alone
    for (const parts of [0, 2, 16]) {
      const body = [...idOf(1), ...new Uint8Array(14), parts]
      const bytes = new Uint8Array([1, 5, 0, 0, 0, body.length, ...body])
      assert.throws(() => decodeContents(bytes))
    }
  })

  it("finds the people a text names: the longest name, whole words, nobody of two of a name", () => {
    const known = [
      { name: "Ann", who: ada },
      { name: "Ann Lee", who: bob },
      { name: "Max", who: ada },
      { name: "max", who: cyd },
    ]
    const found = (text: string) =>
      findMentions(text, known).map(({ start, length, who }) => [
        new TextDecoder().decode(utf8(text).subarray(start, start + length)),
        people.indexOf(who),
      ])
    assert.deepEqual(found("é @ann lee, @Ann! @annie a@Ann @Max @@Ann"), [
      ["@ann lee", 1],
      ["@Ann", 0],
    ])
  })

  it("takes one emoji for one, and nothing else", () => {
    for (const good of ["👍", "❤️", "👩‍🚀", "🇮🇸", "1️⃣"]) assert(isEmoji(good), good)
    for (const bad of ["", "a", "👍👍", "👍 ", "\u202e", "1"]) assert(!isEmoji(bad), bad)
  })
})

const said = (n: number, author = ada): ChatMessage => ({
  ...PLAIN,
  id: idOf(n),
  author,
  mine: false,
  lamport: n,
  sentAtMs: 1_000,
  text: `text ${n}`,
  delivery: "delivered",
  late: false,
  audience: 0,
  awaited: [],
})

/** Acts of three people on three messages, honest ones and others: on what is not theirs, too late, with stamps that are the same. */
const act: fc.Arbitrary<{ by: (typeof people)[0]; act: Act }> = fc
  .record({
    by: fc.constantFrom(...people),
    target: fc.integer({ min: 1, max: 3 }),
    n: fc.integer({ min: 10, max: 13 }),
    lamport: fc.nat(4),
    kind: fc.constantFrom("edit" as const, "reaction" as const, "deletion" as const),
    late: fc.boolean(),
    signs: fc.uniqueArray(sign, { maxLength: 2 }),
    text: fc.constantFrom("otherwise", "again", ""),
  })
  .map(({ by, target, n, lamport: at, kind, late, signs, text }) => {
    const about = { id: idOf(n), target: idOf(target), lamport: at }
    // What one person says under one stamp is one thing.
    const same = `${text} ${n}.${at}.${target}`
    const sent = late ? 2_000 + EDIT_AGE_MAX_MS : 2_000 + n
    switch (kind) {
      case "edit":
        return {
          by,
          act: {
            kind,
            ...about,
            sentAtMs: at === 4 ? 2_000 + EDIT_AGE_MAX_MS : sent,
            text: text === "" ? "" : same,
            mentions: [],
          },
        }
      case "reaction":
        return { by, act: { kind, ...about, signs } }
      case "deletion":
        return { by, act: { kind, ...about } }
    }
  })

type Told =
  { readonly message: ChatMessage } | { readonly by: (typeof people)[0]; readonly act: Act }

/** What a member makes of what they are told, in the order in which they are. */
class Member {
  readonly messages = new Map<string, ChatMessage>()
  readonly early = new Map<string, readonly Early[]>()

  hear(told: Told): void {
    if ("message" in told) {
      const name = toHex(told.message.id)
      if (this.messages.has(name)) return
      this.messages.set(name, withEarly(told.message, this.early.get(name) ?? []))
      this.early.delete(name)
      return
    }
    const name = toHex(told.act.target)
    const known = this.messages.get(name)
    if (known !== undefined) this.messages.set(name, actedOn(known, told.act, told.by))
    else this.early.set(name, gathered(this.early.get(name) ?? [], told.act, told.by))
  }

  get transcript() {
    return [...this.messages.values()].sort((a, b) => compare(positionOf(a), positionOf(b)))
  }
}

describe("what becomes of messages", () => {
  it("is the same for everybody, whatever came first and however often", () => {
    const schedule = fc.array(act, { maxLength: 14 }).chain((acts) => {
      // One author says one thing under one id and clock.
      const once = new Map(acts.map((each) => [JSON.stringify([each.by, each.act.kind, toHex(each.act.id), each.act.lamport, toHex(each.act.target)]), each])) // prettier-ignore
      const told: Told[] = [
        { message: said(1) },
        { message: said(2, bob) },
        { message: said(3, cyd) },
        ...once.values(),
      ]
      const shuffled = fc.shuffledSubarray([...told, ...told], {
        minLength: 2 * told.length,
        maxLength: 2 * told.length,
      })
      return fc.tuple(fc.constant(told), shuffled)
    })
    fc.assert(
      fc.property(schedule, ([told, shuffled]) => {
        const [one, other] = [new Member(), new Member()]
        for (const each of told) one.hear(each)
        for (const each of shuffled) other.hear(each)
        assert.deepEqual(other.transcript, one.transcript)
        assert.equal(other.early.size, 0)
        for (const message of one.transcript)
          assert.deepEqual(decodeMessage(encodeMessage(message)), message)
      }),
      { numRuns: 400 },
    )
  })

  it("is up to the author alone, but for reactions", () => {
    const edit: Act = {
      kind: "edit",
      id: idOf(9),
      target: idOf(1),
      lamport: 9,
      sentAtMs: 2_000,
      text: "otherwise",
      mentions: [],
    }
    const deletion: Act = { kind: "deletion", id: idOf(9), target: idOf(1), lamport: 9 }
    assert.equal(actedOn(said(1), edit, bob).text, "text 1")
    assert.equal(actedOn(said(1), deletion, bob).deleted, false)
    const edited = actedOn(said(1), edit, ada)
    assert.equal(edited.text, "otherwise")
    assert.equal(edited.edited?.first.text, "text 1")
    const gone = actedOn(edited, deletion, ada)
    assert.deepEqual([gone.text, gone.deleted, gone.edited], ["", true, null])
  })

  it("lets nobody say otherwise what was said more than a day before, or nothing at all", () => {
    const edit = (sent: number, text: string): Act => ({
      kind: "edit",
      id: idOf(9),
      target: idOf(1),
      lamport: 9,
      sentAtMs: sent,
      text,
      mentions: [],
    })
    const text = (act: Act) => actedOn(said(1), act, ada).text
    assert.equal(text(edit(1_000 + EDIT_AGE_MAX_MS, "just in time")), "just in time")
    assert.equal(text(edit(1_001 + EDIT_AGE_MAX_MS, "too late")), "text 1")
    assert.equal(text(edit(2_000, "  ")), "text 1")
  })

  it("keeps reactions of as many people as a group holds, the same ones everywhere", () => {
    const crowd = Array.from({ length: REACTED_MAX + 20 }, (_, n) => {
      const who = new Uint8Array(64).fill(7)
      who[0] = n >> 8
      who[1] = n & 0xff
      return addressFromBytes(who)
    })
    const told = crowd.map((by, n): Told => {
      return {
        by,
        act: { kind: "reaction", id: idOf(5), target: idOf(1), lamport: n, signs: ["👍"] },
      }
    })
    const [one, other] = [new Member(), new Member()]
    for (const each of [{ message: said(1) }, ...told]) one.hear(each)
    for (const each of [...told.toReversed(), { message: said(1) }]) other.hear(each)
    assert.deepEqual(one.transcript, other.transcript)
    assert.equal(one.transcript[0]?.reactions.length, REACTED_MAX)
  })

  it("waits for its message in a record that is strictly decoded", () => {
    const acts = fc.array(act, { maxLength: 8 }).map((some) => {
      return some.reduce<readonly Early[]>((early, each) => gathered(early, each.act, each.by), [])
    })
    fc.assert(
      fc.property(acts, (early) => {
        assert.deepEqual(decodeEarly(encodeEarly(early)), early)
      }),
      { numRuns: 60 },
    )
    const reaction: Act = {
      kind: "reaction",
      id: idOf(9),
      target: idOf(1),
      lamport: 9,
      signs: ["👍"],
    }
    const bytes = encodeEarly(gathered([], reaction, bob))
    strictDecoder(bytes, decodeEarly, encodeEarly)
  })
})

describe("the order of a thread", () => {
  const thread: ChatThread = newThread(ada, bob)

  it("is the ledger's; what it has not placed stands behind all that it has, by clock", () => {
    const at = (n: number, height: number, index = 0, part = 0): ChatMessage => ({
      ...said(n),
      place: { height, index, part },
    })
    const inOrder = [
      { ...said(9), place: "former" as const },
      at(7, 1),
      at(2, 1, 1),
      at(8, 1, 1, 1),
      at(1, 3),
      at(5, 2 ** 33),
      said(3),
      said(4),
    ]
    const sorted = inOrder.toReversed().sort((a, b) => compare(positionOf(a), positionOf(b)))
    assert.deepEqual(sorted, inOrder)
  })

  it("marks what an earlier block overtook, and what was placed before something that was read", () => {
    const first = placed(thread, said(5), { height: 4, index: 0, part: 0 })
    assert.equal(first.message.late, false)
    const together = placed(first.thread, said(3), { height: 4, index: 1, part: 0 })
    assert.equal(together.message.late, false, "one block settles all of it at once")
    const overtaken = placed(first.thread, said(4), { height: 5, index: 0, part: 0 })
    assert.equal(overtaken.message.late, true)
    const inTurn = placed(first.thread, said(6), { height: 5, index: 0, part: 0 })
    assert.equal(inTurn.message.late, false)
    const read = { ...inTurn.thread, readThrough: positionOf(inTurn.message) }
    const slippedIn = placed(read, said(7), { height: 2, index: 0, part: 0 })
    assert.equal(slippedIn.message.late, true)
  })

  it("gives every thread the lifetime that was set last, whoever hears of it when", () => {
    const set = (n: number, at: number) => ({
      id: idOf(n),
      lamport: at,
      lifetime: { unit: "seconds" as const, amount: n },
    })
    fc.assert(
      fc.property(fc.shuffledSubarray([set(1, 3), set(2, 7), set(4, 7), set(3, 5)], { minLength: 4 }), (sets) => {
        const end = sets.reduce((now, each) => withLifetime(now, each), thread)
        assert.equal(end.lifetime?.lifetime?.amount, 4)
      }), // prettier-ignore
    )
  })

  it("is kept with the thread, strictly decoded", () => {
    const kept: ChatThread = {
      ...thread,
      mentioned: 2,
      owedRead: [idOf(1), idOf(2)],
      settled: { height: 9, lamport: 8, before: 7 },
      lifetime: { id: idOf(3), lamport: 4, lifetime: { unit: "blocks", amount: 5 } },
      tellsRead: true,
      tellsTyping: true,
      lacks: { above: 2 ** 40, through: 2 ** 33, count: 500 },
    }
    for (const one of [thread, kept, { ...kept, lacks: null }, { ...kept, lifetime: { id: idOf(3), lamport: 4, lifetime: null } }]) {
      assert.deepEqual(decodeThread(encodeThread(one)), one)
      strictDecoder(encodeThread(one), decodeThread)
    } // prettier-ignore
  })
})
