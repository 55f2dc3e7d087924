/** What is kept of a payload to show it: for words that are here, or may be later; replaced, and gone, together with what opens them. */
import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import type { Content } from "../../../src/chat/content.ts"
import { type ChatMessage, PLAIN } from "../../../src/chat/message.ts"
import { type Address, addressFromBytes } from "../../../src/crypto/address.ts"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import { Step } from "../../../src/node/chat/book.ts"
import { EvidenceKeeper, type SignedPayload } from "../../../src/node/chat/evidence.ts"
import { ChatRecords } from "../../../src/node/chat/records.ts"
import type { Found } from "../../../src/node/chat/transcript.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { MemoryShelf } from "../../helpers/chat-world.ts"

const [ADA, EVE] = [1, 2].map((byte) => addressFromBytes(new Uint8Array(64).fill(byte))) as [Address, Address] // prettier-ignore
const idOf = (byte: number): Bytes => new Uint8Array(16).fill(byte)
const text = (byte: number): Content => ({ kind: "text", id: idOf(byte), sentAtMs: 1, lamport: 1, text: "x" }) // prettier-ignore

describe("evidence of what was said", () => {
  let records: ChatRecords
  let here: Map<string, ChatMessage>
  let keeper: EvidenceKeeper

  beforeEach(() => {
    records = new ChatRecords(new Sealed(openVault(new Uint8Array(32)), new MemoryShelf()))
    here = new Map()
    const find = (_: Step, id: Bytes) => {
      const message = here.get(toHex(id))
      return Promise.resolve(message && ({ message } as Found))
    }
    keeper = new EvidenceKeeper({ records }, { find })
  })

  const says = (author: Address, byte: number, more: Partial<ChatMessage> = {}) => {
    const about = { ...PLAIN, id: idOf(byte), author, mine: false, late: false, lamport: 1 }
    const rest = {
      sentAtMs: 1,
      text: "x",
      delivery: "delivered",
      audience: 0,
      awaited: [],
    } as const
    here.set(toHex(idOf(byte)), { ...about, ...rest, ...more })
  }
  /** A payload, told from others by its key. */
  const payload = (by: Address, key: number, ...contents: Content[]): SignedPayload => ({
    by,
    contents,
    signedBy: new Uint8Array(32),
    opening: {
      leaf: 0,
      key: new Uint8Array(32).fill(key),
      nonce: new Uint8Array(12),
      context: new Uint8Array(9),
    },
    carriers: [{ id: new Uint8Array(32).fill(key), key: new Uint8Array(32) }],
  })
  async function step(
    fill: (step: Step) => Promise<void>,
    gone: { by: Address; id: Bytes }[] = [],
  ) {
    const made = new Step()
    await fill(made)
    await records.write(await records.evidence.changed(made.evidence, gone), { sync: false })
  }
  const keyOf = async (by: Address, byte: number) =>
    (await records.evidence.of({ by, id: idOf(byte) }))?.opening.key[0]

  it("is kept for words that are here, once for all of a payload", async () => {
    says(ADA, 1)
    says(ADA, 2)
    await step((made) => keeper.keep(made, payload(ADA, 7, text(1), text(2), text(3))))
    assert.deepEqual([await keyOf(ADA, 1), await keyOf(ADA, 2), await keyOf(ADA, 3)], [7, 7, undefined]) // prettier-ignore
    // Without knowing what carried it nothing could be shown.
    says(ADA, 4)
    await step((made) => keeper.keep(made, { ...payload(ADA, 8, text(4)), carriers: [] }))
    assert.equal(await keyOf(ADA, 4), undefined)
  })

  it("goes with any of its words, whether they were written before or are of the same step", async () => {
    says(ADA, 1)
    says(ADA, 2)
    await step((made) => keeper.keep(made, payload(ADA, 7, text(1), text(2))))
    await step(() => Promise.resolve(), [{ by: ADA, id: idOf(2) }])
    assert.deepEqual([await keyOf(ADA, 1), await keyOf(ADA, 2)], [undefined, undefined])
    await step((made) => keeper.keep(made, payload(ADA, 8, text(1), text(2))), [{ by: ADA, id: idOf(2) }]) // prettier-ignore
    assert.deepEqual([await keyOf(ADA, 1), await keyOf(ADA, 2)], [undefined, undefined])
  })

  it("is of the later saying as long as the first has no place, and of the first afterwards", async () => {
    says(ADA, 1)
    says(ADA, 2)
    await step((made) => keeper.keep(made, payload(ADA, 7, text(1), text(2))))
    await step((made) => keeper.keep(made, payload(ADA, 8, text(2))))
    assert.equal(await keyOf(ADA, 2), 8)
    assert.equal(await keyOf(ADA, 1), undefined, "what was kept of the first would open the other as well") // prettier-ignore
    says(ADA, 2, { place: { height: 3, index: 0, part: 0 } })
    await step((made) => keeper.keep(made, payload(ADA, 9, text(2))))
    assert.equal(await keyOf(ADA, 2), 8)
  })

  it("is kept for what takes effect later, and dropped if that says nothing here after all", async () => {
    const deferred = [text(1), text(2)]
    await step((made) => keeper.keep(made, payload(ADA, 7, ...deferred), deferred))
    assert.equal(await keyOf(ADA, 1), 7)
    const apply = keeper.sifting(() => {
      says(ADA, 1)
      return Promise.resolve()
    })
    await step((made) => apply(made, "group", ADA, [text(1)]))
    assert.equal(await keyOf(ADA, 1), 7)
    await step((made) => apply(made, "group", ADA, [text(2)]))
    assert.deepEqual([await keyOf(ADA, 1), await keyOf(ADA, 2)], [undefined, undefined])
  })

  it("is its author's: somebody who takes the id of another's message gets in nobody's way", async () => {
    says(ADA, 1)
    await step((made) => keeper.keep(made, payload(ADA, 7, text(1))))
    await step((made) => keeper.keep(made, payload(EVE, 8, text(1))))
    await step((made) => keeper.keep(made, payload(EVE, 9, text(1)), [text(1)]))
    assert.equal(await keyOf(ADA, 1), 7)
    says(EVE, 2)
    const edit: Content = { kind: "edit", id: idOf(1), target: idOf(2), sentAtMs: 1, lamport: 2, text: "y", mentions: [] } // prettier-ignore
    says(EVE, 2, { edited: { id: idOf(1), lamport: 2, atMs: 1, counts: true, first: { text: "x", mentions: [] } } }) // prettier-ignore
    await step((made) => keeper.keep(made, payload(EVE, 10, edit)))
    assert.deepEqual([await keyOf(ADA, 1), await keyOf(EVE, 1)], [7, 10])
  })
})
