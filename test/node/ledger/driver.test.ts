import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { LedgerChain } from "../../../src/node/ledger/chain.ts"
import { openStore } from "../../../src/node/store/store.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const WRITER = fileURLToPath(new URL("../../helpers/ledger-writer.js", import.meta.url))

/** One life: runs until it has said so many lines, then is killed at that very moment. Everything it said. */
async function life(directory: string, validators: number, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [WRITER, directory, String(validators)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const ended = once(child, "close")
  const said: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line)
    if (said.length === lines) child.kill("SIGKILL")
  }
  await ended
  return said
}

/** Two lines that speak of one place say the same, over all lives: `type view height` → digest. */
function consistent(lives: readonly (readonly string[])[]): Map<string, string> {
  const places = new Map<string, string>()
  for (const line of lives.flat()) {
    const [type, view, height, digest] = line.split(" ")
    assert(type !== "fault", line)
    if (digest === undefined || !["pre-prepare", "commit", "block"].includes(type ?? "")) continue
    const place = `${type} ${view} ${height}`
    assert.equal(places.get(place) ?? digest, digest, `signed twice, differently: ${place}`)
    places.set(place, digest)
  }
  return places
}

describe("a validator that is killed at any moment", () => {
  // Other items arrive in every life: a vote that was forgotten would come again for something else.
  it("goes on with the chain it had, when it is alone and decides by itself", async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, "validator.new"), "")
    const lives: string[][] = []
    for (const lines of [40, 3, 97, 150, 61, 208]) lives.push(await life(directory, 1, lines))
    const places = consistent(lives)
    const blocks = [...places.keys()].filter((place) => place.startsWith("block ")).length
    assert(blocks > 100, `${blocks} blocks: past the end of a term`)
    for (const said of lives)
      assert.match(
        said.find((line) => line.startsWith("ready"))!,
        /validating/,
      )

    // and what it stored is read from any height on: nothing at the end, never again from the beginning
    const store = await openStore(join(directory, "store"))
    const chain = await LedgerChain.open(store)
    const heightsAfter = async (height: number) => {
      const heights: number[] = []
      for await (const record of chain.records(height)) heights.push(record.height)
      return heights
    }
    const tip = chain.height
    assert.deepEqual(await heightsAfter(tip), [])
    assert.deepEqual(await heightsAfter(tip - 3), [tip - 2, tip - 1, tip])
    assert.equal((await heightsAfter(0)).length, tip)
    await store.close()
  })

  it("never proposes anything else where it proposed before, when nobody answers", async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, "validator.new"), "")
    const lives: string[][] = []
    for (const lines of [1, 2, 2, 3, 4]) lives.push(await life(directory, 4, lines))
    const places = consistent(lives)
    assert(places.has("pre-prepare 0 1"))
  })
})
