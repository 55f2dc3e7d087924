/** Commands about groups in line mode: asked in words, answered in words. */
import type { Api } from "../node/api/types.ts"
import type { GroupIntent } from "./commands.ts"
import { HIDDEN, askGroup, membersText, planGroup, questionOf, saidOf } from "./groups.ts"
import { entries } from "./model.ts"
import type { Model } from "./model.ts"
import type { Talk } from "./talk.ts"

/** What is to be said, and which chat is open then. */
export async function carryOutGroup(
  api: Api,
  talk: Talk,
  known: Pick<Model, "threads" | "contacts" | "status">,
  open: string | null,
  intent: GroupIntent,
): Promise<{ readonly said: string; readonly open: string | null }> {
  const plan = planGroup(known, open, intent)
  if ("wrong" in plan) return { said: plan.wrong, open }
  if ("ask" in plan) {
    const group = await askGroup(api, plan.ask)
    const said = plan.ask.what === "show" ? membersText(group) : saidOf(plan.ask, group)
    return { said, open: plan.ask.what === "create" ? group.thread : open }
  }
  const { confirm, thread } = plan
  const title = entries(known).find(({ key }) => key === thread)?.title ?? "it"
  const question = `${questionOf(confirm, title)} Write "${confirm}" to go on, or nothing:`
  if ((await talk.ask(question)).trim() !== confirm) return { said: "Nothing was changed.", open }
  if (confirm === "hide") {
    await api.call("threads.hide", { thread })
    return { said: HIDDEN, open: null }
  }
  const ask = { what: "leave", thread } as const
  return { said: saidOf(ask, await askGroup(api, ask)), open }
}
