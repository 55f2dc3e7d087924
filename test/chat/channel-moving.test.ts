/** A channel as two records: what stands is written when it changes, and what is gone from the moving one is gone from both. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { encode } from "ts-mls/codec/tlsEncoder.js"
import { secretTreeEncoder } from "ts-mls/secretTree.js"
import { primitives } from "#primitives"
import {
  type Channel,
  leaving,
  openChannel,
  readPayload,
  sealContents,
} from "../../src/chat/channel.ts"
import {
  decodeStanding,
  encodeMoving,
  encodeStanding,
  isSameMark,
  joined,
  markOf,
} from "../../src/chat/channel-moving.ts"
import { encodeChannel } from "../../src/chat/channel-record.ts"
import { openEnvelope, usedUp } from "../../src/chat/opening.ts"
import type { Content } from "../../src/chat/content.ts"
import { addressFromBytes } from "../../src/crypto/address.ts"
import { type Bytes, toHex } from "../../src/crypto/bytes.ts"
import { openVault } from "../../src/crypto/keyfile.ts"
import {
  addMembers,
  createGroup,
  createKeyPackage,
  generateSignatureSeed,
  joinFromWelcome,
  ratchetsOf,
} from "../../src/crypto/session.ts"
import { unwrap } from "../../src/crypto/session/state.ts"
import { ChannelRecords } from "../../src/node/chat/channel-records.ts"
import { Sealed } from "../../src/node/store/sealed.ts"
import { MemoryShelf } from "../helpers/chat-world.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const meshId = new Uint8Array(32).fill(9)
const [ada, bob] = [1, 2].map((i) => addressFromBytes(new Uint8Array(64).fill(i)))
assert(ada !== undefined && bob !== undefined)

async function pair(): Promise<{ ada: Channel; bob: Channel }> {
  const of = (i: number) => new Uint8Array(64).fill(i)
  const seed = () => generateSignatureSeed("ed25519")
  const theirs = await createKeyPackage({
    identity: of(2),
    signatureSeed: seed(),
    lastResort: true,
    notAfterSeconds: 2 ** 33,
  })
  const groupId = primitives.randomBytes(16)
  const alone = await createGroup({ groupId, identity: of(1), signatureSeed: seed() })
  const { next, welcome } = await addMembers(alone, [theirs.public], 1_800_000_000)
  const they = await joinFromWelcome(welcome, theirs)
  assert(they.kind === "joined" && ada !== undefined && bob !== undefined)
  return {
    ada: await openChannel(next, { peer: bob, theirName: "Bob", trusted: true }),
    bob: await openChannel(they.state, { peer: ada, theirName: "Ada", trusted: true }),
  }
}

const words = (text: string): Content[] => [
  { kind: "text", id: primitives.randomBytes(16), sentAtMs: 1, lamport: 1, text },
]

/** Seals, and is stored before it leaves. */
async function said(by: Channel, text: string): Promise<{ channel: Channel; envelope: Bytes }> {
  const { channel, until, envelopes } = await sealContents(by, meshId, words(text))
  return { channel: leaving(channel, until), envelope: envelopes[0] ?? assert.fail() }
}

/** What the other side reads, under the counter that it expects next; `undefined` when it cannot. */
async function read(
  by: Channel,
  envelope: Bytes,
  counter: number,
): Promise<{ channel: Channel; text: string } | undefined> {
  const leaf = by.peer === ada ? 0 : 1
  const opened = openEnvelope(by, meshId, { epoch: 1, leaf, counter }, envelope)
  if (opened?.fragment === undefined) return undefined
  const found = await readPayload(opened.channel, { epoch: 1, leaf }, opened.fragment.data)
  if (found.kind !== "contents") return undefined
  const [content] = found.contents
  const channel = usedUp(found.channel, { epoch: 1, leaf, counter }, opened.fragment)
  return { channel, text: content?.kind === "text" ? content.text : "" }
}

const stored = (channel: Channel): Channel => {
  const { bytes, link } = encodeStanding(channel)
  return joined(decodeStanding(bytes), encodeMoving(channel, link))
}

