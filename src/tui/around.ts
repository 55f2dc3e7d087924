/** The messages around a place in a thread: half a page up to it and half a page after it. */
import type { Api, Page } from "../node/api/types.ts"
import { PAGE_SIZE } from "./widgets/history.ts"

/** Positions sort as their bytes do: nothing lies between one and this. */
export const justAfter = (position: string): string => `${position}00`

/** `more`: the thread goes on behind the page. */
export async function around(
  api: Api,
  thread: string,
  position: string,
  options: { readonly signal: AbortSignal },
): Promise<{ readonly page: Page; readonly more: boolean }> {
  const limit = PAGE_SIZE / 2
  const [until, after] = await Promise.all([
    api.call("messages.page", { thread, limit, before: justAfter(position) }, options),
    api.call("messages.page", { thread, limit, after: position }, options),
  ])
  const messages = [...until.messages, ...after.messages]
  return { page: { messages, before: until.before }, more: after.messages.length === limit }
}
