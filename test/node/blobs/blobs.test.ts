import assert from "node:assert/strict"
import { describe, test, type TestContext } from "node:test"
import { primitives } from "#primitives"
import { type Bytes, concat } from "../../../src/crypto/bytes.ts"
import {
  type BlobRef,
  CHUNK_DATA_BYTES,
  chunkCount,
  newBlobKey,
  sealChunk,
} from "../../../src/crypto/blob.ts"
import { grantEnvelope, grantRoot, grantTree } from "../../../src/crypto/blob-grant.ts"
import { ADMISSION_BYTES } from "../../../src/crypto/envelope.ts"
import {
  BLOB_PROTOCOL,
  BLOB_REPLY_BYTES_MAX,
  BLOB_REQUEST_BYTES_MAX,
  type BlobRequest,
  decodeBlobRequest,
  decodeStored,
  encodeBlobRequest,
  encodeChunk,
  encodeHave,
  encodeKeepers,
  encodeStored,
} from "../../../src/node/blobs/messages.ts"
import { BlobError, type BlobErrorCode, GET_BYTES_MAX } from "../../../src/node/blobs/blobs.ts"
import {
  blobPeer,
  type BlobPeer,
  type BlobPeerOptions,
  untilConnected,
} from "../../helpers/blob-peers.ts"
import { testMesh, type TestMesh } from "../../helpers/envelopes.ts"
import { testPeer } from "../../helpers/peers.ts"

const random = (length: number): Bytes => {
  const out = new Uint8Array(length)
  for (let at = 0; at < length; at += 2 ** 20)
    out.set(primitives.randomBytes(Math.min(2 ** 20, length - at)), at)
  return out
}
const soon = () => AbortSignal.timeout(30_000)

const failing = (code: BlobErrorCode) => (error: unknown) => {
  assert(error instanceof BlobError, String(error))
  assert.equal(error.code, code)
  return true
}

/** A first peer, and others that are connected to it. */
async function meshOf(
  t: TestContext,
  roles: readonly BlobPeerOptions[],
): Promise<{ mesh: TestMesh; peers: BlobPeer[] }> {
  const mesh = testMesh()
  const [first = {}, ...rest] = roles
  const hub = await blobPeer(t, mesh, first)
  const others: BlobPeer[] = []
  for (const options of rest) {
    const other = await blobPeer(t, mesh, { bootstrap: hub.addresses(), ...options })
    await untilConnected(other, hub)
    others.push(other)
  }
  return { mesh, peers: [hub, ...others] }
}

/** Chunks that lie at a peer, of those of this blob. */
const held = (peer: BlobPeer) => peer.shelf.count

describe("a blob", () => {
  test("put at one peer and read at another, whatever its size, by way of a third", async (t) => {
    const { peers } = await meshOf(t, [{}, { role: "none" }, { role: "none" }])
    const [keeper, sender, receiver] = peers as [BlobPeer, BlobPeer, BlobPeer]
    let chunks = 0
    for (const size of [0, 1, 35_000, CHUNK_DATA_BYTES, CHUNK_DATA_BYTES + 1, 3_000_000]) {
      const data = random(size)
      const ref = await sender.blobs.put(data, soon())
      assert.equal(ref.size, size)
      assert.deepEqual(await receiver.blobs.get(ref, soon()), data)
      chunks += chunkCount(size) + (chunkCount(size) > 1 ? 1 : 0)
      assert.equal(held(keeper), chunks)
    }
  })

  test("comes in pieces of any length and is the same", async (t) => {
    const { peers } = await meshOf(t, [{}, { role: "none" }])
    const [, sender] = peers as [BlobPeer, BlobPeer]
    const pieces = [random(1), random(0), random(700_000), random(3)]
    // eslint-disable-next-line @typescript-eslint/require-await -- a stream that has everything at hand
    async function* stream() {
      yield* pieces
    }
    const ref = await sender.blobs.put(stream(), soon())
    assert.deepEqual(await sender.blobs.get(ref, soon()), concat(...pieces))
  })

  test("can be read when its sender is gone", async (t) => {
    const { peers } = await meshOf(t, [{}, { role: "casual" }, { role: "none" }])
    const [, sender, receiver] = peers as [BlobPeer, BlobPeer, BlobPeer]
    const data = random(1_000_000)
    const ref = await sender.blobs.put(data, soon())
    await sender.stop()
    assert.deepEqual(await receiver.blobs.get(ref, soon()), data)
  })

  test("waits for a keeper where there is none, and gives up when told to", async (t) => {
    const mesh = testMesh()
    const alone = await blobPeer(t, mesh, { role: "none" })
    const giveUp = new AbortController()
    const lost = alone.blobs.put(random(10), giveUp.signal)
    const kept = alone.blobs.put(random(10), soon())
    giveUp.abort(new Error("enough"))
    await assert.rejects(lost, /enough/)
    const keeper = await blobPeer(t, mesh, { bootstrap: alone.addresses() })
    await kept
    assert.equal(held(keeper), 1)
  })

  test("more than fits in one piece is refused before anything is fetched", async (t) => {
    const alone = await blobPeer(t, testMesh())
    const ref: BlobRef = { size: GET_BYTES_MAX + 1, key: random(32), root: random(32) }
    await assert.rejects(alone.blobs.get(ref, soon()), failing("BLOB_TOO_LARGE"))
  })
})

