/** What the calls about single messages and about how a thread is kept do; part of the table of api-methods.ts. */
import type { Method, Params, Result } from "./api/types.ts"
import { messageIdOf } from "./chat/messages.ts"
import type { SottoNode } from "./node.ts"

type Handled =
  | "messages.react"
  | "messages.edit"
  | "messages.delete"
  | "messages.export"
  | "messages.show"
  | "messages.retry"
  | "threads.lifetime"
  | "threads.tell"
  | "threads.again"
  | "threads.typing"

type Table = {
  [M in Extract<Method, Handled>]: (node: SottoNode, params: Params<M>) => Promise<Result<M>>
}

export const MESSAGE_METHODS: Table = {
  "messages.react": async (node, { id, signs }) => ({
    message: await node.chat.messages.react(messageIdOf(id), signs),
  }),
  "messages.edit": async (node, { id, text }) => ({
    message: await node.chat.messages.edit(messageIdOf(id), text),
  }),
  "messages.delete": async (node, { id, forAll = false }) => ({
    recalled: await node.chat.messages.delete(messageIdOf(id), forAll),
  }),
  "messages.export": (node, { id, ...asked }) => node.chat.exports.write(messageIdOf(id), asked),
  "messages.show": async (node, { id }) => ({
    message: await node.chat.messages.show(messageIdOf(id)),
  }),
  "messages.retry": async (node, { id }) => ({
    message: await node.chat.messages.retry(messageIdOf(id)),
  }),
  "threads.lifetime": async (node, { thread, seconds, blocks }) => ({
    message: await node.chat.setLifetime(
      thread,
      seconds !== undefined
        ? { unit: "seconds", amount: seconds }
        : blocks !== undefined
          ? { unit: "blocks", amount: blocks }
          : null,
    ),
  }),
  "threads.again": async (node, { thread }) => ({ said: await node.chat.lacks.again(thread) }),
  "threads.tell": async (node, { thread, ...how }) => ({
    thread: await node.chat.tell(thread, how),
  }),
  "threads.typing": async (node, { thread, active }) => {
    await node.chat.typing(thread, active)
    return {}
  },
}
