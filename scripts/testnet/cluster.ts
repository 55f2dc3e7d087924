/**
 * A mesh of real processes on this machine: each a `sotto node` with a data directory of its own, the first founding the
 * mesh, the others joining by its ticket. For `npm run testnet` and for the end-to-end tests. Every process it starts ends
 * with it: on `stop`, or, should this process die, by the end of its standard input.
 */
import { spawn, type ChildProcessByStdio } from "node:child_process"
import { mkdirSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { connectApi } from "../../src/node/api/client.ts"
import type { Api, Params, Status } from "../../src/node/api/types.ts"

export const NODES_MAX = 64
/** What people run, with the options of the runtime that it sets. */
export const PROGRAM = fileURLToPath(new URL("../../../bin/sotto", import.meta.url))
const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 20_000
const LOOK_EVERY_MS = 100
const LAST_WORDS_MAX = 4_000

export type ClusterEvent =
  | { readonly type: "started"; readonly node: number; readonly pid: number; readonly data: string }
  | { readonly type: "founded"; readonly node: number; readonly ticket: string }
  | {
      readonly type: "identity"
      readonly node: number
      readonly name: string
      readonly address: string
    }
  /** `ms` since the first process was started. */
  | { readonly type: "meshed"; readonly ms: number; readonly links: readonly number[] }
  | {
      readonly type: "ended"
      readonly node: number
      readonly exit: number | string
      readonly wanted: boolean
      /** What it said last, when its end was not wanted. */
      readonly lastWords: string
    }

export interface ClusterOptions {
  readonly nodes: number
  /** Data directories are made in here, `node1`, `node2`, … */
  readonly directory: string
  /** Names of unprotected identities to make, on the first node, the second, and so on; null for none. */
  readonly identities?: readonly (string | null)[]
  /** How many of the nodes, from the first on, are validators of the mesh; 0 leaves it without an order. Default 1. */
  readonly validators?: number
  /** What else the genesis says. */
  readonly founding?: Pick<Params<"mesh.join">, "open" | "powBits" | "periodSeconds">
  /** What a node's command line holds besides. */
  readonly more?: (at: number) => readonly string[]
  /** The command line's entry as a script, instead of `PROGRAM`. */
  readonly script?: string
  readonly meshTimeoutMs?: number
  readonly signal?: AbortSignal
  readonly onEvent?: (event: ClusterEvent) => void
}

export interface Cluster {
  readonly nodes: readonly ClusterNode[]
  readonly ticket: string
  /** Resolves once every running node has its gossip links. Rejects, saying who has none, after `meshTimeoutMs`. */
  meshed(): Promise<void>
  stop(): Promise<void>
}

/** `node(cluster, 0)` without the doubt. */
export function nodeOf(cluster: Cluster, at: number): ClusterNode {
  const node = cluster.nodes[at]
  if (node === undefined) throw new RangeError(`the cluster has no node ${at + 1}`)
  return node
}

/** On failure everything that was started is stopped again. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  if (options.nodes < 1 || options.nodes > NODES_MAX)
    throw new RangeError(`a testnet has 1 to ${NODES_MAX} nodes`)
  const startedAt = performance.now()
  const nodes: ClusterNode[] = []
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.retire()))
  }
  try {
    for (let at = 0; at < options.nodes; at++) nodes.push(await ClusterNode.prepare(options, at))
    const first = nodes[0]
    if (first === undefined) throw new RangeError("a testnet has at least one node")
    await first.start()
    // Every founding validator has its key before there is a mesh.
    const others = nodes.slice(1, options.validators ?? 1)
    await Promise.all(others.map((node) => node.start()))
    const ticket = await found(first, others, options)
    await Promise.all(nodes.slice(1).map((node) => joinMesh(node, ticket, options)))
    return { nodes, ticket, meshed: () => meshed(nodes, options, startedAt), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The ticket is taken before anybody is there, so that it names no inviter: people of a testnet add each other by hand. */
async function found(
  first: ClusterNode,
  others: readonly ClusterNode[],
  options: ClusterOptions,
): Promise<string> {
  const api = await first.api()
  const keyOf = async (node: ClusterNode) =>
    (await (await node.api()).call("validator.key", {})).key
  const validators =
    options.validators === 0 ? [] : await Promise.all([first, ...others].map(keyOf))
  await api.call("mesh.join", { name: "testnet", validators, ...options.founding })
  const { ticket } = await api.call("mesh.ticket", {})
  options.onEvent?.({ type: "founded", node: 0, ticket })
  await settle(first, options)
  return ticket
}

async function joinMesh(node: ClusterNode, ticket: string, options: ClusterOptions): Promise<void> {
  if (!node.running) await node.start()
  await (await node.api()).call("mesh.join", { ticket })
  await settle(node, options)
}

/** Makes the identity that belongs on this node, if one does. */
async function settle(node: ClusterNode, options: ClusterOptions): Promise<void> {
  const name = options.identities?.[node.at]
  if (name === undefined || name === null) return
  const api = await node.api()
  const { address } = await api.call("profile.create", { name, passphrase: null })
  options.onEvent?.({ type: "identity", node: node.at, name, address })
}

async function meshed(
  nodes: readonly ClusterNode[],
  options: ClusterOptions,
  startedAt: number,
): Promise<void> {
  const began = performance.now()
  const timeoutMs = options.meshTimeoutMs ?? 60_000
  const running = () => nodes.filter((node) => node.running)
  for (;;) {
    options.signal?.throwIfAborted()
    const statuses = await Promise.all(running().map((node) => node.status()))
    const links = statuses.map(({ peers }) => peers.filter((peer) => peer.gossip).length)
    // Two links each keep a mesh together when one node goes away.
    const wanted = Math.min(2, links.length - 1)
    if (links.every((count) => count >= wanted)) {
      options.onEvent?.({ type: "meshed", ms: Math.round(performance.now() - startedAt), links })
      return
    }
    if (performance.now() - began > timeoutMs) {
      const missing = running().filter((_, at) => (links[at] ?? 0) < wanted)
      const reasons = missing.map((node) => {
        const alone = statuses[running().indexOf(node)]?.alone
        return `node ${node.at + 1}${alone ? ` (${alone.reason})` : ""}`
      })
      throw new Error(
        `no mesh within ${timeoutMs / 1000} s: too few links at ${reasons.join(", ")}`,
      )
    }
    await sleep(LOOK_EVERY_MS)
  }
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

export class ClusterNode {
  readonly at: number
  readonly dataDir: string
  readonly #listen: string
  readonly #options: ClusterOptions
  #child: Child | null = null
  #ended: Promise<void> = Promise.resolve()
  #wantedEnd = false
  #retired = false
  #socketPath = ""
  #api: Api | null = null

  private constructor(options: ClusterOptions, at: number, port: number) {
    this.at = at
    this.dataDir = join(options.directory, `node${at + 1}`)
    this.#listen = `/ip4/127.0.0.1/tcp/${port}`
    this.#options = options
  }

  /** Its port stays the same over restarts, as the addresses in tickets do. */
  static async prepare(options: ClusterOptions, at: number): Promise<ClusterNode> {
    const node = new ClusterNode(options, at, await freePort())
    mkdirSync(node.dataDir, { recursive: true, mode: 0o700 })
    return node
  }

  get running(): boolean {
    return this.#child !== null
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** The `sotto` arguments that lead to this node. */
  get arguments(): readonly string[] {
    return ["--data", this.dataDir]
  }

  /** A connection that is kept until the node ends. */
  async api(): Promise<Api> {
    return (this.#api ??= await connectApi(this.#socketPath))
  }

  async status(): Promise<Status> {
    return (await this.api()).call("status", {})
  }

  /** Starts the process and waits for its ready line. Rejects with what it said last when it does not come up. */
  async start(): Promise<void> {
    if (this.#child !== null) throw new Error(`node ${this.at + 1} runs already`)
    if (this.#retired) throw new Error("the cluster has been stopped")
    const { script } = this.#options
    const [program, ...entry] =
      script === undefined ? ([PROGRAM] as const) : ([process.execPath, script] as const)
    const child: Child = spawn(
      program,
      [
        ...entry,
        ...this.arguments,
        "node",
        "--log=json",
        "--testnet",
        "--with-parent",
        `--listen=${this.#listen}`,
        ...(this.#options.more?.(this.at) ?? []),
      ],
      // A group of its own: Ctrl-C is for us, and we stop the nodes in good order.
      { stdio: ["pipe", "pipe", "pipe"], detached: true },
    )
    this.#child = child
    this.#wantedEnd = false
    const lastWords = this.#watch(child)
    const ready = await readyLine(child, this.#ended).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`node ${this.at + 1} did not start: ${reason}\n${lastWords()}`)
    })
    this.#socketPath = ready.socket
    this.#options.onEvent?.({
      type: "started",
      node: this.at,
      pid: ready.pid,
      data: this.dataDir,
    })
  }

  /** Ends it as a power cut would. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL")
  }

  /** Ends it in good order; kills it when that takes too long. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM")
  }

  /** `stop` for good. */
  async retire(): Promise<void> {
    this.#retired = true
    await this.stop()
  }

  /** Ends it in good order unless it has ended, and starts it again on the same data and port. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child
    if (child === null) return
    this.#wantedEnd = true
    await this.#api?.close()
    this.#api = null
    child.kill(signal)
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
  }

  #watch(child: Child): () => string {
    let lastWords = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-LAST_WORDS_MAX)
    })
    child.stdin.on("error", () => undefined)
    this.#ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#child = null
        void this.#api?.close()
        this.#api = null
        this.#options.onEvent?.({
          type: "ended",
          node: this.at,
          exit: code ?? signal ?? "unknown",
          wanted: this.#wantedEnd,
          lastWords: this.#wantedEnd ? "" : lastWords,
        })
        resolve()
      })
    })
    return () => lastWords.trim()
  }
}

async function readyLine(
  child: Child,
  ended: Promise<void>,
): Promise<{ pid: number; socket: string }> {
  const timer = new AbortController()
  const line = new Promise<string>((resolve) => {
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part
      const end = text.indexOf("\n")
      if (end !== -1) resolve(text.slice(0, end))
    })
  })
  try {
    const first = await Promise.race([
      line,
      ended.then(() => Promise.reject(new Error("it ended at once"))),
      sleep(START_TIMEOUT_MS, undefined, timer).then(() =>
        Promise.reject(new Error(`no word within ${START_TIMEOUT_MS / 1000} s`)),
      ),
    ])
    return JSON.parse(first) as { pid: number; socket: string }
  } finally {
    timer.abort()
  }
}

/** Below the ports that systems hand out by themselves: what is free here now is not taken by some connection a moment later. */
const PORTS = { from: 20_000, count: 12_000, tries: 64 } as const

async function freePort(): Promise<number> {
  for (let n = 0; n < PORTS.tries; n++) {
    const port = PORTS.from + Math.floor(Math.random() * PORTS.count)
    if (await isFree(port)) return port
  }
  throw new Error("no port was free")
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })
}
