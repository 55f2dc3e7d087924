/** `sotto init`: an identity, in a mesh founded now or joined by a ticket. Asks for what was not given. */
import { userInfo } from "node:os"
import { withNode, type Attached } from "../attach.ts"
import type { Context } from "../context.ts"
import { ApiError } from "../../node/api/errors.ts"
import type { MembershipView } from "../../node/api/types.ts"
import { CliError, usage } from "../failure.ts"
import { spokenMembership } from "../membership.ts"
import { calledIn } from "../neutral.ts"
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
  const made = await withNode(
    context,
    async (attached) => {
      const result = await create(attached)
      const { inviter } = result
      const added = inviter !== null && (await wanted(context, inviter.name))
      if (added && ticket !== undefined)
        await attached.api.call("contacts.add", { code: ticket }, { signal })
      const membership = await becomeMember(context, attached, ticket)
      return { ...result, added, membership }
    },
    { once: true },
  )
  const { inviter, added, membership } = made
  if (out.json) {
    out.object({ name, address: made.address, ticket: made.ticket, inviter, added, membership })
    return
  }
  out.say("This is your address; hand it to those who may write to you:")
  out.line(made.address)
  out.say("And this is an invitation to the mesh you are in:")
  out.line(made.ticket)
  if (inviter !== null)
    out.say(
      added
        ? `${calledIn(inviter.name)} is added to your contacts.`
        : `Invited by ${calledIn(inviter.name)}: \`sotto contact add TICKET\` adds them.`,
    )
  if (membership !== null) out.say(spokenMembership(membership))
  if (passphrase === null)
    out.say("Without a passphrase, whoever can read this disk can read your messages.")
}

/**
 * A ticket may hold a voucher, and is being used already; who founded the mesh alone vouches for themselves. Waits for what the ledger
 * says. Null where there is nothing to become.
 */
async function becomeMember(
  { out, signal }: Context,
  { api }: Attached,
  ticket: string | undefined,
): Promise<MembershipView | null> {
  const { mesh, ledger } = await api.call("status", {}, { signal })
  if (mesh === null || mesh.validators === 0) return null
  const { own } = await api.call("members.list", {}, { signal })
  const isFounder = ledger?.role === "validating" && mesh.validators === 1
  const begins = ticket === undefined && isFounder && own.state === "none"
  if (own.state !== "joining" && !begins) return own.refusal === null ? null : own
  out.say("Becoming a member of the mesh …")
  try {
    const params = ticket === undefined ? {} : { ticket }
    return (await api.call("members.join", params, { signal })).own
  } catch (error) {
    // the identity is made and the mesh is joined: that nobody became a member is told, and is no failure of this command
    if (!(error instanceof ApiError)) throw error
    return (await api.call("members.list", {}, { signal })).own
  }
}

/** Whoever invited is added when that was asked for, or is answered with yes: it tells them this address. */
async function wanted(context: Context, inviter: string): Promise<boolean> {
  if (context.flag("add-inviter")) return true
  if (!context.interactive || context.json) return false
  const answer = await ask(
    `Add ${calledIn(inviter)}, who invited you, as a contact? [Y/n]: `,
    context.signal,
  )
  return !/^n/i.test(answer.trim())
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
