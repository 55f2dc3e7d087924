/** `sotto mesh invite`: tickets that each make one new member. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { short } from "../proposals.ts"

const COUNT_MAX = 1000

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const count = context.number("count", 1, COUNT_MAX) ?? 1
  const { tickets } = await withRunningNode(context, (api) =>
    api.call("mesh.invite", { count }, { signal }),
  )
  if (out.json) {
    out.object({ tickets })
    return
  }
  for (const { ticket, voucher } of tickets) out.line(`${short(voucher)}  ${ticket}`)
  out.say(
    "Each makes whoever uses it first a member: hand it over as you would a key. `sotto mesh members` shows who joined by which.",
  )
}