describe("keepers", () => {
  test("each chunk lies at three of them, and the headless come first", async (t) => {
    const { peers } = await meshOf(t, [{ role: "none" }, {}, {}, {}, {}, { role: "casual" }])
    const [sender, ...keepers] = peers as [BlobPeer, ...BlobPeer[]]
    const data = random(5 * CHUNK_DATA_BYTES)
    const ref = await sender.blobs.put(data, soon())
    const counts = keepers.map(held)
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      3 * 6,
    )
    assert.equal(counts.at(-1), 0)
    // what belongs where follows from the ids alone: another peer finds it
    assert.deepEqual(await keepers[0]!.blobs.get(ref, soon()), data)
  })

  test("in a mesh of two, the other one", async (t) => {
    const { peers } = await meshOf(t, [{ role: "casual" }, { role: "casual" }])
    const [one, other] = peers as [BlobPeer, BlobPeer]
    const data = random(400_000)
    const ref = await one.blobs.put(data, soon())
    await one.stop()
    assert.deepEqual(await other.blobs.get(ref, soon()), data)
  })

  test("who is known to a keeper only is found through it", async (t) => {
    const { mesh, peers } = await meshOf(t, [{}, {}])
    const [hub, far] = peers as [BlobPeer, BlobPeer]
    // the hub has found out that the far one is a keeper too
    await hub.blobs.put(random(10), soon())
    // the sender meets the hub alone; that it comes to the far one is the hub's word
    const sender = await blobPeer(t, mesh, { role: "none" })
    await sender.transport.dial(hub.addresses(), soon())
    await sender.blobs.put(random(10), soon())
    await sender.blobs.put(random(10), soon())
    assert.equal(held(hub), 3)
    assert.equal(held(far), 3)
  })

  test("a full one is passed over", async (t) => {
    const { peers } = await meshOf(t, [{ role: "none" }, { chunksMax: 2 }, {}])
    const [sender, small, large] = peers as [BlobPeer, BlobPeer, BlobPeer]
    await sender.blobs.put(random(6 * CHUNK_DATA_BYTES), soon())
    assert.equal(held(small), 2)
    assert.equal(held(large), 7)
  })

  test("one that keeps nothing for others gives and takes nothing", async (t) => {
    const { mesh, peers } = await meshOf(t, [{ role: "none" }, { role: "none" }])
    const [one, other] = peers as [BlobPeer, BlobPeer]
    const ref = await one.blobs.seal(random(10), soon())
    const ask = await asking(other, one, mesh)
    assert.deepEqual([...(await ask({ kind: "get", id: ref.root }))], [2])
    assert.deepEqual([...(await ask({ kind: "have", ids: [ref.root] }))], [2])
  })
})

