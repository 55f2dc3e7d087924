/** Whether the history of a restored profile is what the mesh decided: its block is held against the chain, once that is so long. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { openVault } from "../../../src/crypto/keyfile.ts"
import { ChatRecords } from "../../../src/node/chat/records.ts"
import { RestoredProfile } from "../../../src/node/backup/restored-profile.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { MemoryShelf } from "../../helpers/chat-world.ts"

const HASH = new Uint8Array(32).fill(7)

async function restoredAt(height: number) {
  const records = new ChatRecords(new Sealed(openVault(new Uint8Array(32)), new MemoryShelf()))
  const facts = { height, hash: HASH, standing: "certified" as const, period: 3, packages: [] }
  await records.write([records.putRestored(facts)], { sync: false })
  const lines: string[] = []
  const open = async () =>
    (await RestoredProfile.read(records, (line) => lines.push(line))) ?? assert.fail()
  return { open, lines }
}

type Chain = NonNullable<Parameters<RestoredProfile["settle"]>[0]>

/** A chain of so many blocks, all of one hash. */
const chain = (height: number, hash: Uint8Array) =>
  ({
    height,
    block: () => Promise.resolve({ certificate: { digest: hash } }),
  }) as unknown as Chain

describe("a profile from a backup that says it is complete up to height 9", () => {
  it("waits for the chain to get there, then agrees with it for good", async () => {
    const { open } = await restoredAt(9)
    const profile = await open()
    assert.equal(await profile.settle(undefined), false)
    assert.equal(await profile.settle(chain(8, HASH)), false)
    assert.equal(profile.view.standing, "certified")
    assert.equal(await profile.settle(chain(9, HASH)), true)
    assert.deepEqual(profile.view, { height: 9, standing: "agreed" })
    const later = await open()
    assert.deepEqual(later.view, { height: 9, standing: "agreed" })
    assert.equal(await later.settle(chain(20, new Uint8Array(32))), false)
  })

  it("says so aloud, and after every start, when the chain holds another block there", async () => {
    const { open, lines } = await restoredAt(9)
    const profile = await open()
    assert.equal(await profile.settle(chain(12, new Uint8Array(32))), true)
    assert.deepEqual(profile.view, { height: 9, standing: "contradicted" })
    assert.equal(lines.length, 1)
    assert.equal((await open()).view.standing, "contradicted")
  })
})
