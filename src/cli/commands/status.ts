/** `sotto status`: what the running node says of itself. Exit 6 when none runs. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"
import { spokenMembership } from "../membership.ts"
import { LEDGER_PROBLEMS } from "../sentences.ts"
import type { LedgerStatus, RestoredView, Status } from "../../node/api/types.ts"

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

function orderOf({ height, role, behind, waiting, stalled, problem }: LedgerStatus): string {
  if (problem !== null)
    return `at height ${height} (${role}): ${LEDGER_PROBLEMS[problem.code].what}`
  const state = stalled
    ? "stands still"
    : behind > 0
      ? `${counted(behind, "block")} behind`
      : "goes on"
  return `at height ${height}, ${state}, ${counted(waiting, "envelope")} waiting (${role})`
}

const STANDINGS: Readonly<Record<RestoredView["standing"], string>> = {
  unchecked: "not checked yet: the chain will tell",
  certified: "signed by the mesh's validators",
  agreed: "the chain holds that block",
  contradicted: "THE CHAIN HOLDS ANOTHER BLOCK: this history is not this mesh's",
}

const restoredOf = ({ height, standing }: RestoredView) =>
  height === 0
    ? "from a backup"
    : `from a backup, complete up to height ${height}, ${STANDINGS[standing]}`

const damagedOf = (count: number) =>
  `${counted(count, "private record")} cannot be opened any more and left out; the rest goes on. Check the disk, ` +
  "and restore your last backup if something is missing"

function rowsOf(status: Status): string[][] {
  const { mesh, identity, peers, alone, sync, ledger } = status
  const quantum = peers.filter((peer) => peer.postQuantum).length
  const network =
    peers.length > 0
      ? `${counted(peers.length, "peer")}, ${quantum} post-quantum, ${peers.filter((p) => p.gossip).length} gossiping`
      : `alone: ${alone?.reason ?? "no reason known"}`
  return [
    ["version", status.version],
    ["process", `${status.pid}`],
    ["profile", status.profile],
    ["mesh", mesh === null ? "none" : `${mesh.name} (${counted(mesh.validators, "validator")})`],
    ...(mesh === null ? [] : [["mesh id", mesh.meshId]]),
    ["identity", status.name === null ? identity : `${status.name} (${identity})`],
    ...(status.address === null ? [] : [["address", status.address]]),
    ...(status.ephemeral ? [["on disk", "nothing"]] : []),
    ...(status.unprotected ? [["on disk", "unprotected: no passphrase was set"]] : []),
    ...(status.restored === null ? [] : [["restored", restoredOf(status.restored)]]),
    ...(status.damaged === 0 ? [] : [["damaged", damagedOf(status.damaged)]]),
    ...status.listen.map((address) => ["listens", address]),
    ["network", network],
    ["sync", sync.state === "idle" ? "up to date" : `${sync.done} of ${sync.total}`],
    ...(ledger === null ? [] : [["order", orderOf(ledger)]]),
    ...(status.membership === null ? [] : [["member", spokenMembership(status.membership)]]),
    ["kept", counted(status.envelopes, "envelope")],
    ["waiting", counted(status.waiting, "message")],
  ]
}
