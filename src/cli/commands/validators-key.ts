/** `sotto validators key`: this peer's public validator key in one word. */
import { withNode } from "../attach.ts"
import type { Context } from "../context.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { key } = await withNode(context, ({ api }) => api.call("validator.key", {}, { signal }))
  if (out.json) out.object({ key })
  else out.line(key)
}
