/** `sotto group accept`: into a group that a stranger added one to. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const params = { group: context.arg(0) }
  return changeGroup(context, (api) => api.call("groups.accept", params, context))
}
