/**
 * What the members of a group agree on besides who they are (its name, say): bytes that mean nothing here, in one extension of the
 * group context (RFC 9420 §8.1, §12.1.7). They change by commit like everything else, and are part of what every epoch's keys are
 * derived from.
 */
import type { Extension, GroupContext, Proposal } from "ts-mls"
import type { Bytes } from "../bytes.ts"
import { ABOUT_EXTENSION } from "./credential.ts"
import { SessionError } from "./errors.ts"
import { ABOUT_MAX_BYTES } from "./limits.ts"

const NOTHING = new Uint8Array(0)

/** None for no bytes. Throws SessionError TOO_LARGE. */
export function aboutExtensions(about: Bytes): Extension[] {
  if (about.length > ABOUT_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `${about.length} bytes about a group`)
  return about.length === 0
    ? []
    : [{ extensionType: ABOUT_EXTENSION, extensionData: about.slice() }]
}

/** The one extension that a group of ours may have; empty when it has none, `undefined` for any other. */
export function aboutIn(extensions: readonly Extension[]): Bytes | undefined {
  const [first, ...rest] = extensions
  if (first === undefined) return NOTHING
  const sound =
    rest.length === 0 &&
    first.extensionType === ABOUT_EXTENSION &&
    first.extensionData.length > 0 &&
    first.extensionData.length <= ABOUT_MAX_BYTES
  return sound ? first.extensionData : undefined
}

export const aboutOfContext = ({ extensions }: GroupContext): Bytes =>
  aboutIn(extensions) ?? NOTHING

/** A change of it: always to something, because nothing would mean "as before" to ts-mls. */
export const aboutProposal = (about: Bytes): Proposal => ({
  proposalType: "group_context_extensions",
  groupContextExtensions: { extensions: aboutExtensions(about) },
})
