/** Commands about a message on the chat screen. */
import { planAbout } from "./about.ts"
import type { AboutIntent } from "./about.ts"
import { and, noticed, only } from "./model.ts"
import type { Model, Step } from "./model.ts"

/** `unwritable`: why nothing can be sent to the open chat, if so. */
export function onAbout(
  model: Model,
  taken: Model,
  intent: AboutIntent,
  unwritable: (model: Model) => string | null,
): Step {
  const { history, selected } = model
  const plan = planAbout(history?.key ?? null, history?.messages ?? [], selected, intent)
  if ("wrong" in plan) return only(noticed(model, "bad", plan.wrong))
  const done: Model = { ...taken, selected: null }
  if ("copy" in plan)
    return and(noticed(done, "info", "Copied."), { type: "copy", text: plan.copy })
  const why = plan.ask.what === "reply" ? unwritable(model) : null
  if (why !== null) return only(noticed(model, "bad", why))
  return and(done, { type: "about", ask: plan.ask })
}
