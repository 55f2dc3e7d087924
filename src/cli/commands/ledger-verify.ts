/** `sotto ledger verify`: every block again, from the genesis on. Exit 1 when one is wrong. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"
import { CliError } from "../failure.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { height, fault } = await withRunningNode(context, (api) =>
    api.call("ledger.verify", {}, { signal }),
  )
  if (out.json) out.object({ height, fault })
  else if (fault === null)
    out.line(`${counted(height, "block")}, every link, state and signature as it must be`)
  if (fault === "SNAPSHOT_DIFFERS")
    throw new CliError(
      "BAD_LEDGER",
      `every block up to ${height} is sound, but the snapshot there was not what they lead to; it is dropped`,
      "stop the node and start it again: it replays the chain, which it would not have done",
    )
  if (fault === "BLOCKS_NOT_KEPT")
    throw new CliError(
      "BAD_LEDGER",
      `this node lives in memory and keeps the blocks above ${height} only`,
      "a node that keeps its data on the disk has them all: ask there",
    )
  if (fault !== null)
    throw new CliError("BAD_LEDGER", `the block at height ${height} is wrong: ${fault}`)
}
