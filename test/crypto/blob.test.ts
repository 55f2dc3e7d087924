import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import { primitives } from "#primitives"
import {
  BLOB_BYTES_MAX,
  BLOB_REF_BYTES,
  CHUNK_BYTES,
  CHUNK_DATA_BYTES,
  CHUNK_ID_BYTES,
  chunkCount,
  chunkLength,
  CHUNKS_MAX,
  decodeBlobRef,
  encodeBlobRef,
  isChunk,
  newBlobKey,
  openChunk,
  openManifest,
  sealChunk,
  sealManifest,
} from "../../src/crypto/blob.ts"
import {
  GRANT_CHUNKS_MAX,
  grantEnvelope,
  grantRoot,
  grantTree,
} from "../../src/crypto/blob-grant.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES, envelopeId } from "../../src/crypto/envelope.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const random = (length: number) => primitives.randomBytes(length)

describe("a chunk", () => {
  const key = newBlobKey()

  test("is of one length, whatever it holds, and is named by the hash of its ciphertext", () => {
    for (const length of [0, 1, 1000, CHUNK_DATA_BYTES]) {
      const data = random(length)
      const { id, bytes } = sealChunk(key, 3, data)
      assert.equal(bytes.length, CHUNK_BYTES)
      assert.deepEqual(id, primitives.blake3(bytes))
      assert(isChunk(id, bytes))
      assert.deepEqual(openChunk(key, 3, bytes, length), data)
    }
  })

  test("more than it holds is refused", () => {
    assert.equal(
      codeOf(() => sealChunk(key, 0, random(CHUNK_DATA_BYTES + 1))),
      "TOO_LARGE",
    )
  })

  test("opens at its place under its key and nowhere else, and not when a bit is turned", () => {
    const { id, bytes } = sealChunk(key, 3, random(100))
    const turned = bytes.slice()
    turned[70_000]! ^= 1
    assert(!isChunk(id, turned))
    const wrong = [
      () => openChunk(key, 4, bytes, 100),
      () => openChunk(key, "manifest", bytes, 100),
      () => openChunk(newBlobKey(), 3, bytes, 100),
      () => openChunk(key, 3, turned, 100),
    ]
    for (const open of wrong) assert.equal(codeOf(open), "BAD_SIGNATURE")
    assert.equal(
      codeOf(() => openChunk(key, 3, bytes.subarray(1), 100)),
      "BAD_LENGTH",
    )
  })

  test("what stands beyond its length is zero", () => {
    const { bytes } = sealChunk(key, 0, random(100).fill(1))
    assert.equal(
      codeOf(() => openChunk(key, 0, bytes, 99)),
      "BAD_ENCODING",
    )
  })

  test("two chunks of one blob, and of one file twice, have nothing in common", () => {
    const data = random(1000)
    const all = [sealChunk(key, 0, data), sealChunk(key, 1, data), sealChunk(newBlobKey(), 0, data)]
    assert.equal(
      new Set(all.map(({ bytes }) => Buffer.from(bytes.subarray(0, 16)).toString("hex"))).size,
      3,
    )
  })
})

describe("sizes", () => {
  test("the chunks of a blob hold exactly its bytes", () => {
    fc.assert(
      fc.property(fc.nat(BLOB_BYTES_MAX), (size) => {
        const count = chunkCount(size)
        let sum = 0
        for (let i = 0; i < count; i++) {
          const length = chunkLength(size, i)
          assert(length <= CHUNK_DATA_BYTES && (length > 0 || size === 0))
          sum += length
        }
        assert.equal(sum, size)
        assert.equal(chunkLength(size, count), 0)
      }),
      { numRuns: 30 },
    )
    assert.equal(chunkCount(0), 1)
    assert.equal(chunkCount(BLOB_BYTES_MAX), CHUNKS_MAX)
  })

  test("the ids of the largest blob fit one manifest", () => {
    assert(4 + CHUNKS_MAX * CHUNK_ID_BYTES <= CHUNK_DATA_BYTES)
    assert(4 + (CHUNKS_MAX + 1) * CHUNK_ID_BYTES > CHUNK_DATA_BYTES)
    sealManifest(
      newBlobKey(),
      Array.from({ length: CHUNKS_MAX }, () => random(32)),
    )
  })
})

describe("a manifest", () => {
  const key = newBlobKey()
  const size = 2 * CHUNK_DATA_BYTES + 1
  const ids = [random(32), random(32), random(32)]

  test("names the chunks in order", () => {
    const { id, bytes } = sealManifest(key, ids)
    assert.deepEqual(openManifest({ size, key, root: id }, bytes), ids)
  })

  test("of more or fewer chunks than the size says is none", () => {
    for (const others of [[...ids, random(32)], ids.slice(1), []]) {
      const { id, bytes } = sealManifest(key, others)
      assert.equal(
        codeOf(() => openManifest({ size, key, root: id }, bytes)),
        "BAD_ENCODING",
      )
    }
  })
})

describe("a ref", () => {
  const ref = { size: 123_456_789, key: newBlobKey(), root: random(32) }

  test("is compact, and takes one encoding only", () => {
    const bytes = encodeBlobRef(ref)
    assert.equal(bytes.length, BLOB_REF_BYTES)
    assert.deepEqual(decodeBlobRef(bytes), ref)
    strictDecoder(bytes, decodeBlobRef, encodeBlobRef)
  })

  test("to more than a blob may be is refused", () => {
    const bytes = encodeBlobRef({ ...ref, size: BLOB_BYTES_MAX })
    bytes[8]! += 1
    assert.equal(
      codeOf(() => decodeBlobRef(bytes)),
      "TOO_LARGE",
    )
  })
})

describe("a grant", () => {
  const ids = (count: number) => Array.from({ length: count }, () => random(32))

  test("each chunk's path leads to the one root, and no other chunk's does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: GRANT_CHUNKS_MAX }), (count) => {
        const all = ids(count)
        const { root, paths } = grantTree(all)
        for (const [i, id] of all.entries()) {
          assert.deepEqual(grantRoot(id, paths[i]!), root)
          assert.notDeepEqual(grantRoot(random(32), paths[i]!), root)
          if (count > 1) assert.notDeepEqual(grantRoot(id, paths[(i + 1) % count]!), root)
        }
      }),
      { numRuns: 30 },
    )
  })

  test("a path that no tree has is refused", () => {
    const [id = random(32)] = ids(1)
    const path = ids(2)
    assert.equal(
      codeOf(() => grantRoot(id, { index: 4, path })),
      "BAD_ENCODING",
    )
    assert.equal(
      codeOf(() => grantRoot(id, { index: 0, path: ids(7) })),
      "BAD_ENCODING",
    )
    for (const count of [0, GRANT_CHUNKS_MAX + 1])
      assert.equal(
        codeOf(() => grantTree(ids(count))),
        "TOO_LARGE",
      )
  })

  test("has the form of an envelope whose id binds the root, and no admission of its own", () => {
    const [root = random(32), other = random(32)] = ids(2)
    const bytes = grantEnvelope(root)
    assert.equal(bytes.length, ENVELOPE_BYTES)
    assert.deepEqual(envelopeId(bytes), envelopeId(grantEnvelope(root, random(ADMISSION_BYTES))))
    assert.notDeepEqual(envelopeId(bytes), envelopeId(grantEnvelope(other)))
  })
})
