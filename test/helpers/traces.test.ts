import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { bech32m } from "@scure/base"
import { primitives } from "#primitives"
import { utf8 } from "../../src/crypto/bytes.ts"
import { found, shortTimeTraces, timeTraces, tracesOf } from "./traces.ts"

describe("the search for traces", () => {
  it("finds a secret in every form, at every place", () => {
    const secret = primitives.randomBytes(32)
    const traces = tracesOf("secret", secret)
    for (let before = 0; before < 7; before++) {
      const bytes = Buffer.concat([
        primitives.randomBytes(before),
        secret,
        primitives.randomBytes(9),
      ])
      const forms = [
        bytes,
        ...(["hex", "base64", "base64url"] as const).map((form) => utf8(bytes.toString(form))),
        utf8(bech32m.encode("sotto", bech32m.toWords(bytes), 1000)),
      ]
      for (const form of forms) assert.notDeepEqual(found("it", form, traces), [])
    }
    assert.deepEqual(found("noise", primitives.randomBytes(100_000), traces), [])
  })

  it("finds a text in UTF-8 and UTF-16, and moments however they are written", () => {
    const text = "grüße aus dem Garten"
    for (const form of ["utf8", "utf16le"] as const)
      assert.notDeepEqual(found("it", Buffer.from(`…${text}…`, form), tracesOf("text", text)), [])
    const now = Date.now()
    const traces = timeTraces(now - 60_000, now)
    for (const moment of [now - 59_000, now - 12_345, now]) {
      const binary = Buffer.alloc(20, 7)
      binary.writeBigUInt64BE(BigInt(moment), 3)
      const little = Buffer.alloc(20, 7)
      little.writeBigUInt64LE(BigInt(moment), 3)
      const short = Buffer.alloc(20, 7)
      short.writeUInt32LE(Math.floor(moment / 1000), 3)
      for (const form of [
        binary,
        little,
        utf8(`at ${moment}`),
        utf8(new Date(moment).toISOString()),
      ])
        assert.notDeepEqual(found("it", form, traces), [])
      assert.notDeepEqual(found("it", short, shortTimeTraces(now - 60_000, now)), [])
    }
  })
})
