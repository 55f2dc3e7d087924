/** `sotto group admin`: who runs a group. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const admin = !context.flag("undo")
  const params = { group: context.arg(0), member: context.arg(1), admin }
  return changeGroup(context, (api) => api.call("groups.admin", params, context))
}
