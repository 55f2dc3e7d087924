/** `sotto ledger forget`: throws this peer's copy of the order away, so that the next start reads it from the others again. */
import { mustBeIdle } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError } from "../failure.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { dataDir, socketPath } = context.places
  await mustBeIdle(socketPath, signal)
  const { forgetLedger } = await import("../../node/ledger/forget.ts")
  const alone = context.flag("alone")
  const forgotten = await forgetLedger({ dataDir, alone, signal })
  if ("refused" in forgotten) throw refusal(forgotten.refused)
  const { height } = forgotten
  if (out.json) {
    out.object({ height })
    return
  }
  out.line(
    height === null
      ? "forgotten: what was here could not be read any more"
      : `forgotten: the order up to height ${height}`,
  )
  out.say(
    "Start the node again: it reads the order from the other peers and checks all of it. A validator votes again from a later term " +
      "on, the only one of its mesh after `sotto ledger resume`. People, chats and messages are as they were.",
  )
}

const refusal = (why: "NO_MESH" | "ALONE") =>
  why === "NO_MESH"
    ? new CliError("REFUSED", "this profile belongs to no mesh: there is no order to forget")
    : new CliError(
        "REFUSED",
        "this validator is the only one of its mesh: what no other peer holds of the order would be lost for good",
        "make sure that another peer has it, then `sotto ledger forget --alone`",
      )
