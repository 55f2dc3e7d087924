/** `sotto identity`: the keys behind the address, and how old they are. */
import type { IdentityKeys } from "../../node/api/types.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import type { Output } from "../output.ts"

export async function run(context: Context): Promise<void> {
  const keys = await withIdentity(context, ({ api }) => api.call("identity.show", {}, context))
  printKeys(context.out, keys)
}

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)

export function printKeys(out: Output, keys: IdentityKeys): void {
  if (out.json) {
    out.object(keys)
    return
  }
  const { sequence, sinceMs, untilMs, oldUntilMs, onOffer } = keys
  out.line(`card       ${sequence}`)
  out.line(`keys       made ${day(sinceMs)}, replaced ${day(untilMs)}`)
  const old = oldUntilMs.map((ms) => `until ${day(ms)}`).join(", ")
  out.line(`late mail  ${old === "" ? "no earlier keys" : `opened with earlier keys ${old}`}`)
  out.line(`one-time   ${onOffer} key packages with others to hand out`)
}
