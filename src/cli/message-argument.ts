/** Which message a command means: a whole id, or the beginning of one among the newest of a conversation. */
import { ApiError } from "../node/api/errors.ts"
import type { Api } from "../node/api/types.ts"
import type { Context } from "./context.ts"
import { usage } from "./failure.ts"

const NEWEST = 500

export async function messageId(
  context: Context,
  api: Api,
  given: string,
  thread = context.text("thread"),
): Promise<string> {
  const id = given.toLowerCase()
  if (/^[0-9a-f]{32}$/.test(id)) return id
  if (!/^[0-9a-f]{4,31}$/.test(id))
    throw usage("MESSAGE is 32 hex digits, or 4 and more with --thread")
  if (thread === undefined) throw usage("the beginning of an id needs --thread")
  const page = await api.call("messages.page", { thread, limit: NEWEST }, context)
  const [only, another] = page.messages.filter((message) => message.id.startsWith(id))
  if (only === undefined)
    throw new ApiError("UNKNOWN_MESSAGE", `none of the newest ${NEWEST} begins like that`)
  if (another !== undefined) throw usage("several messages begin like that", "write more of the id")
  return only.id
}
