/** Asking one peer after the other for what only one of them may have: how many at a time, who is waited for, and when it ends. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { firstSound, PEERS_ASKED_MAX } from "../../../src/node/directory/card-blob-fetch.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { until } from "../../helpers/wait.ts"

/** Peers that answer at a word. */
function crowd(names: readonly string[]) {
  const clock = new ManualClock(0)
  const asked: string[] = []
  const waiting = new Map<string, (answer: string | undefined) => void>()
  const caller = new AbortController()
  let open = 0
  let most = 0
  const ask = async (peer: string, signal: AbortSignal) => {
    asked.push(peer)
    most = Math.max(most, ++open)
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
    waiting.set(peer, resolve)
    signal.addEventListener("abort", () => {
      reject(signal.reason as Error)
    })
    try {
      return await promise
    } finally {
      open--
    }
  }
  const peers = async function* () {
    for (const name of names) yield await Promise.resolve(name)
  }
  const found = firstSound({ peers, ask, clock, signal: caller.signal })
  const isAsked = (count: number) => until(`${count} are asked`, () => asked.length === count)
  const say = (peer: string, answer?: string) => {
    const resolve = waiting.get(peer) ?? assert.fail(peer)
    resolve(answer)
  }
  return { clock, asked, caller, found, isAsked, say, most: () => most, open: () => open }
}

describe("asking peers until one gives", () => {
  it("asks two at a time, and ends with the first that gives", async () => {
    const { asked, found, isAsked, say, clock, open } = crowd(["a", "b", "c", "d"])
    await isAsked(2)
    say("a")
    await isAsked(3)
    say("c", "the blob")
    assert.equal(await found, "the blob")
    assert.deepEqual(asked, ["a", "b", "c"])
    assert.equal(open(), 0, "nobody is waited for any more")
    assert.equal(clock.waiting, 0)
  })

  it("does not wait for who is slow before it asks the next, and takes a slow answer all the same", async () => {
    const { found, isAsked, say, clock, asked } = crowd(["a", "b", "c", "d"])
    await isAsked(2)
    clock.advance(1_000)
    await isAsked(4)
    for (const peer of ["b", "c", "d"]) say(peer)
    say("a", "late, and good")
    assert.equal(await found, "late, and good")
    assert.equal(asked.length, 4)
    assert.equal(clock.waiting, 0)
  })

  it("finds nothing when nobody has it, nobody is there, or the caller gives up", async () => {
    const nobody = crowd([])
    assert.equal(await nobody.found, undefined)
    const empty = crowd(["a", "b"])
    await empty.isAsked(2)
    empty.say("a")
    empty.say("b")
    assert.equal(await empty.found, undefined)
    const left = crowd(["a", "b", "c"])
    await left.isAsked(2)
    left.caller.abort()
    assert.equal(await left.found, undefined)
    assert.equal(left.asked.length, 2)
    assert.equal(left.clock.waiting, 0)
  })

  it("asks no more than it believes in, whoever names them", async () => {
    const names = Array.from({ length: 3 * PEERS_ASKED_MAX }, (_, i) => `peer ${i}`)
    let asked = 0
    const found = await firstSound<string>({
      peers: async function* () {
        for (const name of names) yield await Promise.resolve(name)
      },
      ask: () => {
        asked++
        return Promise.resolve(undefined)
      },
      clock: new ManualClock(0),
      signal: new AbortController().signal,
    })
    assert.equal(found, undefined)
    assert(asked <= PEERS_ASKED_MAX + 1, `${asked}`)
  })

  it("says what went wrong in asking when that is no peer's doing and nobody gave", async () => {
    const bug = new TypeError("we are wrong")
    const asking = (answers: readonly ("bug" | "gives")[]) =>
      firstSound({
        peers: async function* () {
          for (const answer of answers) yield await Promise.resolve(answer)
        },
        ask: (answer) => (answer === "bug" ? Promise.reject(bug) : Promise.resolve(answer)),
        clock: new ManualClock(0),
        signal: new AbortController().signal,
      })
    await assert.rejects(asking(["bug", "bug"]), bug)
    assert.equal(await asking(["bug", "gives"]), "gives")
  })

  it("gives the blob whenever one of the peers has it, in whatever order they answer", async () => {
    const peer = fc.record({ has: fc.boolean(), after: fc.nat(5) })
    await fc.assert(
      fc.asyncProperty(fc.array(peer, { maxLength: 12 }), async (all) => {
        const found = await firstSound({
          peers: async function* () {
            for (const [i] of all.entries()) yield await Promise.resolve(String(i))
          },
          ask: async (name) => {
            const { has, after } = all[Number(name)] ?? assert.fail()
            for (let turn = 0; turn < after; turn++) await Promise.resolve()
            return has ? name : undefined
          },
          clock: new ManualClock(0),
          signal: new AbortController().signal,
        })
        assert.equal(
          found !== undefined,
          all.some(({ has }) => has),
        )
        assert(found === undefined || all[Number(found)]?.has)
      }),
    )
  })
})
