/** What a search finds: held to reading every text and comparing, over random histories in several scripts. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { type Found, SearchIndex, threadName } from "../../src/chat/search-index.ts"
import { matches, parseQuery, type SearchQuery } from "../../src/chat/search-query.ts"
import { folded, wordsOf } from "../../src/chat/search-words.ts"

const query = (text: string): SearchQuery => parseQuery(text) ?? assert.fail(text)
const finds = (text: string, asked: string) => matches(query(asked).phrases, text)
const numbered = (n: number) =>
  new Uint8Array(16)
    .fill(1)
    .with(0, n & 255)
    .with(1, n >> 8)

const numberOf = ({ id }: Found) => (id[0] ?? 0) + 256 * (id[1] ?? 0)

const about = (n: number, change: Partial<Found> = {}): Found => ({
  id: numbered(n),
  thread: numbered(n % 3),
  position: numbered(n),
  sentAtMs: n,
  author: "somebody",
  mine: false,
  hasFile: false,
  ...change,
})

/** Numbers of what an index finds, as it says, and only what the text bears out. */
function found(index: SearchIndex, texts: ReadonlyMap<number, string>, asked: string): number[] {
  const out: number[] = []
  for (const each of index.find(query(asked).phrases, () => true))
    if (each !== undefined && finds(texts.get(numberOf(each)) ?? "", asked))
      out.push(numberOf(each))
  return out
}

describe("words", () => {
  it("are the same whatever their case, accents and forms", () => {
    for (const [one, other] of [
      ["Crème BRÛLÉE", "creme brulee"],
      ["Straße", "STRASSE"],
      ["ΟΔΥΣΣΕΎΣ", "οδυσσευς"],
      ["ﬁnal ＡＢＣ", "final abc"],
      ["Ёлка", "елка"],
      ["שָׁלוֹם", "שלום"],
      ["e\u0301te\u0301", "ÉTÉ"],
    ] as const)
      assert.deepEqual(wordsOf(one), wordsOf(other), one)
    assert.notDeepEqual(wordsOf("がき"), wordsOf("かき"), "voiced Japanese is another letter")
  })

  it("of scripts without spaces may begin anywhere", () => {
    assert(finds("明日、東京都で会いましょう", "京都"))
    assert(finds("明日、東京都で会いましょう", "東京 会い"))
    assert(!finds("東京に行く。都へ", "京都"), "not neighbours")
    assert(finds("ผมไปตลาดมา", "ตลาด"))
    assert(finds("iPhone買う", "iphone"))
  })

  it("fold once for all", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 })
    fc.assert(fc.property(text, (each) => assert.equal(folded(folded(each)), folded(each))))
  })
})

describe("a query", () => {
  it("takes filters wherever they stand, quoted names, and leaves the rest to words", () => {
    assert.deepEqual(query('ship from:bob "two words" in:"the crew" has:file before:2026-11-20'), {
      phrases: [
        { words: ["ship"], open: false },
        { words: ["two", "words"], open: false },
      ],
      from: ["bob"],
      in: ["the crew"],
      hasFile: true,
      before: "2026-11-20",
      after: null,
    })
    assert.deepEqual(query("https://example.org").phrases[0]?.words, ["https", "example", "org"])
    for (const wrong of ["has:pictures", "from:", "before:", 'in:""'])
      assert.equal(parseQuery(wrong), undefined, wrong)
  })

  it("finds the last word by its beginning, quoted and earlier ones whole", () => {
    assert(finds("the lanterns are lit", "lan"))
    assert(!finds("the lanterns are lit", "lan lit"))
    assert(!finds("the lanterns are lit", '"lan"'))
    assert(!finds("the lanterns are lit", "lan "))
    assert(finds("the lanterns are lit", '"lanterns are" the'))
    assert(!finds("the lanterns are lit", '"are lanterns"'))
    assert(finds("don't panic", "don't"))
  })

  it("of anything at all is read or refused, never thrown over", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const parsed = parseQuery(text)
        if (parsed !== undefined) matches(parsed.phrases, text)
      }),
    )
  })
})

describe("an index", () => {
  const WORDS = ["ship", "ships", "ée", "e", "東京", "京都", "都", "lantern", "lit", "a_b", "x1"]
  const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 6 }).map((words) => words.join(" "))
  const quoted = text.map((words) => `"${words}"`)
  const asked = fc.oneof(
    text,
    quoted,
    text.map((words) => words.slice(0, -1)),
  )

  it("names everything that reading all texts would find, newest first", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 30 }), asked, (all, question) => {
        const index = new SearchIndex()
        const texts = new Map(all.map((each, n) => [n, each]))
        for (const [n, each] of texts) index.put(about(n), each)
        const expected = [...texts].filter(([, each]) => finds(each, question)).map(([n]) => n)
        assert.deepEqual(found(index, texts, question), expected.reverse())
      }),
    )
  })

  it("loses what is edited, deleted or gone, and nothing else", () => {
    const change = fc.tuple(fc.nat({ max: 9 }), fc.option(text, { nil: undefined }))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), asked, (changes, question) => {
        const index = new SearchIndex()
        const texts = new Map<number, string>()
        for (const [n, now] of changes) {
          if (now === undefined) texts.delete(n)
          else texts.set(n, now)
          if (now === undefined) index.remove(numbered(n))
          else index.put(about(n), now)
        }
        const expected = [...texts].filter(([, each]) => finds(each, question)).map(([n]) => n)
        assert.deepEqual(
          found(index, texts, question),
          expected.sort((a, b) => b - a),
        )
        assert.equal(index.size, texts.size)
        for (const each of index.find(query(question).phrases, () => true))
          if (each !== undefined) assert(texts.has(numberOf(each)), "not even a hint is left")
      }),
    )
  })

  it("asks the filter, and keeps the order over many bands", () => {
    const index = new SearchIndex()
    // Times that jump about and repeat: the clock of the n-th is n times 7919 modulo 700.
    for (let n = 0; n < 2_000; n++) {
      index.put(about(n, { sentAtMs: (n * 7919) % 700, hasFile: n % 5 === 0 }), "word")
    }
    const hits: Found[] = []
    const inFirst = threadName(numbered(0))
    for (const each of index.find(
      query("word").phrases,
      (one, thread) => one.hasFile && thread === inFirst,
    ))
      if (each !== undefined) hits.push(each)
    assert.equal(hits.length, Math.ceil(2_000 / 15))
    const times = hits.map(({ sentAtMs }) => sentAtMs)
    assert.deepEqual(
      times,
      times.toSorted((a, b) => b - a),
    )
    assert.equal(new Set(hits.map(numberOf)).size, hits.length)
  })

  it("of a phrase passes over nearly all texts that have the words elsewhere", () => {
    const index = new SearchIndex()
    for (let n = 0; n < 1_000; n++) index.put(about(n), `one w${n} two v${n} three u${n}`)
    index.put(about(1_000), "one two three")
    const named = [...index.find(query('"one two three"').phrases, () => true)]
    assert(named.filter((each) => each !== undefined).length < 20)
  })
})
