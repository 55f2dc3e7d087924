/** `sotto node stop`: asks the running node to stop and returns once its process is gone. */
import { setTimeout as sleep } from "node:timers/promises"
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError } from "../failure.ts"

const TIMEOUT_MS = 20_000
const LOOK_EVERY_MS = 20

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const deadline = performance.now() + (context.timeMs("timeout") ?? TIMEOUT_MS)
  const pid = await withRunningNode(context, async (api) => {
    const status = await api.call("status", {}, { signal })
    await api.call("stop", {}, { signal })
    return status.pid
  })
  while (alive(pid)) {
    if (performance.now() > deadline)
      throw new CliError("TIMEOUT", `process ${pid} has not ended yet`, "it may still be saving")
    await sleep(LOOK_EVERY_MS, undefined, { signal })
  }
  if (out.json) out.object({ stopped: pid })
  else out.say("Stopped.")
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}
