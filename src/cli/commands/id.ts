/** `sotto id`: the address to hand to others. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const { address, name } = await withIdentity(
    context,
    ({ api }) => api.call("id", {}, { signal }),
    { offline: true },
  )
  if (out.json) {
    out.object({ address, name })
    return
  }
  out.line(address)
  if (context.flag("qr")) {
    const { qrCode } = await import("../qr.ts")
    out.own(qrCode(address))
  }
}
