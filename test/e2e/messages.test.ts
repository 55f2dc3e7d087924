/** What people do with messages, by the commands they type, between real processes; and that a restart keeps it. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Message } from "../../src/node/api/types.ts"
import { nodeOf } from "../../scripts/testnet/cluster.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { befriend, history, mesh, until } from "./mesh.ts"

describe("e2e: messages", () => {
  it("are answered, reacted to, edited and deleted by command, and read the same on the other side", async (t) => {
    const { cluster, gone } = await mesh(["ada", "bob"])
    t.after(gone)
    const [ada, bob] = [nodeOf(cluster, 0), nodeOf(cluster, 1)]
    await befriend(ada, bob)
    const run = async (...words: string[]): Promise<Message> => {
      const { exit, out, err } = await sotto([...words, "--json", "--data", ada.dataDir], {
        script: REAL,
      })
      assert.equal(exit, 0, err)
      return JSON.parse(out) as Message
    }
    const api = await bob.api()
    const reads = (holds: (messages: readonly Message[]) => boolean) =>
      until(api, () => history(api, "ada"), holds)
    const said = await run("send", "bob", "at", "nein,", "@bob")
    await reads((all) => all.some(({ id, mentions }) => id === said.id && mentions[0]?.me === true))
    await run("edit", said.id.slice(0, 8), "--thread", "bob", "at", "nine,", "@bob")
    await run("react", said.id, "👍", "🎉")
    const answer = await run("send", "bob", "--reply-to", said.id, "or", "ten")
    const wrong = await run("send", "bob", "never", "mind")
    await reads((all) => all.some(({ text }) => text === "never mind"))
    await run("delete", wrong.id, "--for-all")
    await reads((all) => {
      const [edited, answered, deleted] = [said, answer, wrong].map(({ id }) =>
        all.find((message) => message.id === id),
      )
      return (
        edited?.edited?.first === "at nein, @bob" &&
        edited.reactions.length === 2 &&
        answered?.replyTo?.text === "at nine, @bob" &&
        deleted?.deleted === true
      )
    })
    const { exit, err } = await sotto(["edit", "ffff", "x", "--thread", "bob", "--data", ada.dataDir], { script: REAL }) // prettier-ignore
    assert.equal(exit, 4, err)
    await bob.kill9()
    await bob.start()
    const after = await bob.api()
    const seen = (await history(after, "ada")).filter(({ id }) => id === said.id)
    assert.deepEqual(
      seen.map(({ text, reactions }) => [text, reactions.length]),
      [["at nine, @bob", 2]],
    )
  })
})
