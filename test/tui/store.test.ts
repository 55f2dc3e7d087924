/** The store: keys at once, traffic at most ten times a second, and no clock while nothing needs one. */
import assert from "node:assert/strict"
import { mock, test } from "node:test"
import type { Effect } from "../../src/tui/model.ts"
import { defaultSettings, initialModel } from "../../src/tui/model.ts"
import { BATCH_MAX, createStore } from "../../src/tui/store.ts"
import { FakeApi } from "./fake-api.ts"

/** A store on a clock of the test's, with the chat open. */
function begin() {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] })
  const clock = { now: 1_000_000 }
  const effects: Effect[] = []
  const store = createStore({
    initial: initialModel(defaultSettings({ LANG: "C.UTF-8" }), 80, 24),
    now: () => clock.now,
    perform: (effect) => effects.push(effect),
  })
  const api = new FakeApi()
  const thread = api.thread("bob")
  store.dispatch({
    type: "loaded",
    status: api.status,
    contacts: [...api.contacts.values()],
    threads: [thread],
  })
  store.dispatch({
    type: "page",
    key: thread.id,
    reason: "newest",
    page: { messages: [], before: null },
  })
  let drawn = 0
  store.subscribe(() => drawn++)
  return {
    store,
    api,
    effects,
    drawn: () => drawn,
    pass(ms: number) {
      clock.now += ms
      mock.timers.tick(ms)
    },
    [Symbol.dispose]() {
      store.stop()
      mock.timers.reset()
    },
  }
}

test("a busy mesh is drawn ten times a second, and every message of it is there", () => {
  using it = begin()
  for (let i = 0; i < 500; i++) {
    it.store.tell({ type: "message", message: it.api.past("bob", `message ${i}`) })
    it.pass(2)
  }
  it.pass(100)
  assert.ok(it.drawn() <= 12, `${it.drawn()} drawings in a second`)
  assert.equal(it.store.get().history?.messages.length, 500)
})

test("the first message after a quiet while does not wait", () => {
  using it = begin()
  it.store.tell({ type: "message", message: it.api.past("bob", "hello") })
  it.pass(1)
  assert.equal(it.drawn(), 1)
})

test("a key is drawn at once, in the middle of traffic too", () => {
  using it = begin()
  it.store.tell({ type: "message", message: it.api.past("bob", "one") })
  it.pass(1)
  it.store.tell({ type: "message", message: it.api.past("bob", "two") })
  const before = it.drawn()
  it.store.dispatch({ type: "input", event: { type: "text", text: "x" } })
  assert.equal(it.drawn(), before + 1)
  assert.equal(it.store.get().draft.text, "x")
  assert.equal(it.store.get().history?.messages.length, 1, "the traffic still waits for its turn")
})

test("what gathers has a limit: then it is applied at once", () => {
  using it = begin()
  for (let i = 0; i < BATCH_MAX; i++)
    it.store.tell({ type: "progress", what: "syncing", done: i, total: 1e9 })
  assert.equal(it.store.get().progress?.done, BATCH_MAX - 1)
})

test("a key that changes nothing is not drawn", () => {
  using it = begin()
  it.store.dispatch({ type: "input", event: { type: "key", chord: "left" } })
  it.store.dispatch({ type: "input", event: { type: "key", chord: "f9" } })
  assert.equal(it.drawn(), 0)
})

test("an idle chat has no clock; a notice has one until it is gone", () => {
  using it = begin()
  it.pass(60_000)
  assert.equal(it.drawn(), 0)
  it.store.dispatch({ type: "input", event: { type: "key", chord: "ctrl-c" } })
  assert.match(it.store.get().notice?.text ?? "", /once more/)
  it.pass(60_000)
  assert.equal(it.store.get().notice, null)
  const after = it.drawn()
  it.pass(60_000)
  assert.equal(it.drawn(), after)
})

test("while alone, the countdown runs", () => {
  using it = begin()
  it.api.status = { ...it.api.status, peers: [], alone: { reason: "nobody", retryInMs: 5000 } }
  it.store.tell({ type: "status", status: it.api.status })
  it.pass(1)
  const before = it.drawn()
  for (let i = 0; i < 3; i++) it.pass(1000)
  assert.equal(it.drawn(), before + 3)
})

test("stopped, it draws nothing and keeps no timer", () => {
  const it = begin()
  it.store.tell({ type: "message", message: it.api.past("bob", "late") })
  it.store.stop()
  it.pass(1000)
  assert.equal(it.drawn(), 0)
  it.store.dispatch({ type: "tick" })
  assert.equal(it.drawn(), 0)
  mock.timers.reset()
})
