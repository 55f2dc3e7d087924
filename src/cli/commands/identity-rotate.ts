/** `sotto identity rotate`: new operational keys under the same address. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { printKeys } from "./identity.ts"

export async function run(context: Context): Promise<void> {
  const params = context.flag("forget-old") ? { forgetOld: true } : {}
  const keys = await withIdentity(context, ({ api }) =>
    api.call("identity.rotate", params, context),
  )
  printKeys(context.out, keys)
}
