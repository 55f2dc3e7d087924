/** `sotto version`: this program's, which the running node's may differ from (`sotto status`). */
import { readFileSync } from "node:fs"
import type { Context } from "../context.ts"

export function ownVersion(): string {
  const manifest = new URL("../../../../package.json", import.meta.url)
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version
}

export function run({ out }: Context): Promise<void> {
  const version = ownVersion()
  if (out.json) out.object({ version, node: process.versions.node })
  else out.line(`sotto ${version}`)
  return Promise.resolve()
}
