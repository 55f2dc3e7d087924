import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { constants, getPriority } from "node:os"
import { describe, it } from "node:test"
import { primitives } from "#primitives"
import { utf8 } from "../../src/crypto/bytes.ts"
import { heavy } from "../../src/node/heavy.ts"

const { slhDsaSha2_128s } = primitives
const key = slhDsaSha2_128s.generate()
const message = utf8("a term has ended")

/** Priorities of this process's threads, 19 the lowest (proc(5), field 19 of stat). */
const priorities = (): number[] =>
  readdirSync("/proc/self/task").flatMap((thread) => {
    try {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, "latin1")
      return [Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])]
    } catch {
      return [] // it has ended meanwhile
    }
  })

describe("a seal", () => {
  it("is what the key signs", async () => {
    const seal = await heavy({ job: "seal", key, message })
    // FIPS 205, figure 15: the public key is the second half of the private one
    const owner = slhDsaSha2_128s.importPublic(key.slice(32))
    assert(slhDsaSha2_128s.verify(owner, message, seal))
    assert(!slhDsaSha2_128s.verify(owner, utf8("another"), seal))
  })

  it(
    "gives way to everything else, and only itself",
    { skip: process.platform !== "linux" && "threads have no priority of their own" },
    async () => {
      const before = getPriority()
      const seen = new Set<number>()
      const looking = setInterval(() => {
        for (const priority of priorities()) seen.add(priority)
      }, 2)
      await heavy({ job: "seal", key, message }).finally(() => clearInterval(looking))
      assert(seen.has(constants.priority.PRIORITY_LOW))
      assert.equal(getPriority(), before)
      assert(!priorities().includes(constants.priority.PRIORITY_LOW))
    },
  )

  it("is given up when nobody wants it any more", async () => {
    const stop = new AbortController()
    const sealing = heavy({ job: "seal", key, message }, stop.signal)
    stop.abort(new Error("stopping"))
    await assert.rejects(sealing, /stopping/)
  })
})