describe("an interrupted transfer goes on where it was", () => {
  test("an upload: what the keepers have is not sent again", async (t) => {
    const { peers } = await meshOf(t, [{}, { role: "none" }])
    const [keeper, sender] = peers as [BlobPeer, BlobPeer]
    const ref = await sender.blobs.seal(random(8 * CHUNK_DATA_BYTES), soon())
    const stop = new AbortController()
    const first = sender.blobs.upload(ref, {
      signal: stop.signal,
      onProgress: (copies) => {
        if (copies >= 3) stop.abort(new Error("killed"))
      },
    })
    await assert.rejects(first, /killed/)
    const before = held(keeper)
    assert(before >= 3 && before < 9)
    const seen: number[] = []
    await sender.blobs.upload(ref, {
      signal: soon(),
      resumed: true,
      onProgress: (copies) => seen.push(copies),
    })
    assert(seen[0]! >= before, `began at ${seen[0]} of ${before}`)
    assert.equal(held(keeper), 9)
  })

  test("a download: what is here is not asked for again", async (t) => {
    const { peers } = await meshOf(t, [{}, { role: "none" }, { role: "none" }])
    const [, sender, receiver] = peers as [BlobPeer, BlobPeer, BlobPeer]
    const data = random(8 * CHUNK_DATA_BYTES)
    const ref = await sender.blobs.put(data, soon())
    const stop = new AbortController()
    const first = receiver.blobs.fetch(ref, {
      signal: stop.signal,
      onProgress: (chunks) => {
        if (chunks >= 4) stop.abort(new Error("killed"))
      },
    })
    await assert.rejects(first, /killed/)
    const before = held(receiver)
    assert(before >= 3 && before < 9, `${before} chunks`)
    assert.deepEqual(await receiver.blobs.get(ref, soon()), data)
  })
})

describe("against those who lie", () => {
  test("wrong bytes, promises and refusals cost another question; the honest keeper's chunk is what counts", async (t) => {
    const { mesh, peers } = await meshOf(t, [{}, { role: "none" }, { role: "none" }])
    const [honest, sender, receiver] = peers as [BlobPeer, BlobPeer, BlobPeer]
    const asked: string[] = []
    const data = random(4 * CHUNK_DATA_BYTES)
    const ref = await sender.blobs.put(data, soon())
    // three that say they are headless keepers: one gives wrong bytes, one has what it does not give, one speaks nonsense
    const wrong = encodeChunk(sealChunk(newBlobKey(), 0, random(5)).bytes)
    const answers = [wrong, encodeChunk(undefined), random(50)]
    for (const get of answers)
      await liar(t, mesh, receiver, (request) => {
        asked.push(request.kind)
        switch (request.kind) {
          case "keepers":
            return encodeKeepers({ role: "headless", others: [] })
          case "have":
            return encodeHave(request.ids.map(() => true))
          case "get":
            return get
          case "put":
            return encodeStored()
        }
      })
    assert.deepEqual(await receiver.blobs.get(ref, soon()), data)
    assert(asked.includes("get"))
    assert.equal(held(honest), 5)
  })

  test("a keeper that says it has what it was never given delays an upload to the others by nothing", async (t) => {
    const { mesh, peers } = await meshOf(t, [{ role: "none" }, {}])
    const [sender, honest] = peers as [BlobPeer, BlobPeer]
    await liar(t, mesh, sender, (request) =>
      request.kind === "keepers"
        ? encodeKeepers({ role: "headless", others: [] })
        : encodeHave(request.kind === "have" ? request.ids.map(() => true) : []),
    )
    const ref = await sender.blobs.seal(random(10), soon())
    await sender.blobs.upload(ref, { signal: soon(), resumed: true })
    assert(honest.shelf.has(ref.root))
  })

  test("a blob that its author made wrong is said to be damaged, and is not tried for ever", async (t) => {
    const { peers } = await meshOf(t, [{}, { role: "none" }])
    const [, sender] = peers as [BlobPeer, BlobPeer]
    const good = await sender.blobs.put(random(2 * CHUNK_DATA_BYTES), soon())
    // the same chunks under another key, of another size, and as if the root were the data
    const wrong: BlobRef[] = [
      { ...good, key: newBlobKey() },
      { ...good, size: good.size + CHUNK_DATA_BYTES },
      { ...good, size: 100 },
    ]
    for (const ref of wrong)
      await assert.rejects(sender.blobs.get(ref, soon()), failing("BLOB_DAMAGED"))
  })
})

