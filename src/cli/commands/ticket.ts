/** `sotto ticket`: an invitation to hand on. */
import { withNode } from "../attach.ts"
import type { Context } from "../context.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { ticket } = await withNode(context, ({ api }) => api.call("mesh.ticket", {}, { signal }))
  if (out.json) {
    out.object({ ticket })
    return
  }
  out.line(ticket)
  if (context.flag("qr")) {
    const { qrCode } = await import("../qr.ts")
    out.own(qrCode(ticket))
  }
}
