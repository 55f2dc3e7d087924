/** What the end-to-end tests share: a meshed cluster of the real program, people on its nodes, and waiting for what they read. */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Api, Message } from "../../src/node/api/types.ts"
import { startCluster, type Cluster, type ClusterNode } from "../../scripts/testnet/cluster.ts"

/** A real mesh with people on some of its nodes, `null` where there is nobody. Call `gone` when it is no longer needed. */
export async function mesh(
  people: readonly (string | null)[],
  more?: (at: number) => readonly string[],
): Promise<{ cluster: Cluster; gone: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "sotto-e2e-"))
  const cluster = await startCluster({
    nodes: people.length,
    directory,
    identities: people,
    ...(more === undefined ? {} : { more }),
    onEvent: (event) => {
      if (event.type === "ended" && !event.wanted)
        process.stderr.write(
          `node ${event.node + 1} ended by itself (${event.exit})\n${event.lastWords}\n`,
        )
    },
  })
  const gone = async () => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await cluster.meshed()
  } catch (error) {
    await gone()
    throw error
  }
  return { cluster, gone }
}

/** The first adds the second by address and writes; the second accepts the request and answers. Both know each other by name. */
export async function befriend(a: ClusterNode, b: ClusterNode): Promise<void> {
  const [first, second] = [await a.api(), await b.api()]
  const [alice, bob] = [await first.call("id", {}), await second.call("id", {})]
  const knows = async () => (await second.call("contacts.list", {})).contacts
  await until(
    second,
    knows,
    (contacts) =>
      contacts.some(({ address, state }) => address === alice.address && state === "request"),
    {
      act: async () => {
        await first.call("contacts.add", { code: bob.address, name: bob.name })
        await first.call("messages.send", { to: bob.name, text: "hello, it is me" })
      },
    },
  )
  await second.call("contacts.accept", { contact: alice.address })
  await second.call("contacts.rename", { contact: alice.address, name: alice.name })
  await received(second, alice.name, ["hello, it is me"])
  await received(first, bob.name, ["hello to you"], () =>
    second.call("messages.send", { to: alice.name, text: "hello to you" }),
  )
}

/** Everything in a thread, oldest first. */
export async function history(api: Api, thread: string): Promise<Message[]> {
  const all: Message[] = []
  let before: string | undefined
  for (;;) {
    const page = await api.call("messages.page", {
      thread,
      limit: 500,
      ...(before === undefined ? {} : { before }),
    })
    all.unshift(...page.messages)
    if (page.before === null) return all
    before = page.before
  }
}

/** Texts of the other side in a thread, oldest first. A thread that is not there yet has none. */
export async function theirTexts(api: Api, thread: string): Promise<string[]> {
  const { contacts } = await api.call("contacts.list", {})
  if (!contacts.some(({ name }) => name === thread)) return []
  const messages = await history(api, thread).catch(() => [])
  return messages.filter(({ mine }) => !mine).map(({ text }) => text)
}

/**
 * Does `act`, then waits until `condition` holds, looking again at every event of the node. Rejects after `timeoutMs` with what
 * was seen last.
 */
export async function until<T>(
  api: Api,
  look: () => Promise<T>,
  holds: (seen: T) => boolean,
  { act = () => Promise.resolve<unknown>(undefined), timeoutMs = 30_000 } = {},
): Promise<T> {
  const deadline = AbortSignal.timeout(timeoutMs)
  let wake = Promise.withResolvers<undefined>()
  const stop = api.events(() => wake.resolve(undefined))
  const timeUp = () => wake.resolve(undefined)
  deadline.addEventListener("abort", timeUp)
  try {
    await act()
    for (;;) {
      wake = Promise.withResolvers<undefined>()
      const seen = await look()
      if (holds(seen)) return seen
      if (deadline.aborted)
        assert.fail(`not within ${timeoutMs / 1000} s; last seen: ${JSON.stringify(seen)}`)
      await wake.promise
    }
  } finally {
    deadline.removeEventListener("abort", timeUp)
    stop()
  }
}

/** Waits until all of `texts` have come from that contact. */
export function received(
  api: Api,
  from: string,
  texts: readonly string[],
  act?: () => Promise<unknown>,
  timeoutMs = 30_000,
): Promise<string[]> {
  return until(
    api,
    () => theirTexts(api, from),
    (seen) => texts.every((text) => seen.includes(text)),
    { ...(act === undefined ? {} : { act }), timeoutMs },
  )
}
