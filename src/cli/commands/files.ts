/** `sotto files`: what messages brought, the newest last, and what is on its way. */
import { sanitizeName } from "../../tui/sanitize.ts"
import { sizeText, transferText } from "../../tui/widgets/transfers.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { localTime, namesOf } from "../messages.ts"

const LIMIT_DEFAULT = 50
/** Digits of an id that are shown: enough to tell files apart. */
const ID_SHOWN = 8

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const [thread] = context.args
  const limit = context.number("limit", 1, 500) ?? LIMIT_DEFAULT
  await withIdentity(context, async ({ api }) => {
    const params = { limit, ...(thread === undefined ? {} : { thread }) }
    const { files } = await api.call("files.list", params, { signal })
    const { transfers } = await api.call("transfers.list", {}, { signal })
    if (out.json) {
      out.object({ files, transfers })
      return
    }
    const names = await namesOf(api, signal)
    const { printTable } = await import("../table.ts")
    printTable(
      files
        .toReversed()
        .map(({ id, author, mine, sentAtMs, name, size, type }) => [
          id.slice(0, ID_SHOWN),
          localTime(sentAtMs),
          sanitizeName(mine ? "me" : (names.get(author) ?? `${author.slice(0, 14)}…`)),
          sizeText(size),
          sanitizeName(name),
          `(${type})`,
        ]),
    )
    if (files.length === 0) out.say("No files yet: `sotto send CONTACT --file PATH` sends one.")
    for (const transfer of transfers)
      if (transfer.state !== "done" && transfer.state !== "failed") out.say(transferText(transfer))
  })
}
