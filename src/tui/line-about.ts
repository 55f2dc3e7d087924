/** Commands about messages in line mode, where there is no pointing: the newest message that fits is meant. */
import { randomBytes } from "node:crypto"
import type { Api } from "../node/api/types.ts"
import { askAbout, planAbout } from "./about.ts"
import type { AboutIntent } from "./about.ts"
import { sanitizeLine } from "./sanitize.ts"

/** Messages among which the one that is meant is looked for. */
const NEWEST = 50

/** What is to be said about it. */
export async function about(api: Api, open: string | null, intent: AboutIntent): Promise<string> {
  const { messages } =
    open === null
      ? { messages: [] }
      : await api.call("messages.page", { thread: open, limit: NEWEST })
  const plan = planAbout(open, messages, null, intent)
  if ("wrong" in plan) return plan.wrong
  if ("copy" in plan) return sanitizeLine(plan.copy)
  return (await askAbout(api, plan.ask, () => randomBytes(16).toString("hex"))) ?? "Done."
}
