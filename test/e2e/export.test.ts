/** A message that its recipient exports, checked by a process that has nothing but the file: no profile, no mesh, nobody to ask. */
import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { type ClusterNode, nodeOf } from "../../scripts/testnet/cluster.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { befriend, history, mesh, until } from "./mesh.ts"

interface Verdict {
  readonly text: string
  readonly author: string
  readonly digits: string
  readonly mesh: { readonly id: string }
  readonly order: { readonly height: number; readonly signatures: number } | null
  readonly beside: readonly string[]
}

describe("e2e: export", () => {
  const folder = mkdtempSync(join(tmpdir(), "sotto-export-"))
  const nowhere = join(folder, "empty")
  let gone: () => Promise<void>
  let ada: ClusterNode
  let bob: ClusterNode

  before(async () => {
    const started = await mesh(["ada", "bob"])
    gone = started.gone
    ada = nodeOf(started.cluster, 0)
    bob = nodeOf(started.cluster, 1)
    await befriend(ada, bob)
  })
  after(async () => {
    await gone()
    rmSync(folder, { recursive: true, force: true })
  })

  const run = (...words: string[]) => sotto(words, { script: REAL })
  /** As somebody who is in no mesh at all. */
  const verify = (file: string, ...more: string[]) =>
    run("export", "verify", file, "--json", "--data", nowhere, ...more)

  it("shows who wrote a message and where the ledger put it, to somebody who has only the file", async () => {
    const [writes, reads] = [await ada.api(), await bob.api()]
    const said = "the bridge is closed on Sunday, ".repeat(200)
    const { message } = await writes.call("messages.send", { to: "bob", text: said })
    const isPlaced = () =>
      history(reads, "ada").then((all) => all.find(({ id }) => id === message.id))
    await until(reads, isPlaced, (seen) => seen?.place !== null && seen !== undefined)
    const file = join(folder, "bridge.sotto")
    const made = await run("export", message.id, file, "--json", "--data", bob.dataDir)
    assert.equal(made.exit, 0, made.err)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const { exit, out, err } = await verify(file)
    assert.equal(exit, 0, err)
    const verdict = JSON.parse(out) as Verdict
    const { address } = await writes.call("id", {})
    const { ledger, mesh: meshView } = await ada.status()
    assert.equal(verdict.text, said)
    assert.equal(verdict.author, address)
    assert.equal(verdict.mesh.id, meshView?.meshId)
    assert(verdict.order !== null && verdict.order.height <= (ledger?.height ?? 0))
    assert.equal(verdict.order.signatures, 1)
    const { contacts } = await reads.call("contacts.list", {})
    assert.equal(contacts[0]?.address, address)
    const { number } = await reads.call("contacts.safety", { contact: "ada" })
    assert(number.includes(verdict.digits), "their half of the number that both compare")
    assert.deepEqual(readdirSync(folder), ["bridge.sotto"], "checking leaves nothing behind")

    // its author can do the same
    const own = join(folder, "own.sotto")
    assert.equal((await run("export", message.id, own, "--data", ada.dataDir)).exit, 0)
    const shown = JSON.parse((await verify(own)).out) as Verdict
    assert.deepEqual([shown.text, shown.order], [said, verdict.order])

    assert.equal((await verify(file, "--mesh", verdict.mesh.id, "--author", address)).exit, 0)
    assert.equal((await verify(file, "--author", (await reads.call("id", {})).address)).exit, 7)
    const bytes = readFileSync(file)
    const altered = bytes.map((byte, i) => (i === bytes.length - 100 ? byte ^ 1 : byte))
    writeFileSync(join(folder, "altered"), altered)
    writeFileSync(join(folder, "cut"), bytes.subarray(0, -1))
    for (const wrong of ["altered", "cut"])
      assert.equal((await verify(join(folder, wrong))).exit, 7)
  })
})
