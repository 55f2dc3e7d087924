/** `sotto group rename`. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const params = { group: context.arg(0), name: context.arg(1) }
  return changeGroup(context, (api) => api.call("groups.rename", params, context))
}
