/** Our own leaf key in a group, beside the one that our card names: after a rotation they differ until we have committed the new one. */
import { type Channel, ownLeafKey } from "../chat/channel.ts"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { leafPublic } from "../crypto/identity.ts"
import type { ChatParts } from "./chat-parts.ts"

/** The seed of the current leaf key, when the channel still has another; for `updateSelf`. */
export function newLeafOf(
  channel: Channel,
  { identity }: Pick<ChatParts, "identity">,
): Bytes | undefined {
  const key = ownLeafKey(channel)
  return key === undefined || equal(key, leafPublic(identity)) ? undefined : identity.leaf
}
