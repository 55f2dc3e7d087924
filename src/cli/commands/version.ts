/** `sotto version`: this program's, which the running node's may differ from (`sotto status`). */
import { VERSION } from "../../node/version.ts"
import type { Context } from "../context.ts"

export function run({ out }: Context): Promise<void> {
  if (out.json) out.object({ version: VERSION, node: process.versions.node })
  else out.line(`sotto ${VERSION}`)
  return Promise.resolve()
}
