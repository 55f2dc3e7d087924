/** One sealed record that was damaged on the disk, whichever it is: it is missing and said to be, and everything else goes on. */
import assert from "node:assert/strict"
import { afterEach, describe, it } from "node:test"
import { type Bytes } from "../../../src/crypto/bytes.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { MemoryShelf, type Person, World } from "../../helpers/chat-world.ts"

let world: World | undefined
afterEach(async () => {
  await world?.stop()
})

async function acquainted(one: Person, other: Person): Promise<void> {
  await one.chat.addContact(other.address, other.name)
  await other.chat.addContact(one.address, one.name)
  for (const [a, b] of [
    [one, other],
    [other, one],
  ] as const)
    await a.until("to be in contact", () =>
      a.chat.contacts().some((c) => c.address === b.address && c.state === "accepted"),
    )
}

function damage(rows: Map<string, Bytes>, key: string): void {
  const value = rows.get(key) ?? assert.fail()
  rows.set(
    key,
    value.map((byte, i) => (i === value.length - 1 ? byte ^ 1 : byte)),
  )
}

describe("a damaged record", () => {
  it("stops nothing but what it held: the mailbox is read on, and others are heard", async () => {
    world = new World()
    const [ada, bob, cyd] = [await world.add("Ada"), await world.add("Bob"), await world.add("Cyd")]
    await acquainted(ada, bob)
    await acquainted(ada, cyd)
    for (const from of [bob, cyd])
      for (let i = 0; i < 3; i++) await from.chat.send("Ada", `${i} of ${from.name}`, undefined)
    for (const from of [bob, cyd])
      await ada.until("all of it", async () => (await ada.texts(from)).length === 3)
    const sound = new Map(ada.shelf.rows)
    let [said, met] = [3, 0]
    for (const key of sound.keys()) {
      ada.kill()
      ada.shelf = new MemoryShelf(new Map(sound))
      ada.logs.length = 0
      damage(ada.shelf.rows, key)
      // Said while nobody is there, and behind whatever the damaged record makes be read once more.
      for (const from of [bob, cyd])
        await from.chat.send("Ada", `${said} of ${from.name}`, undefined)
      await ada.start()
      const isHeard = async (from: Person) =>
        (await ada.texts(from)).includes(`${said} of ${from.name}`)
      await ada.until(
        "one of them at least",
        async () => (await isHeard(bob)) || (await isHeard(cyd)),
      )
      met += ada.logs.filter((line) => line.includes("is damaged")).length
      assert(!ada.logs.some((line) => line.includes("stopped")), ada.logs.join("\n"))
      said++
    }
    assert(sound.size > 20, `${sound.size} records were damaged in turn`)
    assert(met >= 10 && met <= sound.size, `${met} of them were met, and said once each`)
  })

  it("is left out of pages, which are filled with what lies behind it, and counted once", async () => {
    const shelf = new MemoryShelf()
    const lines: string[] = []
    const sealed = new Sealed(openVault(new Uint8Array(32)), shelf, (line) => lines.push(line))
    const item = (i: number) => new Uint8Array([i])
    const ops = Array.from({ length: 9 }, (_, i) => sealed.put(sealed.key("g", item(i)), item(i)))
    await sealed.write(ops, { sync: false })
    const keys = [...shelf.rows.keys()].sort()
    for (const i of [0, 3, 4, 8]) damage(shelf.rows, keys[i] ?? assert.fail())
    const read = async (limit: number, reverse: boolean) =>
      (await sealed.list("g", { limit, reverse })).map(({ plaintext }) => plaintext[0])
    assert.deepEqual(await read(3, false), [1, 2, 5])
    assert.deepEqual(await read(3, true), [7, 6, 5])
    assert.deepEqual(await read(-1, false), [1, 2, 5, 6, 7])
    assert.deepEqual(await read(9, true), [7, 6, 5, 2, 1])
    assert.equal(sealed.damaged, 4)
    assert.equal(lines.length, 4)
    assert.equal(await sealed.find(sealed.key("g", item(3))), undefined)
    await assert.rejects(sealed.get(sealed.key("g", item(3))), { code: "BAD_SIGNATURE" })
    await sealed.write([sealed.put(sealed.key("g", item(3)), item(33))], { sync: false })
    assert.deepEqual(await sealed.find(sealed.key("g", item(3))), item(33))
  })
})
