/** `sotto join`: a mesh for this peer, without an identity: what a relay needs. */
import { withNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"

export async function run(context: Context): Promise<void> {
  const { args, out, signal } = context
  const [ticket] = args
  const name = context.text("name")
  if (ticket !== undefined && name !== undefined)
    throw usage("a ticket names its mesh already: --name is for founding one")
  if (ticket === undefined && name === undefined)
    throw usage("join what?", "give a ticket, or --name NAME to found a mesh")
  const { meshId } = await withNode(context, ({ api }) =>
    api.call(
      "mesh.join",
      { ...(ticket === undefined ? {} : { ticket }), ...(name === undefined ? {} : { name }) },
      { signal },
    ),
  )
  if (out.json) out.object({ meshId })
  else out.line(meshId)
}
