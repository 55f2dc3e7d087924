/** Our own leaf key in a group, beside the one that our card names: after a rotation they differ until we have committed the new one. */
import { type Channel, ownLeafKey } from "../../chat/channel.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { leafSeed } from "../../crypto/identity.ts"
import { signaturePublicOf, signingOf } from "../../crypto/session.ts"
import type { ChatParts } from "./parts.ts"

/** The seed of the current leaf key, when the channel still has another; for `updateSelf`. */
export function newLeafOf(
  channel: Channel,
  { identity }: Pick<ChatParts, "identity">,
): Bytes | undefined {
  const key = ownLeafKey(channel)
  const seed = leafSeed(identity, signingOf(channel.state))
  if (key === undefined || seed === undefined) return undefined
  return equal(key, signaturePublicOf(seed)) ? undefined : seed
}
