/** `sotto mesh join`: this installation becomes a member. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { spokenMembership } from "../membership.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal, args } = context
  const [ticket] = args
  const { own } = await withIdentity(context, async ({ api }) => {
    let told = ""
    const end = api.events((event) => {
      if (event.type !== "progress" || out.json || event.done >= event.total) return
      // of work that takes its luck: past what it takes on average, nobody knows
      const tenths = Math.min(9, Math.floor((10 * event.done) / Math.max(1, event.total)))
      const line = `${event.what} … ${10 * tenths} %`
      if (line !== told) out.say(line)
      told = line
    })
    try {
      return await api.call("members.join", ticket === undefined ? {} : { ticket }, { signal })
    } catch (error) {
      // whoever interrupts means the work, not only its showing
      if (signal.aborted) await api.call("members.cancel", {}).catch(() => undefined)
      throw error
    } finally {
      end()
    }
  })
  if (out.json) out.object({ own })
  else out.line(spokenMembership(own))
}
