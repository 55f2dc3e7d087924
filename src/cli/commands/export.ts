/** `sotto export`: writes a message to a file by which others can check who wrote it, and where the ledger put it. */
import { resolve } from "node:path"
import type { ExportMade } from "../../node/api/types.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"
import { messageId } from "../message-argument.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const path = resolve(context.arg(1))
  const made = await withIdentity(context, async ({ api }) => {
    const id = await messageId(context, api, context.arg(0))
    const end = api.events((event) => {
      if (event.type === "progress" && event.what === "going through the ledger" && !out.json)
        out.say(`${event.done} of ${event.total} blocks …`)
    })
    try {
      const asked = {
        others: context.flag("with-others"),
        unordered: context.flag("without-order"),
        original: context.flag("original"),
        replace: context.flag("overwrite"),
      }
      return await api.call("messages.export", { id, path, ...asked }, { signal })
    } finally {
      end()
    }
  })
  if (out.json) {
    out.object(made)
    return
  }
  out.line(made.path)
  for (const line of saidOf(made)) out.say(line)
}

function saidOf({ place, beside, meshId }: ExportMade): string[] {
  const { texts, others, group } = beside
  return [
    place === null
      ? "It shows who wrote the message, not when: its place was left out."
      : `It shows who wrote the message, and that it stands in block ${place.height}.`,
    ...(texts > 0 ? [`It shows ${counted(texts, "other text")} of its author too.`] : []),
    ...(others > 0 ? [`It shows ${counted(others, "receipt")} or the like too.`] : []),
    ...(group === null ? [] : [`It shows the group's name and who runs it: ${group}.`]),
    `Whoever checks it compares the mesh: ${meshId}`,
  ]
}
