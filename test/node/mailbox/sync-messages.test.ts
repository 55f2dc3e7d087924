import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { primitives } from "#primitives"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import {
  decodeEnvelopes,
  decodeGenesisReply,
  decodeNothing,
  decodePage,
  decodePeers,
  decodeRequest,
  encodeEnvelopes,
  encodeGenesisReply,
  encodeNothing,
  encodePage,
  encodePeers,
  encodeRefusal,
  encodeRequest,
  FETCH_MAX,
  PAGE_IDS_MAX,
  PEERS_MAX,
  REPLY_BYTES_MAX,
  REQUEST_BYTES_MAX,
  type SyncRequest,
} from "../../../src/node/mailbox/sync-messages.ts"
import { codeOf, strictDecoder } from "../../helpers/decoders.ts"
import { testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"

const random = (length: number) => primitives.randomBytes(length)
const meshId = random(32)
const storeId = random(16)
const ids = (count: number) => Array.from({ length: count }, () => random(32))

const REQUESTS: Record<string, SyncRequest> = {
  ids: { meshId, kind: "ids", cursor: { storeId, after: 77 }, limit: PAGE_IDS_MAX },
  fetch: { meshId, kind: "fetch", ids: ids(3) },
  genesis: { meshId, kind: "genesis" },
  peers: { meshId, kind: "peers" },
  news: { meshId, kind: "news", storeId, last: 2 ** 40 },
}

describe("requests", () => {
  for (const [name, request] of Object.entries(REQUESTS)) {
    test(`${name}: decodes to what was encoded, and to nothing else`, () => {
      const bytes = encodeRequest(request)
      assert.deepEqual(decodeRequest(bytes), request)
      strictDecoder(bytes, decodeRequest, encodeRequest)
    })
  }

  test("the longest fits the limit that streams are given", () => {
    const longest = encodeRequest({ meshId, kind: "fetch", ids: ids(FETCH_MAX) })
    assert(longest.length <= REQUEST_BYTES_MAX)
  })

  test("more than may be asked for at once is refused", () => {
    const greedy = encodeRequest({ meshId, kind: "fetch", ids: ids(FETCH_MAX + 1) })
    assert.equal(
      codeOf(() => decodeRequest(greedy)),
      "TOO_LARGE",
    )
    const limit = PAGE_IDS_MAX + 1
    const page = encodeRequest({ meshId, kind: "ids", cursor: { storeId, after: 0 }, limit })
    assert.equal(
      codeOf(() => decodeRequest(page)),
      "TOO_LARGE",
    )
  })
})

describe("replies", () => {
  const page = { storeId, last: 9, next: 7, ids: ids(2) }
  const envelopes = [unpaidEnvelope(), undefined, unpaidEnvelope()]
  const peers = [["/ip4/192.0.2.1/tcp/1/p2p/x", "/dns4/example.org/tcp/2/ws"], [], ["ä"]]
  const genesis = testMesh().genesis

  test("decode to what was encoded", () => {
    assert.deepEqual(decodePage(encodePage(page)), page)
    assert.deepEqual(decodeEnvelopes(encodeEnvelopes(envelopes)), envelopes)
    assert.deepEqual(decodePeers(encodePeers(peers)), peers)
    assert.deepEqual(decodeGenesisReply(encodeGenesisReply(genesis)), genesis)
    assert.equal(decodeNothing(encodeNothing()), null)
  })

  test("a refusal stands in place of any answer", () => {
    const refusal = encodeRefusal("OTHER_MESH")
    for (const decode of [
      decodePage,
      decodeEnvelopes,
      decodePeers,
      decodeGenesisReply,
      decodeNothing,
    ])
      assert.equal(decode(refusal), "OTHER_MESH")
  })

  /** Encodes what was decoded again, refusals included. */
  const again =
    <T extends object | null>(encode: (value: T) => Bytes) =>
    (value: T | "OTHER_MESH") =>
      value === "OTHER_MESH" ? encodeRefusal(value) : encode(value)

  test("take nothing but the one encoding of what they are", () => {
    strictDecoder(encodePage(page), decodePage, again(encodePage))
    strictDecoder(
      encodeEnvelopes([unpaidEnvelope(), undefined]),
      decodeEnvelopes,
      again(encodeEnvelopes),
    )
    strictDecoder(encodePeers(peers), decodePeers, again(encodePeers))
    strictDecoder(encodeGenesisReply(genesis), decodeGenesisReply, again(encodeGenesisReply))
  })

  test("the longest fit the limit that streams are given", () => {
    const full = Array.from({ length: FETCH_MAX }, unpaidEnvelope)
    assert(encodeEnvelopes(full).length <= REPLY_BYTES_MAX)
    assert(encodePage({ ...page, ids: ids(PAGE_IDS_MAX) }).length <= REPLY_BYTES_MAX)
    assert(REPLY_BYTES_MAX <= 1024 * 1024)
  })

  test("more than was allowed is refused", () => {
    const crowd = Array.from({ length: PEERS_MAX + 1 }, () => ["x"])
    assert.equal(
      codeOf(() => decodePeers(encodePeers(crowd))),
      "TOO_LARGE",
    )
    const long = [["x".repeat(300)]]
    assert.equal(
      codeOf(() => decodePeers(encodePeers(long))),
      "TOO_LARGE",
    )
  })
})