describe("admission", () => {
  const key = newBlobKey()
  const chunks = [sealChunk(key, 0, random(9)), sealChunk(key, 1, random(9))]
  const [one, other] = chunks as [(typeof chunks)[0], (typeof chunks)[0]]
  const tree = grantTree(chunks.map(({ id }) => id))

  test("a chunk is taken under an admission for its id, and under no other", async (t) => {
    const { mesh, peers } = await meshOf(t, [{}, { role: "none" }])
    const [keeper, sender] = peers as [BlobPeer, BlobPeer]
    const put = await asking(sender, keeper, mesh)
    const unpaid = new Uint8Array(ADMISSION_BYTES)
    const [here, there] = tree.paths as [(typeof tree.paths)[0], (typeof tree.paths)[0]]
    const alone = { index: 0, path: [] }
    const wrong = [grantRoot(one.id, there), grantRoot(one.id, alone), grantRoot(other.id, here)]
    // so little work is asked for here that one in sixteen proofs would do for something else as well
    let paid = unpaid
    const servesOthers = async () =>
      (await Promise.all(wrong.map((root) => sender.judge(grantEnvelope(root, paid))))).some(
        ({ verdict }) => verdict === "accept",
      )
    do paid = (await sender.pay(grantEnvelope(tree.root))).slice(0, ADMISSION_BYTES)
    while (await servesOthers())
    const tries: [Bytes, typeof here, Bytes][] = [
      [unpaid, here, one.bytes],
      [paid, there, one.bytes],
      [paid, alone, one.bytes],
      [paid, here, other.bytes],
    ]
    for (const [admission, place, chunk] of tries) {
      const answer = decodeStored(await put({ kind: "put", admission, place, chunk }))
      assert.equal(answer, "NOT_ADMITTED")
    }
    assert.equal(held(keeper), 0)
    for (const [place, chunk] of [
      [here, one.bytes],
      [there, other.bytes],
    ] as const)
      assert.equal(decodeStored(await put({ kind: "put", admission: paid, place, chunk })), null)
    assert.equal(held(keeper), 2)
  })

  test("a peer of another mesh is told so", async (t) => {
    const { peers } = await meshOf(t, [{}, { role: "none" }])
    const [keeper, sender] = peers as [BlobPeer, BlobPeer]
    const ask = await asking(sender, keeper, testMesh())
    assert.deepEqual([...(await ask({ kind: "keepers" }))], [1])
  })

  test("an admission that the keepers refuse is made anew once, and then they are passed over", async (t) => {
    const mesh = testMesh()
    const sender = await blobPeer(t, mesh, { role: "none" })
    const refused: string[] = []
    const stop = new AbortController()
    await liar(t, mesh, sender, (request) => {
      if (request.kind === "keepers") return encodeKeepers({ role: "headless", others: [] })
      if (request.kind === "put") refused.push(Buffer.from(request.admission).toString("hex"))
      if (refused.length === 2) setImmediate(() => stop.abort(new Error("seen")))
      return Uint8Array.of(4)
    })
    await assert.rejects(sender.blobs.put(random(10), stop.signal), /seen/)
    assert.equal(new Set(refused).size, 2)
  })
})

/** A peer that answers as it likes. */
async function liar(
  t: TestContext,
  mesh: TestMesh,
  victim: BlobPeer,
  answer: (request: BlobRequest) => Bytes,
): Promise<void> {
  const peer = await testPeer(t, mesh)
  const limits = { requestBytesMax: BLOB_REQUEST_BYTES_MAX }
  await peer.streams.serve(BLOB_PROTOCOL, limits, (request) =>
    Promise.resolve(answer(decodeBlobRequest(request))),
  )
  await victim.transport.dial(peer.addresses(), soon())
}

type WithoutMesh<T> = T extends unknown ? Omit<T, "meshId"> : never

/** Asks `to` whatever the test likes; gives the bare reply. */
async function asking(from: BlobPeer, to: BlobPeer, { meshId }: TestMesh) {
  await from.transport.dial(to.addresses(), soon())
  return (request: WithoutMesh<BlobRequest>) =>
    from.streams
      .request(to.id, BLOB_PROTOCOL, encodeBlobRequest({ ...request, meshId }), {
        replyBytesMax: BLOB_REPLY_BYTES_MAX,
      })
      .then((reply) => Uint8Array.from(reply))
}
