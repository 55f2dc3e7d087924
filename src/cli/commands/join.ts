/** `sotto join`: a mesh for this peer, without an identity: what a relay needs, and how a mesh of several validators begins. */
import { withNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import { keyIn } from "../key-argument.ts"
import { calledIn } from "../neutral.ts"

export async function run(context: Context): Promise<void> {
  const { args, out, signal } = context
  const [ticket] = args
  const name = context.text("name")
  const files = context.texts("validator")
  const none = context.flag("no-validators")
  if (ticket !== undefined && (name !== undefined || files.length > 0 || none))
    throw usage("a ticket names its mesh already: --name and --validator are for founding one")
  if (ticket === undefined && name === undefined)
    throw usage("join what?", "give a ticket, or --name NAME to found a mesh")
  if (none && files.length > 0) throw usage("--no-validators and --validator exclude each other")
  const validators = await Promise.all(files.map(keyIn))
  const { meshId, inviter } = await withNode(context, ({ api }) =>
    api.call(
      "mesh.join",
      {
        ...(ticket === undefined ? {} : { ticket }),
        ...(name === undefined ? {} : { name }),
        ...(none || files.length > 0 ? { validators } : {}),
      },
      { signal },
    ),
  )
  if (out.json) {
    out.object({ meshId, inviter })
    return
  }
  out.line(meshId)
  if (inviter !== null)
    out.say(`Invited by ${calledIn(inviter.name)}: \`sotto contact add TICKET\` adds them.`)
}
