/** `sotto threads`: conversations, the newest first, with what is unread. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { threads } = await withIdentity(
    context,
    ({ api }) => api.call("threads.list", {}, { signal }),
    { offline: true },
  )
  const sorted = threads.toSorted((a, b) => (b.last?.sentAtMs ?? 0) - (a.last?.sentAtMs ?? 0))
  if (out.json) {
    out.object({ threads: sorted, unread: threads.reduce((sum, { unread }) => sum + unread, 0) })
    return
  }
  const { printTable } = await import("../table.ts")
  printTable(
    sorted.map(({ id, title, unread, request, left, last }) => [
      id,
      title,
      request ? "request" : left ? "left" : unread > 0 ? `${unread} unread` : "",
      last?.text.slice(0, 60) ?? "",
    ]),
  )
  for (const { title, lacks } of sorted)
    if (lacks > 0) {
      const what = `${counted(lacks, "message")} of yours`
      out.say(`${title} went on from a backup and cannot read up to ${what} any more.`)
      out.say("`sotto again CONTACT` says them again; in doubt ask them first, by another way.")
    }
  if (threads.length === 0) out.say("No conversations yet: `sotto contact add CODE` begins one.")
}
