/** Backups in line mode: the same questions and sentences as on the screen. */
import type { Api } from "../node/api/types.ts"
import { backedUpText, RESTORE_WORD, restoredText } from "./backup.ts"
import { absolute } from "./folders.ts"
import { spoken } from "./sentences.ts"
import type { Talk } from "./talk.ts"

export async function writeBackup(api: Api, talk: Talk, given: string): Promise<string> {
  const path = given === "" ? (await talk.ask("Into which file?")).trim() : given
  if (path === "") return "Nothing was written."
  const passphrase = await talk.ask("Passphrase of the backup:", true)
  if (passphrase === "") return "A backup is sealed under a passphrase. Nothing was written."
  if ((await talk.ask("The same once more:", true)) !== passphrase)
    return "The two were not the same. Nothing was written."
  talk.say("Writing …")
  const where = absolute(path)
  return backedUpText(where, await api.call("backup.write", { path: where, passphrase }))
}

/** The file of a backup, when that was answered in place of a name. */
export const backupIn = (name: string): string | null =>
  name === RESTORE_WORD || name.startsWith(`${RESTORE_WORD} `)
    ? name.slice(RESTORE_WORD.length).trim()
    : null

/** Whether somebody came back. */
export async function comeBack(api: Api, talk: Talk, given: string): Promise<boolean> {
  const path = given === "" ? (await talk.ask("Which file?")).trim() : given
  if (path === "") return false
  const passphrase = await talk.ask("Passphrase of the backup:", true)
  talk.say("Checking the whole file …")
  try {
    talk.say(restoredText(await api.call("profile.restore", { path: absolute(path), passphrase })))
    return true
  } catch (error) {
    talk.say(spoken(error))
    return false
  }
}
