import assert from "node:assert/strict"
import { existsSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { connectApi } from "../../src/node/api/client.ts"
import { nodeOf, startCluster, type ClusterEvent } from "../../scripts/testnet/cluster.ts"
import { addressOf } from "../helpers/node-double.ts"
import { DOUBLE, ended, lines, sotto, start } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"

const script = join(dirname(fileURLToPath(import.meta.url)), "testnet-double.js")

const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

interface Line {
  readonly type: string
  readonly pid?: number
  readonly data?: string
  readonly open?: readonly string[]
  readonly name?: string
}

/** Reads events until the testnet says it is ready. */
async function untilReady(next: () => Promise<string>): Promise<Line[]> {
  const events: Line[] = []
  while (events.at(-1)?.type !== "ready") events.push(JSON.parse(await next()) as Line)
  return events
}

describe("testnet: real processes, started, shown and stopped", () => {
  it("meshes, says how to open a client, and leaves nothing behind on Ctrl-C", async () => {
    const child = start(["--nodes", "2", "--identities", "--json"], { script })
    const events = await untilReady(lines(child))
    const pids = events.flatMap(({ pid }) => pid ?? [])
    assert.equal(pids.length, 2)
    assert(pids.every(alive))
    const names = events.flatMap(({ type, name }) => (type === "identity" ? [name] : []))
    assert.deepEqual(names.sort(), ["alice", "bob"])
    const [data] = events.flatMap((event) => event.data ?? [])
    assert(data !== undefined && existsSync(data))
    assert.match(events.at(-1)?.open?.[0] ?? "", /bin\/sotto --data .*node1$/)
    assert.equal((await sotto(["--data", data, "id"])).out, `${addressOf("alice")}\n`)
    child.kill("SIGINT")
    assert.equal((await ended(child)).exit, 0)
    assert(!pids.some(alive), "every process it started has ended")
    assert(!existsSync(data), "and its data is gone")
  })

  it("keeps the data where it was told to", async (t) => {
    const directory = temporaryDirectory(t)
    const child = start(["--nodes", "2", "--dir", directory, "--json"], { script })
    await untilReady(lines(child))
    child.kill("SIGTERM")
    assert.equal((await ended(child)).exit, 0)
    assert(existsSync(join(directory, "node2")))
  })

  it("ends with 1 and the reason when the nodes do not mesh in time, or one dies", async () => {
    // the double has one peer and no more: three nodes want two each
    const late = await ended(start(["--nodes", "3", "--timeout", "0.3"], { script }))
    assert.equal(late.exit, 1)
    assert.match(late.err, /no mesh within 0.3 s: too few links at node 1, node 2, node 3/)
    const child = start(["--nodes", "2", "--json"], { script })
    const next = lines(child)
    const [pid] = (await untilReady(next)).flatMap((event) => event.pid ?? [])
    process.kill(pid!, "SIGKILL")
    assert.equal((JSON.parse(await next()) as Line).type, "ended")
    child.kill("SIGTERM")
    assert.equal((await ended(child)).exit, 1)
  })

  it("takes its nodes along when it is killed itself", async () => {
    const child = start(["--nodes", "2", "--json", "--keep"], { script })
    const events = await untilReady(lines(child))
    const data = events.flatMap((event) => event.data ?? [])
    const apis = await Promise.all(data.map((at) => connectApi(join(at, "run", "node.sock"))))
    const gone = apis.map((api) => new Promise((resolve) => api.closed(resolve)))
    child.kill("SIGKILL")
    await Promise.all(gone)
    rmSync(dirname(data[0]!), { recursive: true, force: true })
  })

  it("explains itself, and refuses what it cannot do", async () => {
    assert.match((await ended(start(["--help"], { script }))).err, /--nodes N/)
    assert.equal((await ended(start(["--nodes", "0"], { script }))).exit, 2)
    assert.equal((await ended(start(["--node", "5"], { script }))).exit, 2)
  })
})

describe("cluster: the same for tests", () => {
  it("kills and restarts a node on its own data", async (t) => {
    const events: ClusterEvent[] = []
    const cluster = await startCluster({
      nodes: 2,
      directory: temporaryDirectory(t),
      script: DOUBLE,
      identities: ["alice"],
      onEvent: (event) => events.push(event),
    })
    t.after(() => cluster.stop())
    await cluster.meshed()
    const alice = nodeOf(cluster, 0)
    const first = alice.pid
    await alice.kill9()
    assert(!alice.running)
    await alice.restart()
    assert.notEqual(alice.pid, first)
    assert.equal((await alice.status()).name, "alice")
    const end = events.find((event) => event.type === "ended")
    assert.deepEqual(end, {
      type: "ended",
      node: 0,
      exit: "SIGKILL",
      wanted: true,
      lastWords: "",
    })
    await cluster.stop()
    assert(cluster.nodes.every((node) => !node.running))
  })

  it("stops what it has started when one does not come up", async (t) => {
    const events: ClusterEvent[] = []
    await assert.rejects(
      startCluster({
        nodes: 2,
        directory: temporaryDirectory(t),
        script: join(dirname(script), "no-such-file.js"),
        onEvent: (event) => events.push(event),
      }),
      /node 1 did not start: it ended at once/,
    )
  })
})
