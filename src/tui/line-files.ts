/** Files and what failed, in line mode. */
import type { Api } from "../node/api/types.ts"
import { absolute, folderFor } from "./folders.ts"
import { sanitizeLine, sanitizeName } from "./sanitize.ts"

export async function sendFile(
  api: Api,
  open: string | null,
  { path, text }: { readonly path: string; readonly text: string },
): Promise<string> {
  if (open === null) return "Open a chat first: /open name."
  const words = text === "" ? {} : { text }
  const params = { to: open, path: absolute(path), ...words }
  const { transfer } = await api.call("files.send", params)
  return `${sanitizeName(transfer.name)} is on its way.`
}

export async function save(
  api: Api,
  open: string | null,
  id: string | null,
  folder: string | null,
): Promise<string> {
  const params = open === null ? {} : { thread: open }
  const { files } = await api.call("files.list", params)
  const file = files.find((each) => (id === null ? !each.mine : each.id.startsWith(id)))
  if (file === undefined) return "There is no such file. What a message brings stands beside it."
  const directory = await folderFor(folder)
  await api.call("files.save", { id: file.id, directory })
  return `${sanitizeName(file.name)} is being saved into ${sanitizeLine(directory)}.`
}

export async function retry(api: Api, open: string | null): Promise<string> {
  if (open === null) return "Open a chat first: /open name."
  const page = { thread: open, limit: 100 }
  const { messages } = await api.call("messages.page", page)
  const failed = messages.filter((message) => message.mine && message.state === "failed")
  for (const { id } of failed) await api.call("messages.retry", { id })
  return failed.length === 0 ? "Nothing has failed in this chat." : `Trying ${failed.length} again.`
}
