/** `sotto peers`: the running node's connections. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { peers, alone } = await withRunningNode(context, (api) =>
    api.call("status", {}, { signal }),
  )
  if (out.json) {
    out.object({ peers, alone })
    return
  }
  const { printTable } = await import("../table.ts")
  printTable(
    peers.map((peer) => [
      peer.peerId,
      peer.direction,
      peer.encryption,
      peer.gossip ? "gossip" : "no gossip",
      peer.address,
    ]),
  )
  if (alone !== null)
    out.say(`No peers: ${alone.reason}. Next attempt in ${Math.ceil(alone.retryInMs / 1000)} s.`)
}
