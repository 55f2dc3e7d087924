/** Post-quantum signatures between real processes, in a pair and in a group: keys found in the directory, texts, a crash, a newcomer. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Api } from "../../src/node/api/types.ts"
import { nodeOf } from "../../scripts/testnet/cluster.ts"
import { history, mesh, until } from "./mesh.ts"

const NAMES = ["ann", "bob", "cat"] as const
const PATIENCE = { timeoutMs: 90_000 }

const texts = async (api: Api, thread: string): Promise<string[]> =>
  (await history(api, thread)).map(({ text }) => text)

const threadOf = async (api: Api, kind: "pair" | "group", title: string) =>
  (await api.call("threads.list", {})).threads.find(
    (thread) => thread.kind === kind && thread.title === title && !thread.request,
  )

describe("e2e: post-quantum signatures", () => {
  it("hold in a thread of two and in a group, through a crash and with a newcomer", async (t) => {
    const { cluster, gone } = await mesh([...NAMES])
    t.after(gone)
    const apis = await Promise.all(NAMES.map((_, i) => nodeOf(cluster, i).api()))
    const api = (i: number): Api => apis[i] ?? assert.fail()
    const addresses = await Promise.all(
      apis.map(async (each) => (await each.call("id", {})).address),
    )
    for (const [i, name] of NAMES.entries()) {
      if (i === 0) continue
      const theirs = { code: addresses[i] ?? "", name, postQuantumSignatures: i === 1 }
      const { contact } = await api(0).call("contacts.add", theirs)
      assert.equal(contact.postQuantumSignatures, i === 1)
      await api(i).call("contacts.add", { code: addresses[0] ?? "", name: "ann" })
    }
    for (const [i] of NAMES.entries())
      await until(
        api(i),
        async () => (await api(i).call("contacts.list", {})).contacts,
        (contacts) => contacts.every(({ state }) => state === "accepted"),
        PATIENCE,
      )

    // Both wrote first at once, one of them with less: what is stronger holds for both.
    await until(
      api(1),
      () => threadOf(api(1), "pair", "ann"),
      (thread) => thread?.postQuantumSignatures === true,
      PATIENCE,
    )
    await api(0).call("messages.send", { to: "bob", text: "with both" })
    await api(1).call("messages.send", { to: "ann", text: "likewise" })
    for (const [i, other] of [
      [0, "bob"],
      [1, "ann"],
    ] as const) {
      const thread = (await threadOf(api(i), "pair", other)) ?? assert.fail("no thread")
      await until(
        api(i),
        () => texts(api(i), thread.id),
        (seen) => seen.includes("with both") && seen.includes("likewise"),
        PATIENCE,
      )
    }
    assert.equal((await threadOf(api(0), "pair", "cat"))?.postQuantumSignatures, false)

    const founding = { name: "crew", members: ["bob"], postQuantumSignatures: true }
    const { group } = await api(0).call("groups.create", founding)
    const inGroup = (i: number, size: number) =>
      until(
        api(i),
        async () => {
          const thread = await threadOf(api(i), "group", "crew")
          return thread && (await api(i).call("groups.show", { group: thread.id })).group
        },
        (shown) => shown?.members.length === size && shown.pending.length === 0,
        PATIENCE,
      )
    await inGroup(1, 2)
    await api(1).call("messages.send", { to: "crew", text: "bob is here" })
    await nodeOf(cluster, 1).kill9()
    await api(0).call("groups.add", { group: "crew", members: ["cat"] })
    await inGroup(2, 3)
    await api(2).call("messages.send", { to: "crew", text: "cat is here" })
    await nodeOf(cluster, 1).start()
    apis[1] = await nodeOf(cluster, 1).api()
    for (const i of [0, 1, 2]) {
      await until(
        api(i),
        () => texts(api(i), group.thread),
        (seen) => seen.includes("cat is here"),
        PATIENCE,
      )
      const shown = (await api(i).call("groups.show", { group: "crew" })).group
      assert.equal(shown.postQuantumSignatures, true)
    }
    await until(
      api(0),
      async () => (await api(0).call("groups.show", { group: "crew" })).group.members,
      (members) => members.every(({ vouched }) => vouched),
      PATIENCE,
    )
  })
})
