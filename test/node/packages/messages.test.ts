import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { primitives } from "#primitives"
import { HANDFUL_BYTES_MAX, HANDFUL_MAX, SEALED_BYTES } from "../../../src/crypto/package-pool.ts"
import { SIGNINGS } from "../../../src/crypto/session.ts"
import {
  decodeGiven,
  decodePackagesRequest,
  decodeTaken,
  encodeGiven,
  encodePackagesRefusal,
  encodePackagesRequest,
  encodeTaken,
  PACKAGES_REPLY_BYTES_MAX,
  PACKAGES_REQUEST_BYTES_MAX,
  type PackagesRefusal,
  type PackagesRequest,
} from "../../../src/node/packages/messages.ts"
import { codeOf, strictDecoder } from "../../helpers/decoders.ts"

const random = (length: number) => primitives.randomBytes(length)
const meshId = random(32)

describe("requests for key packages", () => {
  it("of what to take decode to what was encoded, and to nothing else", () => {
    for (const signing of SIGNINGS) {
      const taking = { signing, epoch: 20_777, blinded: random(32), token: random(32) }
      const request: PackagesRequest = { meshId, kind: "take", taking }
      const bytes = encodePackagesRequest(request)
      assert.deepEqual(decodePackagesRequest(bytes), request)
      strictDecoder(bytes, decodePackagesRequest, encodePackagesRequest)
    }
  })

  it("carry a handful as it is; the longest is as long as streams take", () => {
    const request: PackagesRequest = { meshId, kind: "give", handful: random(HANDFUL_BYTES_MAX) }
    const bytes = encodePackagesRequest(request)
    assert.equal(bytes.length, PACKAGES_REQUEST_BYTES_MAX)
    assert.deepEqual(decodePackagesRequest(bytes), request)
    assert.equal(
      codeOf(() => decodePackagesRequest(bytes.slice(0, 20))),
      "BAD_LENGTH",
    )
    assert.equal(
      codeOf(() => decodePackagesRequest(new Uint8Array([3]))),
      "BAD_ENCODING",
    )
  })
})

describe("replies about key packages", () => {
  it("say how many are kept, never more than there can be", () => {
    for (const signing of SIGNINGS) {
      const decode = (bytes: Uint8Array) => decodeGiven(bytes, signing)
      for (const left of [0, 1, HANDFUL_MAX[signing]]) assert.equal(decode(encodeGiven(left)), left)
      assert.equal(
        codeOf(() => decode(encodeGiven(HANDFUL_MAX[signing] + 1))),
        "TOO_LARGE",
      )
      strictDecoder(encodeGiven(3), decode)
    }
  })

  it("hold one package of the size that was asked for, or none", () => {
    for (const signing of SIGNINGS) {
      const decode = (bytes: Uint8Array) => decodeTaken(bytes, signing)
      const bytes = encodeTaken(random(SEALED_BYTES[signing]))
      assert(bytes.length <= PACKAGES_REPLY_BYTES_MAX)
      strictDecoder(bytes, decode, (value) =>
        typeof value === "string" ? encodePackagesRefusal(value) : encodeTaken(value.sealed),
      )
      assert.deepEqual(decode(encodeTaken(undefined)), { sealed: undefined })
      assert.equal(
        codeOf(() => decode(encodeTaken(random(100)))),
        "BAD_LENGTH",
      )
    }
  })

  it("say why not", () => {
    const refusals: PackagesRefusal[] = ["OTHER_MESH", "UNSOUND", "STALE", "FULL", "TOO_OFTEN"]
    for (const refusal of refusals) {
      assert.equal(decodeGiven(encodePackagesRefusal(refusal), "ed25519"), refusal)
      assert.equal(decodeTaken(encodePackagesRefusal(refusal), "composite"), refusal)
    }
  })
})
