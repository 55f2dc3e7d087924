import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { addressOfRoots, generateRoots } from "../../../src/crypto/identity.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import { ChatBook } from "../../../src/node/chat/book.ts"
import { Line, WAITING_MAX } from "../../../src/node/chat/line.ts"
import type { ChatParts } from "../../../src/node/chat/parts.ts"
import { ChatRecords } from "../../../src/node/chat/records.ts"
import { Transcript } from "../../../src/node/chat/transcript.ts"
import { systemClock } from "../../../src/node/clock.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { MemoryShelf } from "../../helpers/chat-world.ts"

describe("the line of texts", () => {
  it("is full when texts in line and sealed envelopes together are too many: what left the line still waits", async () => {
    const me = addressOfRoots(generateRoots())
    const peer = addressOfRoots(generateRoots())
    const records = new ChatRecords(
      new Sealed(openVault(primitives.randomBytes(32)), new MemoryShelf()),
    )
    const book = new ChatBook({ me, records, emit: () => undefined })
    const transcript = new Transcript(book, () => undefined)
    let sealed = WAITING_MAX - 1
    const line = new Line({ clock: systemClock } as ChatParts, book, transcript, () => sealed)
    const say = (text: string) =>
      line.say(book.threadWith(peer), primitives.randomBytes(16), (head) => ({
        kind: "text",
        ...head,
        text,
      }))
    await say("the last that fits")
    await assert.rejects(say("one too many"), { code: "QUEUE_FULL" })
    assert.equal(line.length, 1)
    sealed -= 2
    const both = await Promise.allSettled([say("room again"), say("for one"), say("and no more")])
    assert.deepEqual(
      both.map(({ status }) => status),
      ["fulfilled", "fulfilled", "rejected"],
    )
    sealed = 0
    await say("all were taken")
    assert.equal(line.length, 4)
    await line.stop()
  })
})
