/** A group at its beginning: of ourselves alone, who run it. Whoever is to be in it is added by its first commit. */
import { primitives } from "#primitives"
import { type Channel, NEW_GROUP, openChannel } from "../../chat/channel.ts"
import { encodeAbout, GROUP_NAME_BYTES_MAX } from "../../chat/group.ts"
import { GROUP_ID_BYTES } from "../../chat/group-id.ts"
import { addressBytes } from "../../crypto/address.ts"
import { utf8 } from "../../crypto/bytes.ts"
import { createGroup, type Signing } from "../../crypto/session.ts"
import { ApiError } from "../api/errors.ts"
import { ownSeed } from "./group-parts.ts"
import type { ChatParts } from "./parts.ts"

/** Throws ApiError NO_POST_QUANTUM_KEY. */
export async function foundGroup(
  { me, identity, clock }: ChatParts,
  name: string,
  signing: Signing,
): Promise<Channel> {
  const state = await createGroup({
    groupId: primitives.randomBytes(GROUP_ID_BYTES),
    identity: addressBytes(me),
    signatureSeed: ownSeed(identity, signing),
    about: encodeAbout({ name, admins: [me] }),
  })
  const about = { peer: me, theirName: "", trusted: true, group: NEW_GROUP }
  return openChannel(state, { ...about, renewedAtMs: clock.nowMs() })
}

/** What a group may be called. Throws ApiError BAD_PARAMS. */
export function checkedGroupName(name: string): string {
  const called = name.trim()
  if (called === "") throw new ApiError("BAD_PARAMS", "a group needs a name")
  if (utf8(called).length > GROUP_NAME_BYTES_MAX)
    throw new ApiError("BAD_PARAMS", `the name of a group holds ${GROUP_NAME_BYTES_MAX} bytes`)
  return called
}
