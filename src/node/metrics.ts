/**
 * Health and Prometheus metrics on loopback, for whoever looks after an always-on peer. `/health` is 200 while there are
 * peers, 503 while there are none. Nothing here names an identity, a contact or a peer. Requests for another host are
 * refused, so that a web page cannot read this through a name that it points at 127.0.0.1.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Api, LedgerStatus, Status } from "./api/types.ts"

export interface MetricsServer {
  readonly port: number
  stop(): Promise<void>
}

const CALL_TIMEOUT_MS = 5_000

/** `port` 0 takes a free one. Rejects as `listen` does when the port is taken. */
export async function serveMetrics(api: Api, port: number): Promise<MetricsServer> {
  const loop = monitorEventLoopDelay({ resolution: 10 })
  loop.enable()
  const server = createServer((request, response) => {
    answer(api, () => loop.percentile(99) / 1e9, request, response).catch(() => {
      response.writeHead(503).end("the node does not answer\n")
    })
  })
  server.headersTimeout = CALL_TIMEOUT_MS
  server.requestTimeout = CALL_TIMEOUT_MS
  server.maxConnections = 16
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", resolve)
  })
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stop: async () => {
      loop.disable()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(
  api: Api,
  loopDelaySeconds: () => number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "")
  if (host !== "127.0.0.1" && host !== "localhost") response.writeHead(403).end()
  else if (request.method !== "GET") response.writeHead(405).end()
  else if (request.url === "/metrics") {
    const status = await ask(api)
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
    response.end(render(status, loopDelaySeconds()))
  } else if (request.url === "/health") {
    const { peers, alone } = await ask(api)
    response.writeHead(peers.length > 0 ? 200 : 503, { "content-type": "application/json" })
    response.end(`${JSON.stringify({ peers: peers.length, alone: alone?.reason ?? null })}\n`)
  } else response.writeHead(404).end("/metrics and /health are here\n")
}

const ask = (api: Api) => api.call("status", {}, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) })

const ledgerGauges = ({ height, waiting, behind, linked, stalled, role }: LedgerStatus) =>
  [
    ["sotto_ledger_height", "Height of the newest verified block.", height],
    ["sotto_ledger_waiting", "Envelopes without a place in the order.", waiting],
    ["sotto_ledger_behind", "Blocks shown by others and not here yet.", behind],
    ["sotto_ledger_linked", "Other validators that votes are exchanged with.", linked ?? 0],
    ["sotto_ledger_stalled", "1 while envelopes wait and no block comes.", stalled ? 1 : 0],
    ["sotto_ledger_voting", "1 while this peer votes.", role === "validating" ? 1 : 0],
  ] as const

function render(status: Status, loopDelaySeconds: number): string {
  const { peers, sync } = status
  const count = (pick: (peer: Status["peers"][number]) => boolean) => peers.filter(pick).length
  const { rss, heapUsed } = process.memoryUsage()
  const gauges: readonly (readonly [string, string, number])[] = [
    ["sotto_peers", "Connected peers.", peers.length],
    ["sotto_peers_gossip", "Peers with a live gossip link.", count((peer) => peer.gossip)],
    [
      "sotto_peers_post_quantum",
      "Peers over a post-quantum connection.",
      count((p) => p.postQuantum),
    ],
    ["sotto_envelopes", "Envelopes in the mailbox store.", status.envelopes],
    ["sotto_waiting", "Own messages no peer has taken yet.", status.waiting],
    ["sotto_sync_done", "Envelopes fetched in the running sync round.", sync.done],
    ["sotto_sync_total", "Envelopes known to be missing in it.", sync.total],
    ...(status.ledger === null ? [] : ledgerGauges(status.ledger)),
    ["process_resident_memory_bytes", "Resident memory.", rss],
    ["nodejs_heap_size_used_bytes", "Used heap.", heapUsed],
    ["nodejs_eventloop_lag_p99_seconds", "Event loop delay, 99th percentile.", loopDelaySeconds],
    ["process_uptime_seconds", "Time since the process started.", process.uptime()],
  ]
  return gauges
    .map(
      ([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`,
    )
    .join("")
}
