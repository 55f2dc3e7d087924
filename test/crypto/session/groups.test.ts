import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import * as session from "../../../src/crypto/session.ts"
import {
  adds,
  assertAgreed,
  groupOf,
  Person,
  readmits,
  removes,
  rotates,
  updates,
} from "./story.ts"

describe("a larger group", () => {
  it("grows to ten, speaks, shrinks to two, and everyone agrees all along", async () => {
    const people = await groupOf("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
    await assertAgreed(...people)
    const [a, b, ...others] = people
    await updates(b, [a, ...others])
    await assertAgreed(...people)
    for (const person of [a, ...others])
      assert.equal(await person.reads(await b.says("all")), "all")
    await removes(a, others, [b, ...others])
    await assertAgreed(a, b)
    assert.equal(session.members(a.state).length, 2)
  })

  it("takes two newcomers at once where different parents await different ones", async () => {
    // Seven of eight leaves, all parents filled, then leaf 3 freed and filled again together with leaf 7: the root awaits
    // both, the parent of leaves 0 to 3 only the first.
    const people = await groupOf("0", "1", "2", "3", "4", "5", "6")
    for (const person of people)
      await updates(
        person,
        people.filter((other) => other !== person),
      )
    const [founder, , , gone] = people
    const rest = people.filter((person) => person !== gone)
    await removes(
      founder,
      [gone],
      rest.filter((person) => person !== founder),
    )
    const newcomers = [new Person("3 again"), new Person("7")]
    await adds(
      founder,
      newcomers,
      rest.filter((person) => person !== founder),
    )
    await assertAgreed(...rest, ...newcomers)
    await updates(newcomers[0]!, [...rest, newcomers[1]!])
    await assertAgreed(...rest, ...newcomers)
  })

  it("stays in agreement through any sequence of additions, removals and updates", async () => {
    const step = fc.record({
      kind: fc.constantFrom("add", "add two", "remove", "readmit", "update", "rotate"),
      by: fc.nat(),
      whom: fc.nat(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
        let names = 0
        let people = [await new Person(`p${names++}`).found()]
        for (const { kind, by, whom } of steps) {
          const actor = people[by % people.length]!
          const others = people.filter((person) => person !== actor)
          const target = others[whom % Math.max(1, others.length)]
          const staying = others.filter((person) => person !== target)
          if (kind === "update") await updates(actor, others)
          else if (kind === "rotate") await rotates(actor, others)
          else if (kind === "add" || kind === "add two") {
            const count = kind === "add" ? 1 : 2
            const newcomers = Array.from({ length: count }, () => new Person(`p${names++}`))
            await adds(actor, newcomers, others)
            people.push(...newcomers)
          } else if (target !== undefined) {
            people = [actor, ...staying]
            if (kind === "remove") await removes(actor, [target], others)
            else people.push(await readmits(actor, target, staying))
            assert.equal(session.isMember(target.state), false)
          }
          await assertAgreed(...people)
        }
      }),
      { numRuns: 8 },
    )
  })
})
