/** `sotto save`: fetches the file of a message and writes it into a folder, never over something that is there. */
import { resolve } from "node:path"
import type { Api, FileView } from "../../node/api/types.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError, usage } from "../failure.ts"
import { TransferWatch } from "../transfer.ts"

const TIMEOUT_MS = 3_600_000

export async function run(context: Context): Promise<void> {
  const { out } = context
  const [which = "", folder = "."] = context.args
  const name = context.text("as")
  const timeoutMs = context.timeMs("timeout") ?? TIMEOUT_MS
  const late = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([context.signal, late])
  const saved = await withIdentity(context, async ({ api }) => {
    const { id } = await fileCalled(api, which, context.signal)
    const watch = new TransferWatch(api, out)
    try {
      const { transfer } = await api.call(
        "files.save",
        {
          id,
          directory: resolve(folder),
          overwrite: context.flag("overwrite"),
          ...(name === undefined ? {} : { name }),
        },
        { signal: context.signal },
      )
      return await watch.ends(transfer, signal)
    } catch (error) {
      if (!late.aborted) throw error
      throw new CliError(
        "TIMEOUT",
        "the file is not here yet",
        "a running node goes on; what came already is not fetched twice",
      )
    } finally {
      watch.end()
    }
  })
  if (out.json) out.object(saved)
  else out.line(saved.path ?? "")
}

/** By the message's id or its unique beginning. */
async function fileCalled(api: Api, which: string, signal: AbortSignal): Promise<FileView> {
  if (!/^[0-9a-f]{4,32}$/.test(which))
    throw usage("a file goes by the id of its message, 4 of its digits at least", "`sotto files`")
  const { files } = await api.call("files.list", {}, { signal })
  const found = files.filter(({ id }) => id.startsWith(which))
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  if (found.length > 1) throw usage(`${found.length} files begin like that: write more of it`)
  if (which.length === 32) return { ...NONE, id: which }
  throw usage("no message of this id brings a file", "`sotto files` shows those that do")
}

/** Older than what is listed: the node knows by the id alone. */
const NONE: FileView = {
  id: "",
  thread: "",
  author: "",
  mine: false,
  sentAtMs: 0,
  name: "",
  size: 0,
  type: "",
}
