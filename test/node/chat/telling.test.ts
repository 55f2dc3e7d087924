/** What screens are told of a step: whatever looks otherwise, and nothing of what only lies in the records. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { primitives } from "#primitives"
import { type Channel, NEW_GROUP, openChannel } from "../../../src/chat/channel.ts"
import { type ChatMessage, PLAIN } from "../../../src/chat/message.ts"
import { type ChatThread, newGroupThread } from "../../../src/chat/thread.ts"
import { addressFromBytes } from "../../../src/crypto/address.ts"
import { toHex } from "../../../src/crypto/bytes.ts"
import { createGroup, encrypt, generateSignatureSeed } from "../../../src/crypto/session.ts"
import type { ApiEvent } from "../../../src/node/api/types.ts"
import { Step } from "../../../src/node/chat/book.ts"
import { Telling } from "../../../src/node/chat/telling.ts"
import { threadView } from "../../../src/node/chat/view.ts"

const me = addressFromBytes(new Uint8Array(64).fill(1))
const groupId = new Uint8Array(16).fill(7)
const thread = newGroupThread(groupId, "Team")
const name = toHex(thread.id)

const message = (lamport: number): ChatMessage => ({
  ...PLAIN,
  id: new Uint8Array(16).fill(lamport),
  author: me,
  mine: true,
  lamport,
  sentAtMs: lamport,
  text: `${lamport}`,
  delivery: "queued",
  late: false,
  audience: 0,
  awaited: [],
})

async function groupChannel(): Promise<Channel> {
  const identity = new Uint8Array(64).fill(1)
  const signatureSeed = generateSignatureSeed("ed25519")
  const state = await createGroup({ groupId, identity, signatureSeed })
  return openChannel(state, { peer: me, theirName: "", trusted: true, group: NEW_GROUP })
}

/** A book with one group and two messages in it, the second the newest. */
async function world() {
  const channel = await groupChannel()
  const told: ApiEvent[] = []
  const book = {
    me,
    contacts: new Map(),
    lacking: new Set<typeof me>(),
    threads: new Map([[name, thread]]),
    channels: new Map([[toHex(groupId), channel]]),
    last: new Map([[name, message(2)]]),
    groupChannel: () => book.channels.get(toHex(groupId)),
    threadOf: () => book.threads.get(name) ?? thread,
    view: (each: ChatThread) => threadView(book, each, book.last.get(toHex(each.id))),
  }
  const telling = new Telling(book, (event) => told.push(event))
  /** What is told of a step that leaves the book so. */
  const of = (step: Step, newest?: ChatMessage): readonly string[] => {
    told.length = 0
    const before = telling.before(step)
    for (const [id, each] of step.threads) if (each !== null) book.threads.set(id, each)
    for (const [id, each] of step.channels) if (each !== null) book.channels.set(id, each)
    if (newest !== undefined) book.last.set(name, newest)
    telling.tell(step, before, new Map())
    return told.map(({ type }) => type)
  }
  return { channel, of }
}

const withThread = (change: Partial<ChatThread>): Step => {
  const step = new Step()
  step.threads.set(name, { ...thread, ...change })
  return step
}

const withMessage = (said: ChatMessage, fresh: boolean, before?: ChatMessage): Step => {
  const step = new Step()
  step.messages.push({ thread, message: said, fresh, ...(before && { before }) })
  return step
}

describe("screens", () => {
  it("hear nothing of receipts that are owed, and of what is unread at once", async () => {
    const { of } = await world()
    assert.deepEqual(of(withThread({ owed: [new Uint8Array(16)], lamport: 9 })), [])
    assert.deepEqual(of(withThread({ unread: 1 })), ["thread"])
    assert.deepEqual(of(withThread({ unread: 1, owedRead: [new Uint8Array(16)] })), [])
  })

  it("hear of a thread with its newest message, however that changes, and not with an older one", async () => {
    const { of } = await world()
    assert.deepEqual(of(withMessage(message(1), false)), ["delivery"])
    const delivered: ChatMessage = { ...message(2), delivery: "delivered" }
    assert.deepEqual(of(withMessage(delivered, false), delivered), ["delivery", "thread"])
    assert.deepEqual(of(withMessage(message(3), true), message(3)), ["message", "thread"])
    const edited: ChatMessage = { ...message(1), text: "other" }
    assert.deepEqual(of(withMessage(edited, false, message(1))), ["message-changed"])
    const gone = new Step()
    gone.gone.push({ thread, message: message(1) })
    assert.deepEqual(of(gone), ["message-gone", "thread"])
  })

  it("hear nothing of keys that a message used up, and of a group's people and wishes at once", async () => {
    const { channel, of } = await world()
    const put = (next: Channel): Step => {
      const step = new Step()
      step.channels.set(toHex(groupId), next)
      return step
    }
    const { next: state } = await encrypt(channel.state, primitives.randomBytes(8))
    const spoken = { ...channel, state, spoken: 1, epochs: channel.epochs.map((e) => ({ ...e })) }
    assert.deepEqual(of(put(spoken)), [])
    const way = { ...NEW_GROUP, way: { ...NEW_GROUP.way, returned: 3 } }
    assert.deepEqual(of(put({ ...spoken, group: way })), [])
    const wishes = [{ kind: "rename" as const, name: "Crew" }]
    const wishing = { ...spoken, group: { ...way, wishes } }
    assert.deepEqual(of(put(wishing)), ["thread"])
    const people = new Map([[me, { name: "Ada", key: new Uint8Array(32) }]])
    assert.deepEqual(of(put({ ...wishing, group: { ...wishing.group, people } })), ["thread"])
  })
})
