/** How what is posted here is admitted: by a member's proof where this installation is a member and has one, by work otherwise. */
import type { ChatParts } from "./chat-parts.ts"
import type { ChatRecords } from "./chat-records.ts"
import { systemClock } from "./clock.ts"
import type { LedgerPeriods } from "./ledger-periods.ts"
import { Member } from "./member.ts"
import { MemberRecords } from "./member-records.ts"
import type { Network } from "./network.ts"
import type { Store } from "./store.ts"

export interface MemberRoomParts {
  readonly network: Network
  readonly periods: LedgerPeriods
  readonly records: ChatRecords
  readonly store: Store
  readonly log: (line: string) => void
}

/** Undefined where the network takes no proofs. Throws StoreError, CryptoError. */
export async function openMember(parts: MemberRoomParts): Promise<Member | undefined> {
  const { network, periods, records, store, log } = parts
  const { membership: admission, verifier, meshId } = network
  if (admission === undefined) return undefined
  return await Member.open({
    records: new MemberRecords(records.sealed),
    storeId: store.id,
    meshId,
    roots: periods,
    path: (commitment, period) => periods.pathFor(commitment, period),
    verifier,
    admission,
    clock: systemClock,
    log,
  })
}

/** For chat: one payload's envelopes at a time. */
export const admitting =
  (network: Pick<Network, "pay">, member: Pick<Member, "admit"> | undefined): ChatParts["admit"] =>
  async (envelopes, signal) =>
    (await member?.admit(envelopes, signal)) ??
    (await Promise.all(envelopes.map((each) => network.pay(each, { signal }))))
