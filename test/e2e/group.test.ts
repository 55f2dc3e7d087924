/** A group of eight real processes, in which members join, leave, crash and come back while all talk. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Api, Message } from "../../src/node/api/types.ts"
import { nodeOf } from "../../scripts/testnet/cluster.ts"
import { enteredBy, isSince } from "../helpers/group-talk.ts"
import { history, mesh, until } from "./mesh.ts"

const NAMES = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"] as const
const PATIENCE = { timeoutMs: 90_000 }

const groupHistory = async (api: Api): Promise<readonly Message[]> => {
  const { threads } = await api.call("threads.list", {})
  const group = threads.find(({ kind }) => kind === "group")
  return group === undefined ? [] : history(api, group.id)
}

const texts = async (api: Api): Promise<string[]> =>
  (await groupHistory(api)).map(({ text }) => text)

/** All that is shown of the conversation, but for how far one's own texts got. */
const transcript = async (api: Api, from: string): Promise<string> => {
  const messages = (await groupHistory(api)).filter((each) => isSince(each, from))
  const shown = messages.map(({ id, author, sentAtMs, text, file, place, notice }) => {
    // When a change was seen is everybody's own.
    const told = notice && { ...notice, who: notice.who.map(({ address }) => address) }
    return { id, author, ...(told ? { told } : { sentAtMs }), text, file, place }
  })
  return JSON.stringify(shown)
}

/** Messages of the conversation that have no place in the ledger's order yet. */
const unplaced = async (api: Api): Promise<number> => {
  const messages = await groupHistory(api)
  return messages.filter(({ place }) => place === null).length
}

const isIn = async (api: Api): Promise<boolean> =>
  (await api.call("threads.list", {})).threads.some(
    ({ kind, left, request }) => kind === "group" && !left && !request,
  )

describe("e2e: a group of eight", () => {
  it("ends in one transcript for everybody who was in it all along", async (t) => {
    const { cluster, gone } = await mesh([...NAMES])
    t.after(gone)
    const node = (i: number) => nodeOf(cluster, i)
    const apis = await Promise.all(NAMES.map((_, i) => node(i).api()))
    const addresses = await Promise.all(apis.map(async (api) => (await api.call("id", {})).address))
    const api = (i: number): Api => apis[i] ?? assert.fail()
    // Whoever is to be brought in has to know who brings them.
    for (const [i, name] of NAMES.entries()) {
      if (i === 0) continue
      await api(0).call("contacts.add", { code: addresses[i] ?? "", name })
      await api(i).call("contacts.add", { code: addresses[0] ?? "", name: "ann" })
    }
    for (const [i] of NAMES.entries())
      await until(
        api(i),
        async () => (await api(i).call("contacts.list", {})).contacts,
        (contacts) => contacts.every(({ state }) => state === "accepted"),
        PATIENCE,
      )
    await api(0).call("groups.create", { name: "crew", members: NAMES.slice(1, 7) })
    for (let i = 0; i < 7; i++)
      await until(
        api(i),
        () => isIn(api(i)),
        (is) => is,
        PATIENCE,
      )

    const said: string[] = []
    const say = async (i: number, text: string) => {
      said.push(text)
      await api(i).call("messages.send", { to: "crew", text })
    }
    for (let i = 0; i < 7; i++) await say(i, `${NAMES[i]} is here`)
    // Whoever leaves says nothing more, not even what is in line.
    await until(
      api(6),
      () => groupHistory(api(6)),
      (seen) => seen.some(({ mine, state }) => mine && state !== "queued"),
      PATIENCE,
    )
    // One crashes while one comes, one goes, and the others talk.
    await node(2).kill9()
    await api(0).call("groups.add", { group: "crew", members: ["hal"] })
    await api(6).call("groups.leave", { group: "crew" })
    for (const i of [0, 1, 3, 4, 5]) await say(i, `${NAMES[i]} goes on`)
    await node(2).start()
    apis[2] = await node(2).api()
    await until(
      api(7),
      () => isIn(api(7)),
      (is) => is,
      PATIENCE,
    )
    await say(2, "cat is back")
    await say(7, "hal is new")

    const stayed = [0, 1, 2, 3, 4, 5]
    for (const i of stayed)
      await until(
        api(i),
        () => texts(api(i)),
        (seen) => said.every((text) => seen.includes(text)),
        PATIENCE,
      )
    // Who left by themselves is out of it for everybody.
    for (const i of stayed)
      await until(
        api(i),
        () => groupHistory(api(i)),
        (seen) => seen.some(({ notice }) => notice?.kind === "left"),
        PATIENCE,
      )
    // Texts stand behind the others until the ledger has placed them.
    for (const i of stayed)
      await until(
        api(i),
        () => unplaced(api(i)),
        (count) => count === 0,
        PATIENCE,
      )
    const theirs = stayed.map((i) => addresses[i] ?? "")
    const from = enteredBy(
      (await Promise.all(stayed.map((i) => groupHistory(api(i))))).flat(),
      theirs,
    )
    const all = await transcript(api(0), from)
    for (const i of stayed) assert.equal(await transcript(api(i), from), all)
    for (const told of [/"kind":"added"/, /"kind":"left"/]) assert.match(all, told)
    const seen = await texts(api(7))
    assert(!seen.some((text) => text.endsWith("is here")), "who is new sees nothing of before")
  })
})
