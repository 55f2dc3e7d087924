/** `sotto node status`: for scripts and supervisors: exit 0 with peers, 6 without a node or without peers. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"
import { CliError } from "../failure.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const status = await withRunningNode(context, (api) => api.call("status", {}, { signal }))
  const { pid, version, peers, alone } = status
  if (out.json)
    out.object({ running: true, pid, version, peers: peers.length, alone: alone?.reason ?? null })
  else out.line(`running, process ${pid}, ${counted(peers.length, "peer")}`)
  if (peers.length === 0)
    throw new CliError("OFFLINE", `the node has no peers: ${alone?.reason ?? "no reason known"}`)
}