describe("a channel as two records", () => {
  it("comes back whole, after every envelope, as it would from one record", async () => {
    let { ada: one, bob: other } = await pair()
    for (let i = 0; i < 40; i++) {
      const sent = await said(one, `${i}`)
      one = stored(sent.channel)
      const heard = (await read(other, sent.envelope, i)) ?? assert.fail(`${i} is read`)
      assert.equal(heard.text, `${i}`)
      other = stored(heard.channel)
      for (const channel of [sent.channel, heard.channel])
        assert.deepEqual(encodeChannel(stored(channel)), encodeChannel(channel))
    }
  })

  it("has one standing record for all envelopes of an epoch, and none of its keys in it", async () => {
    const { ada: one, bob: other } = await pair()
    const sent = await said(one, "first")
    const { channel } = (await read(other, sent.envelope, 0)) ?? assert.fail()
    assert(isSameMark(markOf(other), markOf(channel)))
    assert.deepEqual(encodeStanding(other), encodeStanding(channel))
    const { bytes } = encodeStanding(other)
    for (const node of unwrap(other.state).secretTree)
      for (const { secret } of [node.application, node.handshake])
        assert(!toHex(bytes).includes(toHex(secret)), "a message's key would outlive the message")
    // [MUST] used keys are gone: what is stored after reading cannot read it again, whatever of it somebody has kept
    const { link } = encodeStanding(other)
    const after = joined(decodeStanding(bytes), encodeMoving(channel, link))
    const replayed = { ...after, epochs: other.epochs }
    assert.equal(await read(replayed, sent.envelope, 0), undefined)
    const settings: Partial<Channel>[] = [
      { trusted: false },
      { behindFrom: 3 },
      { renewedAtMs: 5 },
      { retired: true },
      { theirName: "Eve" },
    ]
    for (const changed of settings)
      assert(!isSameMark(markOf(other), markOf({ ...other, ...changed })), "it is written anew")
  })

  it("is refused when the two are of different days", async () => {
    const { ada: one, bob: other } = await pair()
    const [a, b] = [encodeStanding(one), encodeStanding(other)]
    const moving = encodeMoving(one, a.link)
    const otherDay = encodeStanding({ ...one, renewedAtMs: 7 })
    for (const standing of [b, otherDay])
      assert.equal(
        codeOf(() => joined(decodeStanding(standing.bytes), moving)),
        "BAD_ENCODING",
      )
    const standing = decodeStanding(a.bytes)
    strictDecoder(
      moving,
      (bytes) => joined(standing, bytes),
      (channel) => encodeMoving(channel, a.link),
    )
  })

  it("writes the keys of an epoch as ts-mls would", async () => {
    const { ada: one, bob: other } = await pair()
    const sent = await said(one, "first")
    const heard = (await read(other, sent.envelope, 0)) ?? assert.fail()
    const encodeTree = encode(secretTreeEncoder)
    for (const { state } of [one, other, sent.channel, heard.channel, heard.channel])
      assert.deepEqual(ratchetsOf(state), encodeTree(unwrap(state).secretTree))
  })
})

describe("channel records", () => {
  const keep = (shelf: MemoryShelf) =>
    new ChannelRecords(new Sealed(openVault(new Uint8Array(32).fill(3)), shelf))
  /** Bytes that a step would write. */
  const sizeOf = (write: ReturnType<ChannelRecords["put"]>): number[] =>
    write.ops.map((op) => (op.type === "put" ? op.value.length : 0))

  it("write what stands once, again when it changes, and again when writing it had failed", async () => {
    const shelf = new MemoryShelf()
    const records = keep(shelf)
    const { ada: one } = await pair()
    assert.equal(sizeOf(records.put(one)).length, 2, "both")
    const first = records.put(one)
    assert.equal(first.ops.length, 2, "and both again, as nothing was written")
    await shelf.write(first.ops)
    first.written()
    const sent = await said(one, "hello")
    const second = records.put(sent.channel)
    assert.equal(second.ops.length, 1)
    const [size = 0] = sizeOf(second)
    assert(size < 1_000, `${size} bytes for an envelope`)
    await shelf.write(second.ops)
    assert.equal(records.put({ ...sent.channel, renewedAtMs: 9 }).ops.length, 2)
    const again = keep(shelf)
    const [found = assert.fail("it is there")] = await again.all()
    assert.deepEqual(encodeChannel(found), encodeChannel(sent.channel))
    assert.equal(again.put(found).ops.length, 1, "read, it is known to stand there")
    const gone = again.del(toHex(one.groupId))
    await shelf.write(gone.ops)
    gone.written()
    assert.equal(shelf.rows.size, 0)
    assert.equal(again.put(found).ops.length, 2)
  })

  it("of version 5, one for everything, are read, go on, and are two from then on", async () => {
    const { record, envelope, text } = JSON.parse(
      readFileSync(
        new URL("../../../test/fixtures/channels/version5.json", import.meta.url),
        "utf8",
      ),
    ) as Record<string, string>
    const bytesOf = (base64 = "") => new Uint8Array(Buffer.from(base64, "base64"))
    const shelf = new MemoryShelf()
    const sealed = new Sealed(openVault(new Uint8Array(32).fill(3)), shelf)
    const before = bytesOf(record)
    const { groupId } = decodeStanding(before).channel
    const key = sealed.key("channels", toHex(groupId))
    await shelf.write([sealed.put(key, before)])
    const records = keep(shelf)
    const [channel = assert.fail("it is there")] = await records.all()
    const heard = (await read(channel, bytesOf(envelope), 1)) ?? assert.fail("it reads on")
    assert.equal(heard.text, text)
    const written = records.put(heard.channel)
    assert.equal(written.ops.length, 2)
    await shelf.write(written.ops)
    const [after = assert.fail("it is there")] = await keep(shelf).all()
    assert.deepEqual(encodeChannel(after), encodeChannel(heard.channel))
    assert.equal(after.epochs[0]?.next, 1, "what Bob had said by then")
  })
})
