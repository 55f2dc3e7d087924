import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { primitives } from "#primitives"
import { CARD_BLOB_BYTES } from "../../../src/crypto/card-blob.ts"
import {
  CARD_BLOB_REPLY_BYTES_MAX,
  CARD_BLOB_REQUEST_BYTES_MAX,
  type CardBlobRefusal,
  type CardBlobRequest,
  decodeCardBlob,
  decodeCardBlobRequest,
  decodeHas,
  decodeKept,
  encodeCardBlob,
  encodeCardBlobRefusal,
  encodeCardBlobRequest,
  encodeHas,
  encodeKept,
} from "../../../src/node/directory/card-blob-messages.ts"
import { strictDecoder } from "../../helpers/decoders.ts"

const random = (length: number) => primitives.randomBytes(length)
const name = { meshId: random(32), blinded: random(32), id: random(32) }
const blob = random(CARD_BLOB_BYTES)

describe("requests for a card's blob", () => {
  const requests: readonly CardBlobRequest[] = [
    { ...name, kind: "have" },
    { ...name, kind: "get" },
    { ...name, kind: "put", blob },
  ]
  for (const request of requests)
    test(`${request.kind}: decodes to what was encoded, and to nothing else`, () => {
      const bytes = encodeCardBlobRequest(request)
      assert.deepEqual(decodeCardBlobRequest(bytes), request)
      strictDecoder(bytes, decodeCardBlobRequest, encodeCardBlobRequest)
    })

  test("a put is exactly as long as streams take", () => {
    const put = encodeCardBlobRequest({ ...name, kind: "put", blob })
    assert.equal(put.length, CARD_BLOB_REQUEST_BYTES_MAX)
  })
})

describe("replies about a card's blob", () => {
  const refusals: readonly CardBlobRefusal[] = ["OTHER_MESH", "UNNAMED", "TOO_OFTEN"]
  const isRefusal = (value: unknown): value is CardBlobRefusal => typeof value === "string"

  test("decode to what was encoded, and to nothing else", () => {
    for (const has of [true, false]) {
      assert.equal(decodeHas(encodeHas(has)), has)
      strictDecoder(encodeHas(has), decodeHas, (value) =>
        isRefusal(value) ? encodeCardBlobRefusal(value) : encodeHas(value),
      )
    }
    assert.equal(decodeKept(encodeKept()), null)
    strictDecoder(encodeKept(), decodeKept, (value) =>
      isRefusal(value) ? encodeCardBlobRefusal(value) : encodeKept(),
    )
    for (const given of [blob, undefined]) {
      assert.deepEqual(decodeCardBlob(encodeCardBlob(given)), { blob: given })
      strictDecoder(encodeCardBlob(given), decodeCardBlob, (value) =>
        isRefusal(value) ? encodeCardBlobRefusal(value) : encodeCardBlob(value.blob),
      )
    }
  })

  test("a refusal is the same whatever was asked", () => {
    for (const refusal of refusals)
      for (const decode of [decodeHas, decodeKept, decodeCardBlob])
        assert.equal(decode(encodeCardBlobRefusal(refusal)), refusal)
  })

  test("one with a blob is exactly as long as streams take", () => {
    assert.equal(encodeCardBlob(blob).length, CARD_BLOB_REPLY_BYTES_MAX)
  })
})
