/**
 * A file of 15 MiB between processes of the real program, from `files.send` at one to the last byte saved at the other, both asked through
 * their sockets. Three ways: between two peers that keep for each other, as in any mesh of two (`files.15mib_s`); by way of a third
 * that keeps for both, who keep nothing (`files.kept_15mib_s`), which takes the way twice; and only the second half of that, the
 * sender gone (`files.away_15mib_s`). The floor is one bare libp2p stream, the same bytes once, in the same run.
 */
import { randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Cluster, type ClusterNode, nodeOf, startCluster } from "../scripts/testnet/cluster.ts"
import type { Api, ApiEvent } from "../src/node/api/types.ts"
import { befriend } from "../test/e2e/mesh.ts"
import { type Bench, median, type Result } from "./bench.ts"
import { streamFloor } from "./stream-floor.ts"

const SIZE = 15 * 2 ** 20
const RUNS = 5
const DEADLINE_MS = 60_000

export const filesBench: Bench = { name: "files", run }

async function run(): Promise<Result[]> {
  const floor = await streamFloor(SIZE)
  const [direct] = await inMesh(["alice", "bob"], [])
  const [kept, away] = await inMesh([null, "alice", "bob"], ["--keep=0"])
  return [
    ...floor,
    result("files.15mib_s", direct),
    result("files.kept_15mib_s", kept),
    result("files.away_15mib_s", away),
  ]
}

const result = (metric: string, values: readonly number[]): Result => ({
  metric,
  value: median(values),
  unit: "s",
  runs: values.length,
})

/** Seconds for whole transfers, and for fetching and saving alone. */
async function inMesh(
  people: readonly (string | null)[],
  options: readonly string[],
): Promise<[whole: number[], second: number[]]> {
  const directory = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  const more = (at: number) => (people[at] === null ? [] : options)
  let cluster: Cluster | null = null
  try {
    cluster = await startCluster({ nodes: people.length, directory, identities: people, more })
    await cluster.meshed()
    const [alice, bob] = [nodeOf(cluster, people.length - 2), nodeOf(cluster, people.length - 1)]
    await befriend(alice, bob)
    const whole: number[] = []
    const second: number[] = []
    for (let at = 0; at <= RUNS; at++) {
      const times = await transfer(alice, bob, directory, at)
      // the first warms up
      if (at === 0) continue
      whole.push(times.whole)
      second.push(times.second)
    }
    return [whole, second]
  } finally {
    await cluster?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function transfer(alice: ClusterNode, bob: ClusterNode, directory: string, at: number) {
  const path = join(directory, `file${at}`)
  writeFileSync(path, randomBytes(SIZE))
  const to = join(directory, `to${at}`)
  mkdirSync(to)
  const [from, back] = [await alice.api(), await bob.api()]
  const began = performance.now()
  const arrived = event(back, (e) => e.type === "message" && e.message.file?.name === `file${at}`)
  const uploaded = event(from, (e) => e.type === "transfer" && e.transfer.state === "done")
  const sent = await from.call("files.send", { to: "bob", path })
  const { id } = sent.transfer
  await arrived
  await save(back, id, to)
  const whole = (performance.now() - began) / 1000
  await uploaded
  // the same again at bob's from chunks that are not his: another name for what he does not have is a new file
  return { whole, second: await fetchAlone(alice, bob, directory, at) }
}

async function save(api: Api, id: string, directory: string): Promise<void> {
  const done = event(
    api,
    (e) => e.type === "transfer" && e.transfer.id === id && e.transfer.state === "done",
  )
  await api.call("files.save", { id, directory })
  await done
}

/** The file is with its keepers before anybody asks for it. */
async function fetchAlone(alice: ClusterNode, bob: ClusterNode, directory: string, at: number) {
  const path = join(directory, `alone${at}`)
  writeFileSync(path, randomBytes(SIZE))
  const [from, back] = [await alice.api(), await bob.api()]
  const arrived = event(back, (e) => e.type === "message" && e.message.file?.name === `alone${at}`)
  const uploaded = event(from, (e) => e.type === "transfer" && e.transfer.state === "done")
  const sent = await from.call("files.send", { to: "bob", path })
  await Promise.all([arrived, uploaded])
  const began = performance.now()
  await save(back, sent.transfer.id, join(directory, `to${at}`))
  return (performance.now() - began) / 1000
}

/** The first event that this holds of. */
function event(api: Api, holds: (event: ApiEvent) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("a file did not arrive")), DEADLINE_MS)
    const stop = api.events((each) => {
      if (!holds(each)) return
      clearTimeout(timer)
      stop()
      resolve()
    })
  })
}
