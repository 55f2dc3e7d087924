/** `sotto group rejoin`. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const params = { group: context.arg(0) }
  return changeGroup(context, (api) => api.call("groups.rejoin", params, context))
}
