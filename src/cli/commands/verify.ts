/** `sotto verify`: shows the safety number of the two, and marks the contact once it was compared. */
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { usage } from "../failure.ts"
import { printContact } from "./contact-list.ts"

const GROUPS_A_LINE = 6

export async function run(context: Context): Promise<void> {
  const { out } = context
  const contact = context.arg(0)
  const digits = context.text("digits")
  const [yes, undo] = [context.flag("yes"), context.flag("undo")]
  if ([digits !== undefined, yes, undo].filter(Boolean).length > 1)
    throw usage("--digits, --yes and --undo exclude each other")
  if (digits !== undefined && !/^[0-9]{60}$/.test(digits.replace(/\s/gu, "")))
    throw usage("a safety number has 60 digits", "copy all twelve groups")
  await withIdentity(context, async ({ api }) => {
    if (undo) {
      printContact(out, (await api.call("contacts.unverify", { contact }, context)).contact)
      return
    }
    const shown = await api.call("contacts.safety", { contact }, context)
    if (digits === undefined && !yes) {
      await show(context, shown)
      return
    }
    const compared = { contact: shown.contact.address, number: digits ?? shown.number }
    printContact(out, (await api.call("contacts.verify", compared, context)).contact)
  })
}

async function show(
  context: Context,
  { contact, number }: { contact: { name: string; verified: boolean }; number: string },
): Promise<void> {
  const { out } = context
  if (out.json) {
    out.object({ contact, number })
    return
  }
  const groups = number.match(/[0-9]{5}/g) ?? []
  for (let at = 0; at < groups.length; at += GROUPS_A_LINE)
    out.line(groups.slice(at, at + GROUPS_A_LINE).join(" "))
  if (context.flag("qr")) {
    const { qrCode } = await import("../qr.ts")
    out.own(qrCode(number))
  }
  out.say(
    contact.verified
      ? `${contact.name} is verified. \`--undo\` takes it back.`
      : `Does ${contact.name} see the same? Ask over a call or in person, then mark it with --yes.`,
  )
}
