import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import type { Message, Page } from "../../../src/node/api/types.ts"
import {
  HISTORY_MAX,
  PAGE_SIZE,
  openHistory,
  reachesNewest,
  withAnchor,
  withDelivery,
  withMessage,
  withPage,
} from "../../../src/tui/widgets/history.ts"
import { PLAIN_MESSAGE } from "../../helpers/plain-views.ts"
import type { History } from "../../../src/tui/widgets/history.ts"

const message = (n: number, change: Partial<Message> = {}): Message => ({
  ...PLAIN_MESSAGE,
  id: `id${n}`,
  thread: "t",
  author: "sotto1bob",
  authorName: "bob",
  mine: false,
  text: `message ${n}`,
  sentAtMs: n,
  state: "delivered",
  failure: null,
  position: n.toString().padStart(9, "0"),
  ...change,
})

/** What the node would answer. */
const page = (all: readonly Message[], before: string | null): Page => {
  const end = before === null ? all.length : all.findIndex((m) => m.position >= before)
  const start = Math.max(0, end - PAGE_SIZE)
  return {
    messages: all.slice(start, end),
    before: start > 0 ? (all[start]?.position ?? null) : null,
  }
}
const thread = (count: number): Message[] => Array.from({ length: count }, (_, i) => message(i + 1))
const opened = (all: readonly Message[], unread = 0): History =>
  withPage(openHistory("t", unread), page(all, null), "newest")
const numbers = (history: History): number[] => history.messages.map((m) => Number(m.position))
const older = (history: History, all: readonly Message[]): History =>
  withPage(history, page(all, history.before), "older")
const newer = (history: History, all: readonly Message[]): History =>
  withPage(history, page(all, history.newer.at(-1)?.cursor ?? null), "newer")

test("memory holds one run of the thread without gaps, however one walks through it while others write", () => {
  const step = fc.constantFrom(
    "older",
    "older",
    "older",
    "newer",
    "newer",
    "arrives",
    "arrives many",
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const all = thread(5000)
      let history = opened(all)
      history = withAnchor(history, { id: "id4999", hidden: 0 })
      for (const what of steps) {
        if (what === "older" && history.before !== null) history = older(history, all)
        else if (what === "newer" && !reachesNewest(history)) history = newer(history, all)
        else
          for (let i = what === "arrives many" ? 450 : 1; i > 0; i--) {
            all.push(message(all.length + 1))
            history = withMessage(history, all.at(-1)!, false)
          }
        const held = numbers(history)
        assert.ok(held.length <= HISTORY_MAX)
        assert.deepEqual(
          held,
          Array.from({ length: held.length }, (_, i) => (held[0] ?? 0) + i),
        )
        assert.equal(
          reachesNewest(history),
          held.at(-1) === all.length,
          "it knows whether the newest is there",
        )
      }
      while (!reachesNewest(history)) history = newer(history, all)
      assert.equal(numbers(history).at(-1), all.length, "and the way back leads to the newest")
    }),
    { numRuns: 40 },
  )
})

test("a message that settles elsewhere in the order moves, and is there once", () => {
  let history = opened(thread(10))
  history = withMessage(history, message(10, { position: "000000003a", late: true }), false)
  assert.deepEqual(history.messages.map((m) => m.id).slice(2, 5), ["id3", "id10", "id4"])
  assert.equal(history.messages.length, 10)
})

test("a delivery changes one message, and nothing when nothing changes", () => {
  const history = opened(thread(10))
  const changed = withDelivery(history, "id4", "failed", "QUEUE_FULL")
  assert.equal(changed.messages[3]?.state, "failed")
  assert.equal(changed.messages[3].failure, "QUEUE_FULL")
  assert.equal(withDelivery(history, "id4", "delivered", null), history)
  assert.equal(withDelivery(history, "nobody", "failed", null), history)
})

test("the rule stands above the first unread message of others", () => {
  const all = thread(10).map((m) => (m.position.endsWith("9") ? { ...m, mine: true } : m))
  assert.equal(opened(all, 2).newFrom, "id8")
  assert.equal(opened(all, 0).newFrom, null)
  assert.equal(opened(all, 99).newFrom, "id1")
})

test("what arrives while nobody looks begins under the rule; what is answered ends it", () => {
  let history = opened(thread(3))
  history = withMessage(history, message(4), true)
  history = withMessage(history, message(5), true)
  assert.equal(history.newFrom, "id4")
  history = withMessage(history, message(6, { mine: true }), false)
  assert.equal(history.newFrom, null)
})

test("messages below a scrolled view are counted until one is down there", () => {
  let history = withAnchor(opened(thread(50)), { id: "id20", hidden: 0 })
  history = withMessage(history, message(51), false)
  history = withMessage(history, message(52, { mine: true }), false)
  history = withMessage(history, message(53), false)
  assert.equal(history.below, 2)
  assert.equal(withAnchor(history, null).below, 0)
})

test("a message older than what is in memory does not slip in", () => {
  const history = opened(thread(5000))
  assert.equal(
    withMessage(history, message(1, { id: "x", position: "0000000005" }), false),
    history,
  )
})
