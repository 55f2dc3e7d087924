/** `sotto validators`: whose votes make the order. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { validators } = await withRunningNode(context, (api) =>
    api.call("validators.list", {}, { signal }),
  )
  if (out.json) {
    out.object({ validators })
    return
  }
  const { printTable } = await import("../table.ts")
  printTable(
    validators.map(({ seat, key, own, linked, standing }) => [
      seat === null ? "+" : `${seat}`,
      key,
      standing === "in force" ? "" : `${standing} with the next term`,
      own ? "this peer" : linked === null ? "" : linked ? "linked" : "not reached",
    ]),
  )
}
