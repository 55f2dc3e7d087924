/** `sotto status`: what the running node says of itself. Exit 6 when none runs. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import type { LedgerStatus, Status } from "../../node/api/types.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const status = await withRunningNode(context, (api) => api.call("status", {}, { signal }))
  if (out.json) {
    out.object(status)
    return
  }
  const { printTable } = await import("../table.ts")
  printTable(rowsOf(status))
}

function orderOf({ height, role, behind, waiting, stalled }: LedgerStatus): string {
  const state = stalled ? "stands still" : behind > 0 ? `${behind} blocks behind` : "goes on"
  return `at height ${height}, ${state}, ${waiting} envelopes wait (${role})`
}

function rowsOf(status: Status): string[][] {
  const { mesh, identity, peers, alone, sync, ledger } = status
  const quantum = peers.filter((peer) => peer.postQuantum).length
  const network =
    peers.length > 0
      ? `${peers.length} peers, ${quantum} post-quantum, ${peers.filter((p) => p.gossip).length} gossiping`
      : `alone: ${alone?.reason ?? "no reason known"}`
  return [
    ["version", status.version],
    ["process", `${status.pid}`],
    ["profile", status.profile],
    ["mesh", mesh === null ? "none" : `${mesh.name} (${mesh.validators} validators)`],
    ["identity", status.name === null ? identity : `${status.name} (${identity})`],
    ...(status.address === null ? [] : [["address", status.address]]),
    ...(status.ephemeral ? [["on disk", "nothing"]] : []),
    ...(status.unprotected ? [["on disk", "unprotected: no passphrase was set"]] : []),
    ...status.listen.map((address) => ["listens", address]),
    ["network", network],
    ["sync", sync.state === "idle" ? "up to date" : `${sync.done} of ${sync.total}`],
    ...(ledger === null ? [] : [["order", orderOf(ledger)]]),
    ["kept", `${status.envelopes} envelopes`],
    ["waiting", `${status.waiting} messages`],
  ]
}
