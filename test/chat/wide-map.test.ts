/** A map in parts (src/chat/wide-map.ts) is a map. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { WideMap } from "../../src/chat/wide-map.ts"

describe("a map in parts", () => {
  it("holds what a Map holds, whatever is done to both", () => {
    const key = fc.oneof(fc.string({ maxLength: 2 }), fc.string({ unit: "grapheme" }))
    const act = fc.oneof(
      fc.record({ do: fc.constant("set" as const), key, value: fc.nat() }),
      fc.record({ do: fc.constant("delete" as const), key }),
    )
    const holds = fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
      const [map, wide] = [new Map<string, number>(), new WideMap<number>()]
      for (const each of acts) {
        if (each.do === "set") {
          map.set(each.key, each.value)
          wide.set(each.key, each.value)
        } else {
          map.delete(each.key)
          wide.delete(each.key)
        }
        assert.equal(wide.has(each.key), map.has(each.key))
        assert.equal(wide.get(each.key), map.get(each.key))
      }
      assert.equal(wide.size, map.size)
      assert.deepEqual(new Map(wide.parts.flatMap((part) => [...part])), map)
    })
    fc.assert(holds)
  })
})
