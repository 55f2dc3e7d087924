import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { nodeOf, type ClusterNode } from "../../scripts/testnet/cluster.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { befriend, history, mesh, received, theirTexts, until } from "./mesh.ts"

const texts = (what: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${what} ${String(at + 1).padStart(3, "0")}`)

describe("e2e: five real processes on loopback, alice on the first, bob on the last", () => {
  let alice: ClusterNode
  let bob: ClusterNode
  let gone: () => Promise<void> = () => Promise.resolve()

  before(async () => {
    const made = await mesh(["alice", null, null, null, "bob"])
    gone = made.gone
    alice = nodeOf(made.cluster, 0)
    bob = nodeOf(made.cluster, 4)
    await befriend(alice, bob)
  })
  after(() => gone())

  it("carries messages both ways", async () => {
    const [aliceApi, bobApi] = [await alice.api(), await bob.api()]
    await Promise.all([
      received(bobApi, "alice", texts("to bob", 10), async () => {
        for (const text of texts("to bob", 10))
          await aliceApi.call("messages.send", { to: "bob", text })
      }),
      received(aliceApi, "bob", texts("to alice", 10), async () => {
        for (const text of texts("to alice", 10))
          await bobApi.call("messages.send", { to: "alice", text })
      }),
    ])
    const inOrder = (seen: string[], what: string) => seen.filter((text) => text.startsWith(what))
    assert.deepEqual(inOrder(await theirTexts(bobApi, "alice"), "to bob"), texts("to bob", 10))
    assert.deepEqual(inOrder(await theirTexts(aliceApi, "bob"), "to alice"), texts("to alice", 10))
    // and the command line sees, and proves delivered, what the API does
    const run = (...args: string[]) => sotto([...alice.arguments, ...args], { script: REAL })
    const sent = await run("send", "bob", "-m", "proven", "--wait", "delivered", "--timeout", "30s")
    assert.equal(sent.exit, 0, sent.err)
    assert.match((await run("read", "bob")).out, /me {2}proven {2}✓✓/)
  })

  it("brings a peer that was killed all 100 messages it missed, once each, in order", async () => {
    const aliceApi = await alice.api()
    await bob.kill9()
    const missed = texts("while you were away", 100)
    const ids: string[] = []
    for (const text of missed) {
      const { message } = await aliceApi.call("messages.send", { to: "bob", text })
      ids.push(message.id)
    }
    // others hold them before bob is back: what he reads can come from anybody
    await until(
      aliceApi,
      async () => (await history(aliceApi, "bob")).filter(({ id }) => ids.includes(id)),
      (mine) => mine.length === 100 && mine.every(({ state }) => state !== "queued"),
    )
    await bob.start()
    const bobApi = await bob.api()
    const seen = await received(bobApi, "alice", missed)
    assert.deepEqual(
      seen.filter((text) => missed.includes(text)),
      missed,
    )
  })

  it("loses nothing of what was queued when the sender's own peer is killed in mid-send", async () => {
    const aliceApi = await alice.api()
    const wanted = texts("through the storm", 40)
    const acknowledged: string[] = []
    const sending = (async () => {
      for (const text of wanted) {
        await aliceApi.call("messages.send", { to: "bob", text })
        acknowledged.push(text)
      }
    })()
    await until(
      aliceApi,
      () => Promise.resolve(acknowledged.length),
      (count) => count >= 20,
    )
    const cutOff = assert.rejects(sending)
    await alice.kill9()
    await cutOff
    assert(acknowledged.length < wanted.length, "she was killed in the middle")
    await alice.start()
    const seen = await received(await bob.api(), "alice", acknowledged)
    const storm = seen.filter((text) => wanted.includes(text))
    assert.equal(new Set(storm).size, storm.length, "nothing came twice")
    assert.deepEqual(storm.slice(0, acknowledged.length), acknowledged)
    // the one that was under way when she died may have been written, and then it came as well
    assert(storm.length <= acknowledged.length + 1)
  })
})
