/** `sotto unlock`: opens the running node's vault, so that it can read and answer for its owner. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { passphrase } from "../secret.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  await withRunningNode(context, async (api) => {
    const typed = await passphrase(context)
    const { address } = await api.call("unlock", { passphrase: typed }, { signal })
    if (out.json) out.object({ address })
    else out.say("Open.")
  })
}
