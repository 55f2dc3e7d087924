/**
 * `npm run testnet -- --nodes 5`: a mesh on this machine to look at and talk through. Waits until it meshes, says how to open a
 * client on each node, and stops every process when it is told to (Ctrl-C, SIGTERM). `--json` prints what happens as lines.
 * Exit codes: 0 stopped as told, 1 it did not come up or a node died, 2 usage.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { NODES_MAX, PROGRAM, startCluster, type Cluster, type ClusterEvent } from "./cluster.ts"

const HELP = `npm run testnet -- [options]
  --nodes N      how many nodes (5; at most ${NODES_MAX})
  --identities   make an unprotected identity on each: alice, bob, carol, …
  --dir DIR      keep their data here, to go on with another time
  --keep         do not remove the data in the end (implied by --dir)
  --timeout S    give up when they do not mesh within S seconds (60)
  --json         print what happens, one JSON object a line
`
const NAMES =
  "alice bob carol dave erin frank grace heidi ivan judy kim leo mia nina oscar peggy".split(" ")

interface Settings {
  readonly nodes: number
  readonly directory: string
  readonly keep: boolean
  readonly identities: readonly string[]
  readonly timeoutMs: number
  readonly json: boolean
}

function settings(argv: readonly string[]): Settings | string {
  let values
  try {
    values = parseArgs({
      args: [...argv],
      options: {
        nodes: { type: "string", default: "5" },
        identities: { type: "boolean", default: false },
        dir: { type: "string" },
        keep: { type: "boolean", default: false },
        timeout: { type: "string", default: "60" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  if (values.help) return ""
  const nodes = Number(values.nodes)
  const seconds = Number(values.timeout)
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > NODES_MAX)
    return `--nodes takes 1 to ${NODES_MAX}`
  if (!(seconds > 0 && seconds <= 3600)) return "--timeout takes seconds, at most 3600"
  const name = (_: unknown, at: number) => NAMES[at] ?? `user${at + 1}`
  return {
    nodes,
    directory:
      values.dir === undefined
        ? mkdtempSync(join(tmpdir(), "sotto-testnet-"))
        : resolve(process.env["INIT_CWD"] ?? "", values.dir),
    keep: values.keep || values.dir !== undefined,
    identities: values.identities ? Array.from({ length: nodes }, name) : [],
    timeoutMs: seconds * 1000,
    json: values.json,
  }
}

const object = (value: object) => process.stdout.write(`${JSON.stringify({ v: 1, ...value })}\n`)
const line = (text: string) => process.stdout.write(`${text}\n`)

function tell(event: ClusterEvent): void {
  switch (event.type) {
    case "started":
      line(`node ${event.node + 1}: process ${event.pid}`)
      break
    case "founded":
      line(`node ${event.node + 1} founded the mesh`)
      break
    case "identity":
      line(`node ${event.node + 1} is ${event.name}: ${event.address}`)
      break
    case "meshed":
      line(`meshed after ${(event.ms / 1000).toFixed(1)} s, gossip links: ${event.links.join(" ")}`)
      break
    case "ended":
      if (!event.wanted)
        line(`node ${event.node + 1} ended by itself (${event.exit})\n${event.lastWords}`)
      break
  }
}

function tellHowToOpen(cluster: Cluster, json: boolean): void {
  const open = cluster.nodes.map((node) => `${PROGRAM} ${node.arguments.join(" ")}`)
  if (json) {
    object({ type: "ready", ticket: cluster.ticket, open })
    return
  }
  line("\nOpen a client on any of them, each in a terminal of its own:")
  for (const command of open) line(`  ${command}`)
  line("\nAnother peer joins with this ticket:")
  line(`  ${cluster.ticket}`)
  line("\nCtrl-C stops everything.")
}

/** `script`: the command line to run the nodes by, this build's by default. Resolves with the exit code. */
export async function testnet(argv: readonly string[], script?: string): Promise<number> {
  const chosen = settings(argv)
  if (typeof chosen === "string") {
    process.stderr.write(chosen === "" ? HELP : `testnet: ${chosen}\n\n${HELP}`)
    return chosen === "" ? 0 : 2
  }
  const stopping = new AbortController()
  const stop = () => stopping.abort(new Error("stopped before it had meshed"))
  process.on("SIGINT", stop)
  process.on("SIGTERM", stop)
  const seen = { death: false }
  let cluster: Cluster | null = null
  try {
    cluster = await startCluster({
      ...chosen,
      ...(script === undefined ? {} : { script }),
      meshTimeoutMs: chosen.timeoutMs,
      signal: stopping.signal,
      onEvent: (event) => {
        if (event.type === "ended" && !event.wanted) seen.death = true
        if (chosen.json) object(event)
        else tell(event)
      },
    })
    await cluster.meshed()
    tellHowToOpen(cluster, chosen.json)
    await new Promise<void>((resolve) => {
      stopping.signal.addEventListener("abort", () => resolve(), { once: true })
      if (stopping.signal.aborted) resolve()
    })
    return seen.death ? 1 : 0
  } catch (error) {
    if (stopping.signal.aborted) return 0
    process.stderr.write(`testnet: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    if (!chosen.json) line("\nStopping …")
    await cluster?.stop()
    if (!chosen.keep) rmSync(chosen.directory, { recursive: true, force: true })
    if (chosen.json) object({ type: "stopped" })
  }
}
