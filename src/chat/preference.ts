/** Which of several channels two people write into: both have to find the same one, from nothing but the channels. */
import { compare } from "../crypto/bytes.ts"
import { type Signing, signingOf } from "../crypto/session.ts"
import type { Channel } from "./channel.ts"

/**
 * The one to write into: one with composite signatures before any other, and then the one whose group id sorts first. `least`: how the two
 * have agreed to sign; a channel of less is only read.
 */
export function preferred(channels: readonly Channel[], least: Signing): Channel | undefined {
  return channels
    .filter(({ trusted, retired }) => trusted && !retired)
    .filter(({ state }) => least !== "composite" || signingOf(state) === "composite")
    .sort((a, b) => weakness(a) - weakness(b) || compare(a.groupId, b.groupId))[0]
}

const weakness = ({ state }: Channel): number => (signingOf(state) === "composite" ? 0 : 1)
