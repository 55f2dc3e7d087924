/** What came of asking about a group, applied to the model. */
import type { GroupView, ThreadSummary } from "../node/api/types.ts"
import { openChat } from "./chat.ts"
import { saidOf } from "./groups.ts"
import type { GroupAsk } from "./groups.ts"
import { noticed, only } from "./model.ts"
import type { Model, Step } from "./model.ts"

export function onGroup(model: Model, ask: GroupAsk, group: GroupView): Step {
  if (ask.what === "show")
    return model.overlay?.name === "members" && model.overlay.thread === group.thread
      ? only({ ...model, overlay: { ...model.overlay, group } })
      : only(model)
  const out = noticed(model, ask.what === "leave" ? "info" : "good", saidOf(ask, group))
  if (ask.what !== "create") return only(out)
  // The node tells of the thread as well, before this or after it.
  const threads = new Map(out.threads)
  if (!threads.has(group.thread)) threads.set(group.thread, threadOf(group))
  return openChat({ ...out, threads }, group.thread)
}

const threadOf = ({
  thread,
  name,
  members,
  state,
  postQuantumSignatures,
}: GroupView): ThreadSummary => ({
  id: thread,
  kind: "group",
  title: name,
  members: members.filter(({ me }) => !me).map(({ address }) => address),
  unread: 0,
  mentions: 0,
  lifetime: null,
  tells: { read: false, typing: false },
  lacks: 0,
  last: null,
  request: state === "request",
  left: state === "left",
  postQuantumSignatures,
})

/** Without a conversation that was erased here. */
export function withoutThread(model: Model, thread: string): Model {
  const threads = new Map(model.threads)
  threads.delete(thread)
  return { ...model, threads, history: model.history?.key === thread ? null : model.history }
}
