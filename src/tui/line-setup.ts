/**
 * First run and unlocking in line mode: the same questions and sentences as on the screen.
 */
import type { Api, Status } from "../node/api/types.ts"
import { RESTORE_WORD } from "./backup.ts"
import { contactName } from "./commands.ts"
import { backupIn, comeBack } from "./line-backup.ts"
import { sanitizeLine } from "./sanitize.ts"
import { spoken } from "./sentences.ts"
import type { Talk } from "./talk.ts"
import { vouchForFounder } from "./founder.ts"

/** First run, as three questions. */
export async function createProfile(
  api: Api,
  talk: Talk,
  { mesh, ephemeral }: Pick<Status, "mesh" | "ephemeral">,
  userName: string,
): Promise<void> {
  talk.say(`Welcome to sotto. ${ephemeral ? "Two" : "Three"} questions.`)
  if (ephemeral)
    talk.say("Nothing is written to disk: you and what you say are gone when this ends.")
  if (!ephemeral) talk.say(`You have a backup? Answer ${RESTORE_WORD} FILE.`)
  let name = ""
  while (name === "") {
    const answer = (await talk.ask(`Your name [${userName}]:`)).trim() || userName || "me"
    const backup = ephemeral ? null : backupIn(answer)
    if (backup === null) name = answer
    else if (await comeBack(api, talk, backup)) return
  }
  const passphrase = ephemeral ? null : await newPassphrase(talk)
  for (;;) {
    const ticket =
      mesh === null
        ? (await talk.ask("Invite ticket (empty founds a new mesh):")).replace(/\s+/g, "")
        : ""
    talk.say("Making your keys. This takes some seconds, once.")
    try {
      const params = ticket === "" ? { name, passphrase } : { name, passphrase, ticket }
      const made = await api.call("profile.create", params)
      if (ticket === "") vouchForFounder(api)
      talk.say(`Your code: ${sanitizeLine(made.address)}`)
      talk.say(`Invite ticket: ${sanitizeLine(made.ticket)}`)
      if (made.inviter !== null) await addInviter(api, talk, ticket, made.inviter.name)
      return
    } catch (error) {
      talk.say(spoken(error))
      if (ticket === "") throw error
    }
  }
}

/** A ticket usually names who gave it. */
async function addInviter(api: Api, talk: Talk, ticket: string, name: string): Promise<void> {
  const who = sanitizeLine(name) || "whoever"
  const answer = await talk.ask(`Add ${who}, who invited you, as a contact? yes or no [yes]:`)
  if (answer.trim().startsWith("n")) return
  try {
    const { contact } = await api.call("contacts.add", { code: ticket })
    talk.say(`${contactName(contact)} is added.`)
  } catch (error) {
    talk.say(spoken(error))
  }
}

async function newPassphrase(talk: Talk): Promise<string | null> {
  for (;;) {
    const passphrase = await talk.ask("Passphrase (empty for none):", true)
    if (passphrase === "") {
      talk.say("Without one, whoever can read this disk can read your messages and be you.")
      if ((await talk.ask("Go on without a passphrase? yes or no [no]:")).trim() === "yes")
        return null
      continue
    }
    if ((await talk.ask("The same once more:", true)) === passphrase) return passphrase
    talk.say("The two were not the same.")
  }
}

/** Asks until the vault opens or the person leaves. */
export async function openVault(api: Api, talk: Talk): Promise<void> {
  for (;;) {
    const passphrase = await talk.ask("Passphrase:", true)
    try {
      await api.call("unlock", { passphrase })
      return
    } catch (error) {
      talk.say(spoken(error))
    }
  }
}
