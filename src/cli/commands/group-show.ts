/** `sotto group show`: who is in it, and what has been asked for and is not so yet. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const params = { group: context.arg(0) }
  return changeGroup(context, (api) => api.call("groups.show", params, context))
}
