/** `sotto group create`: a group of one's own, with contacts in it. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const [name = "", ...members] = context.args
  const postQuantumSignatures = context.flag("post-quantum-signatures")
  const params = { name, members, postQuantumSignatures }
  return changeGroup(context, (api) => api.call("groups.create", params, context))
}
