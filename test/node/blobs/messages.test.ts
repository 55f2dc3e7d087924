import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { primitives } from "#primitives"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { CHUNK_BYTES } from "../../../src/crypto/blob.ts"
import { GRANT_DEPTH_MAX } from "../../../src/crypto/blob-grant.ts"
import {
  BLOB_REPLY_BYTES_MAX,
  BLOB_REQUEST_BYTES_MAX,
  type BlobRefusal,
  type BlobRequest,
  decodeBlobRequest,
  decodeChunk,
  decodeHave,
  decodeKeepers,
  decodeStored,
  encodeBlobRefusal,
  encodeBlobRequest,
  encodeChunk,
  encodeHave,
  encodeKeepers,
  encodeStored,
  HAVE_MAX,
  KEEPERS_TOLD_MAX,
  type KeepersReply,
} from "../../../src/node/blobs/messages.ts"
import { codeOf, strictDecoder } from "../../helpers/decoders.ts"

const random = (length: number) => primitives.randomBytes(length)
const meshId = random(32)
const ids = (count: number) => Array.from({ length: count }, () => random(32))
const put = (depth: number): BlobRequest => ({
  meshId,
  kind: "put",
  admission: random(384),
  place: { index: 2 ** depth - 1, path: ids(depth) },
  chunk: random(CHUNK_BYTES),
})

describe("requests", () => {
  const requests: readonly BlobRequest[] = [
    { meshId, kind: "keepers" },
    { meshId, kind: "have", ids: ids(3) },
    { meshId, kind: "get", id: random(32) },
    put(2),
  ]
  for (const request of requests)
    test(`${request.kind}: decodes to what was encoded, and to nothing else`, () => {
      const bytes = encodeBlobRequest(request)
      assert.deepEqual(decodeBlobRequest(bytes), request)
      strictDecoder(bytes, decodeBlobRequest, encodeBlobRequest)
    })

  test("the longest is exactly as long as streams take", () => {
    assert.equal(encodeBlobRequest(put(GRANT_DEPTH_MAX)).length, BLOB_REQUEST_BYTES_MAX)
  })

  test("more than may be asked for at once, and a tree that is too deep, are refused", () => {
    const have = encodeBlobRequest({ meshId, kind: "have", ids: ids(HAVE_MAX + 1) })
    for (const bytes of [have, encodeBlobRequest(put(GRANT_DEPTH_MAX + 1))])
      assert.equal(
        codeOf(() => decodeBlobRequest(bytes)),
        "TOO_LARGE",
      )
  })
})

describe("replies", () => {
  const keepers: KeepersReply = {
    role: "headless",
    others: [
      { role: "headless", addresses: ["/ip4/192.0.2.1/tcp/1/p2p/x", "/ip4/192.0.2.1/tcp/2/ws"] },
      { role: "casual", addresses: [] },
    ],
  }
  const chunk = random(CHUNK_BYTES)

  /** Encodes what was decoded again, refusals included. */
  const again =
    <T extends object | null>(encode: (value: T) => Bytes) =>
    (value: T | BlobRefusal) =>
      typeof value === "string" ? encodeBlobRefusal(value) : encode(value)

  test("decode to what was encoded, and take no other encoding", () => {
    assert.deepEqual(decodeKeepers(encodeKeepers(keepers)), keepers)
    assert.deepEqual(decodeHave(encodeHave([true, false])), [true, false])
    assert.deepEqual(decodeChunk(encodeChunk(chunk)), { chunk })
    assert.deepEqual(decodeChunk(encodeChunk(undefined)), { chunk: undefined })
    assert.equal(decodeStored(encodeStored()), null)
    strictDecoder(encodeKeepers(keepers), decodeKeepers, again(encodeKeepers))
    strictDecoder(encodeHave([true, false, true]), decodeHave, again(encodeHave))
    strictDecoder(
      encodeChunk(chunk),
      decodeChunk,
      again(({ chunk: one }) => encodeChunk(one)),
    )
  })

  test("a refusal stands in place of any answer", () => {
    for (const refusal of ["OTHER_MESH", "NO_KEEPER", "FULL", "NOT_ADMITTED"] as const)
      for (const decode of [decodeKeepers, decodeHave, decodeChunk, decodeStored])
        assert.equal(decode(encodeBlobRefusal(refusal)), refusal)
  })

  test("the longest fit the limit that streams are given; more is refused", () => {
    assert.equal(encodeChunk(chunk).length, BLOB_REPLY_BYTES_MAX)
    const others = Array.from({ length: KEEPERS_TOLD_MAX }, () => ({
      role: "headless" as const,
      addresses: Array.from({ length: 8 }, () => "x".repeat(256)),
    }))
    assert(encodeKeepers({ role: "none", others }).length <= BLOB_REPLY_BYTES_MAX)
    const crowd = encodeKeepers({ role: "none", others: [...others, ...others] })
    assert.equal(
      codeOf(() => decodeKeepers(crowd)),
      "TOO_LARGE",
    )
  })
})
