/** `sotto mesh members`: who may post without work, by commitment; and how it stands with this installation. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { spokenMembership } from "../membership.ts"
import { short } from "../proposals.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { members, own } = await withRunningNode(context, (api) =>
    api.call("members.list", {}, { signal }),
  )
  if (out.json) {
    out.object({ members, own })
    return
  }
  const { printTable } = await import("../table.ts")
  printTable(
    members.map(({ commitment, place, joinedBy, own: mine }) => [
      `${place}`,
      short(commitment),
      `joined by ${short(joinedBy)}`,
      mine ? "this installation" : "",
    ]),
  )
  out.say(spokenMembership(own))
}
