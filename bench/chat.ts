/**
 * A conversation of two, as processes of the real program asked through their sockets: how long a text of 256 bytes takes from
 * `messages.send` at one to its event at the other, how many a second arrive in a burst, and how long somebody who was away takes to have
 * a thousand that a third peer kept for them, their author gone. Every text is read back from the recipient's store.
 *
 * Twice: `chat.*` in a mesh whose envelopes cost no work, which is what a member pays whose admission proofs are made ahead, and
 * `chat.mined_*` in a mesh as `sotto` founds it, where every envelope is mined when it is sent. The floor is bare gossipsub between
 * two processes, one envelope's worth of bytes, in the same run.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Cluster, nodeOf, startCluster } from "../scripts/testnet/cluster.ts"
import type { Api, ApiEvent } from "../src/node/api/types.ts"
import { foundMesh, POW_BITS } from "../src/node/mesh/mesh.ts"
import { keepGenesis } from "../src/node/mesh/genesis.ts"
import { openStore } from "../src/node/store/store.ts"
import { befriend, history } from "../test/e2e/mesh.ts"
import { type Bench, median, quantile, type Result } from "./bench.ts"
import { gossipFloor } from "./gossip-floor.ts"

const TEXT_BYTES = 256
const WARM_UP = 30
const LATENCY_TEXTS = 300
const BURST_TEXTS = 1_000
const BURST_RUNS = 3
const AWAY_RUNS = 3
const DEADLINE_MS = 120_000

export const chatBench: Bench = { name: "chat", run }

async function run(): Promise<Result[]> {
  return [
    ...(await gossipFloor()),
    ...(await conversation("chat.", 0)),
    ...(await conversation("chat.mined_", POW_BITS)),
  ]
}

async function conversation(prefix: string, powBits: number): Promise<Result[]> {
  const directory = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  let cluster: Cluster | null = null
  try {
    await found(join(directory, "node1"), powBits)
    cluster = await startCluster({ nodes: 3, directory, identities: ["alice", "bob"] })
    await cluster.meshed()
    await befriend(nodeOf(cluster, 0), nodeOf(cluster, 1))
    // two nodes, nobody between them
    await nodeOf(cluster, 2).stop()
    const results = [...(await latency(cluster)), await burst(cluster)]
    await nodeOf(cluster, 2).start()
    results.push(...(await away(cluster)))
    return results.map((result) => ({ ...result, metric: prefix + result.metric }))
  } finally {
    await cluster?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Makes the first node's store one of a mesh at this price, before the node starts. */
async function found(dataDir: string, powBits: number): Promise<void> {
  const store = await openStore(join(dataDir, "store"))
  await keepGenesis(store, foundMesh("bench", { powBits }).bytes)
  await store.close()
}

/** Both ends of the conversation. */
async function ends(cluster: Cluster): Promise<[alice: Api, bob: Api]> {
  return [await nodeOf(cluster, 0).api(), await nodeOf(cluster, 1).api()]
}

let counter = 0
const nextText = () => `${++counter} `.padEnd(TEXT_BYTES, "x")

async function latency(cluster: Cluster): Promise<Result[]> {
  const [alice, bob] = await ends(cluster)
  const values: number[] = []
  for (let i = 0; i < WARM_UP + LATENCY_TEXTS; i++) {
    const text = nextText()
    const began = performance.now()
    const seen = arrival(bob, (event) => event.type === "message" && event.message.text === text)
    await Promise.all([alice.call("messages.send", { to: "bob", text }), seen])
    if (i >= WARM_UP) values.push(performance.now() - began)
  }
  const result = { unit: "ms", runs: values.length }
  return [
    { metric: "p50_ms", value: median(values), ...result },
    { metric: "p99_ms", value: quantile(values, 0.99), ...result },
  ]
}

function arrival(api: Api, wanted: (event: ApiEvent) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop()
      reject(new Error(`waited ${DEADLINE_MS / 1000} s in vain`))
    }, DEADLINE_MS)
    const stop = api.events((event) => {
      if (!wanted(event)) return
      clearTimeout(timer)
      stop()
      resolve()
    })
  })
}

/** Texts of the other side that this node has. */
async function count(api: Api, from: string): Promise<number> {
  return (await history(api, from)).filter(({ mine }) => !mine).length
}

/** Resolves once `wanted` more texts than there were at first have arrived; every event is counted, no text is asked for. */
function arrivals(api: Api, wanted: number): Promise<void> {
  let seen = 0
  return arrival(
    api,
    (event) => event.type === "message" && !event.message.mine && ++seen === wanted,
  )
}

async function burst(cluster: Cluster): Promise<Result> {
  const [alice, bob] = await ends(cluster)
  const values: number[] = []
  for (let i = 0; i <= BURST_RUNS; i++) {
    const before = await count(bob, "alice")
    const began = performance.now()
    const all = arrivals(bob, BURST_TEXTS)
    await Promise.all([sendMany(alice), all])
    const seconds = (performance.now() - began) / 1000
    if ((await count(bob, "alice")) !== before + BURST_TEXTS) throw new Error("texts were lost")
    if (i > 0) values.push(BURST_TEXTS / seconds)
    await settled(alice)
  }
  return { metric: "burst_per_s", value: median(values), unit: "/s", runs: values.length }
}

async function sendMany(api: Api): Promise<void> {
  const texts = Array.from({ length: BURST_TEXTS }, nextText)
  await Promise.all(texts.map((text) => api.call("messages.send", { to: "bob", text })))
}

/** Resolves once everything sent was taken by a peer, receipts too. */
async function settled(api: Api): Promise<void> {
  await until(async () => (await api.call("status", {})).waiting === 0)
}

/** From starting the recipient's process, and from its ready line, to the last of the texts. */
async function away(cluster: Cluster): Promise<Result[]> {
  const [author, recipient, third] = [0, 1, 2].map((at) => nodeOf(cluster, at))
  if (author === undefined || recipient === undefined || third === undefined)
    throw new Error("three nodes")
  const fromReady: number[] = []
  const fromStart: number[] = []
  for (let i = 0; i < AWAY_RUNS; i++) {
    await cluster.meshed()
    await settled(await author.api())
    const before = await count(await recipient.api(), "alice")
    await recipient.stop()
    const alice = await author.api()
    await sendMany(alice)
    await settled(alice)
    const { envelopes } = await alice.call("status", {})
    await until(async () => (await third.status()).envelopes >= envelopes)
    await author.stop()
    const began = performance.now()
    await recipient.start()
    const ready = performance.now()
    const bob = await recipient.api()
    await until(async () => (await unread(bob)) >= before + BURST_TEXTS)
    const ended = performance.now()
    fromStart.push((ended - began) / 1000)
    fromReady.push((ended - ready) / 1000)
    if ((await count(bob, "alice")) !== before + BURST_TEXTS) throw new Error("texts were lost")
    await author.start()
  }
  const result = { unit: "s", runs: AWAY_RUNS }
  return [
    { metric: "away1000_s", value: median(fromReady), ...result },
    { metric: "away1000_from_start_s", value: median(fromStart), ...result },
  ]
}

/** Nothing is ever marked read here, so this is how many texts there are. */
async function unread(api: Api): Promise<number> {
  return (await api.call("threads.list", {})).threads[0]?.unread ?? 0
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE_MS / 1000} s in vain`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
