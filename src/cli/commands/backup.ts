/** `sotto backup`: one encrypted file with everything that makes a person on this peer. Needs no network. */
import { resolve } from "node:path"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError, usage } from "../failure.ts"
import { askUnseen, passphraseFrom } from "../secret.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const path = resolve(context.arg(0))
  const passphrase = await chosenPassphrase(context)
  const made = await withIdentity(
    context,
    async ({ api }) => {
      const end = api.events((event) => {
        if (event.type === "progress" && event.what === "backup" && !out.json)
          out.say(`${event.done} records …`)
      })
      try {
        const replace = context.flag("force")
        return await api.call("backup.write", { path, passphrase, replace }, { signal })
      } finally {
        end()
      }
    },
    { offline: true },
  )
  if (out.json) {
    out.object({ path, ...made })
    return
  }
  out.line(path)
  out.say(
    made.height === null
      ? `${made.records} records.`
      : `${made.records} records, complete up to height ${made.height}.`,
  )
  if (made.damaged > 0)
    out.say(`${made.damaged} records on this disk are damaged and are not in it.`)
  if (made.validator)
    out.say("This peer has validator keys. They are not in it: they stay with this peer.")
}

async function chosenPassphrase(context: Context): Promise<string> {
  const given = passphraseFrom(context, "backup-passphrase")
  if (given !== undefined) return given
  if (!context.interactive)
    throw new CliError(
      "NO_INPUT",
      "a passphrase for the backup is needed",
      "give --backup-passphrase-file FILE",
    )
  const first = await askUnseen("Passphrase of the backup: ", context.signal)
  if ((await askUnseen("Once more: ", context.signal)) !== first)
    throw usage("these were two different passphrases", "nothing was written; start again")
  return first
}
