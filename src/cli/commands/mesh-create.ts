/** `sotto mesh create`: founds a mesh with what its genesis can say, and prints the first invitations. */
import { PERIOD_SECONDS_MAX, PERIOD_SECONDS_MIN } from "../../crypto/genesis.ts"
import { withNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import { keyIn } from "../key-argument.ts"
import { short } from "../proposals.ts"

const TICKETS_MAX = 1000

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const files = context.texts("validator")
  const none = context.flag("no-validators")
  if (none && files.length > 0) throw usage("--no-validators and --validator exclude each other")
  const powBits = context.number("work-bits", 0, 32)
  const periodSeconds = context.number("period", PERIOD_SECONDS_MIN, PERIOD_SECONDS_MAX)
  const count = context.number("tickets", 1, TICKETS_MAX)
  if (none && (count !== undefined || context.flag("open")))
    throw usage("a mesh without validators has no ledger, and so no members")
  const validators = await Promise.all(files.map(keyIn))
  const made = await withNode(context, async ({ api }) => {
    const { mesh } = await api.call("status", {}, { signal })
    if (mesh !== null)
      throw usage(
        "this profile is in a mesh already",
        "found another in another profile: `sotto --profile NAME mesh create`",
      )
    const { meshId } = await api.call(
      "mesh.join",
      {
        name: context.arg(0),
        ...(none || files.length > 0 ? { validators } : {}),
        ...(context.flag("open") ? { open: true } : {}),
        ...(powBits === undefined ? {} : { powBits }),
        ...(periodSeconds === undefined ? {} : { periodSeconds }),
      },
      { signal },
    )
    const tickets =
      count === undefined ? [] : (await api.call("mesh.invite", { count }, { signal })).tickets
    return { meshId, tickets }
  })
  if (out.json) {
    out.object(made)
    return
  }
  out.say("The mesh is founded. This is its id:")
  out.line(made.meshId)
  if (made.tickets.length > 0)
    out.say("And these are invitations, each after its name; each makes one member:")
  for (const { ticket, voucher } of made.tickets) out.line(`${short(voucher)}  ${ticket}`)
}
