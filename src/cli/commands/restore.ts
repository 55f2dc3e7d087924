/** `sotto restore`: a profile out of a backup, on this peer or another. Nothing is touched unless the whole file is sound. */
import { resolve } from "node:path"
import { mustBeIdle } from "../attach.ts"
import type { Context } from "../context.ts"
import { calledIn } from "../neutral.ts"
import { passphrase } from "../secret.ts"

const SAYING = { checking: "Checking the backup …", writing: "Writing the profile …" } as const

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const file = context.arg(0)
  const { dataDir, socketPath } = context.places
  // a node without a profile would hold the folder, and go on as if it were empty
  await mustBeIdle(socketPath, signal)
  const typed = await passphrase(context, "Passphrase of the backup: ")
  const { restoreProfile } = await import("../../node/backup/restore.ts")
  const { address, name, restored } = await restoreProfile({
    path: file === "-" ? file : resolve(file),
    passphrase: typed,
    dataDir,
    signal,
    progress: (what) => out.say(SAYING[what]),
  })
  const { height, standing } = restored
  if (out.json) {
    out.object({ address, name, height, standing })
    return
  }
  out.line(address)
  out.say(`You are ${calledIn(name)} here too. The profile opens with the backup's passphrase.`)
  if (height > 0)
    out.say(
      `Complete up to height ${height}: ` +
        (standing === "certified"
          ? "the mesh's validators have signed it."
          : "that is checked once the chain is here."),
    )
  out.say(
    "Do not start the old one again: from now on you live here, and your contacts are told as they are reached.",
  )
}
