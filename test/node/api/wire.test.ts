import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { CryptoError } from "../../../src/crypto/errors.ts"
import { API_ERROR_CODES, ApiError } from "../../../src/node/api/errors.ts"
import {
  BadRequest,
  errorLine,
  LineSplitter,
  parseFromNode,
  parseRequest,
  requestLine,
} from "../../../src/node/api/wire.ts"

describe("wire: lines", () => {
  it("finds the same lines however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary" }).map((s) => s.toWellFormed().replaceAll("\n", " "))),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""))
          const splitter = new LineSplitter(10_000)
          const found: string[] = []
          for (let at = 0, cut = 0; at < bytes.length; cut++) {
            const size = cuts[cut % cuts.length]!
            found.push(...splitter.push(bytes.subarray(at, at + size)))
            at += size
          }
          assert.deepEqual(
            found,
            lines.filter((line) => line !== ""),
          )
        },
      ),
    )
  })

  it("holds no more than one line of the allowed length", () => {
    const splitter = new LineSplitter(4)
    assert.deepEqual(splitter.push(Buffer.from("1234\n")), ["1234"])
    assert.deepEqual(splitter.push(Buffer.from("12")), [])
    assert.throws(() => splitter.push(Buffer.from("345")), ApiError)
    assert.throws(() => new LineSplitter(9).push(Buffer.from([0xff, 10])), CryptoError)
  })
})

describe("wire: requests", () => {
  it("reads what it writes", () => {
    const line = requestLine(7, "messages.page", { thread: "bob", limit: 3 })
    assert.deepEqual(parseRequest(line), {
      id: 7,
      method: "messages.page",
      params: { thread: "bob", limit: 3 },
    })
  })

  it("answers what is not JSON with -32700 and what is no request with -32600 and its id", () => {
    const bad = (line: string) => {
      try {
        parseRequest(line)
      } catch (error) {
        assert(error instanceof BadRequest)
        return [error.rpcCode, error.id]
      }
      return assert.fail(`took ${line}`)
    }
    assert.deepEqual(bad("{"), [-32700, null])
    assert.deepEqual(bad("[]"), [-32600, null])
    assert.deepEqual(bad("1"), [-32600, null])
    assert.deepEqual(bad('{"id":1,"method":"status"}'), [-32600, 1])
    assert.deepEqual(bad('{"jsonrpc":"2.0","id":null,"method":"status"}'), [-32600, null])
    assert.deepEqual(bad('{"jsonrpc":"2.0","id":1.5,"method":"status"}'), [-32600, null])
    assert.deepEqual(bad('{"jsonrpc":"2.0","id":"a","method":2}'), [-32600, "a"])
  })

  it("takes or refuses any JSON value, never a crash", () => {
    fc.assert(
      fc.property(fc.json(), (line) => {
        try {
          assert.equal(typeof parseRequest(line).method, "string")
        } catch (error) {
          assert(error instanceof BadRequest)
        }
        parseFromNode(line)
      }),
    )
  })
})

describe("wire: errors", () => {
  it("carries every code and the hint to the other side", () => {
    for (const code of API_ERROR_CODES) {
      const read = parseFromNode(errorLine(1, new ApiError(code, "so it is", { hint: "do that" })))
      assert(read?.type === "error")
      assert.deepEqual(
        [read.error.code, read.error.message, read.error.hint],
        [code, "so it is", "do that"],
      )
    }
  })

  it("takes a code of a newer node as INTERNAL, its sentence kept", () => {
    const read = parseFromNode(
      '{"jsonrpc":"2.0","id":1,"error":{"message":"new","data":{"code":"NEW"}}}',
    )
    assert(read?.type === "error")
    assert.deepEqual([read.error.code, read.error.message], ["INTERNAL", "new"])
  })
})
