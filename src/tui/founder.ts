/** Who founds a mesh alone is its operator, and becomes its first member without being asked. */
import type { Api } from "../node/api/types.ts"

/**
 * Goes on by itself, over restarts as well, and is nothing to wait for: until it counts, messages cost some work. In a mesh that
 * somebody else runs it does nothing.
 */
export function vouchForFounder(api: Api): void {
  const join = async () => {
    const { mesh, ledger } = await api.call("status", {})
    if (mesh?.validators !== 1 || ledger?.role !== "validating") return
    await api.call("members.join", {})
  }
  // what became of it is in the status; nothing that was asked for has failed
  join().catch(() => undefined)
}
