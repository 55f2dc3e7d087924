/** `sotto init`: an identity, in a mesh founded now or joined by a ticket. Asks for what was not given. */
import { userInfo } from "node:os"
import { withNode, type Attached } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError, usage } from "../failure.ts"
import { ask, askUnseen, givenPassphrase } from "../secret.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const name = await chosenName(context)
  const passphrase = await chosenPassphrase(context)
  const ticket = context.text("ticket")
  const create = async ({ api }: Attached) => {
    const end = api.events((event) => {
      if (event.type === "progress" && event.done < event.total && !out.json)
        out.say(`Making the ${event.what}, ${event.done + 1} of ${event.total} …`)
    })
    const result = await api.call(
      "profile.create",
      { name, passphrase, ...(ticket === undefined ? {} : { ticket }) },
      { signal },
    )
    end()
    return result
  }
  const made = await withNode(context, create, { once: true })
  if (out.json) {
    out.object({ name, address: made.address, ticket: made.ticket })
    return
  }
  out.say("This is your address; hand it to those who may write to you:")
  out.line(made.address)
  out.say("And this is an invitation to the mesh you are in:")
  out.line(made.ticket)
  if (passphrase === null)
    out.say("Without a passphrase, whoever can read this disk can read your messages.")
}

async function chosenName(context: Context): Promise<string> {
  const given = context.text("name")
  if (given !== undefined) return given
  const user = userInfo().username
  if (!context.interactive)
    throw new CliError("NO_INPUT", "a name is needed", `for example --name ${user}`)
  const typed = await ask(`Name [${user}]: `, context.signal)
  return typed.trim() === "" ? user : typed.trim()
}

async function chosenPassphrase(context: Context): Promise<string | null> {
  const given = givenPassphrase(context)
  if (context.flag("no-passphrase")) {
    if (given !== undefined) throw usage("there is a passphrase and --no-passphrase as well")
    return null
  }
  if (given !== undefined) return given
  if (!context.interactive)
    throw new CliError(
      "NO_INPUT",
      "a passphrase is needed",
      "give --passphrase-file FILE, or --no-passphrase to do without",
    )
  const first = await askUnseen("Passphrase (empty for none): ", context.signal)
  if (first === "") return null
  if ((await askUnseen("Once more: ", context.signal)) !== first)
    throw usage("these were two different passphrases", "nothing was made; start again")
  return first
}
