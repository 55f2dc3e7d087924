/** `sotto group add`. */
import type { Context } from "../context.ts"
import { changeGroup } from "../groups.ts"

export function run(context: Context): Promise<void> {
  const [group = "", ...members] = context.args
  return changeGroup(context, (api) => api.call("groups.add", { group, members }, context))
}
