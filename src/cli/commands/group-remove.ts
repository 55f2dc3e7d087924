/** `sotto group remove`. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const params = { group: context.arg(0), member: context.arg(1) }
  return changeGroup(context, (api) => api.call("groups.remove", params, context))
}
