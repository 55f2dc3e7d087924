/** How what is posted here is admitted: by a member's proof where this installation is a member and has one, by work otherwise. */
import type { Bytes } from "../crypto/bytes.ts"
import { periodMsOf } from "../crypto/genesis.ts"
import type { ChatParts } from "./chat/parts.ts"
import type { ChatRecords } from "./chat/records.ts"
import { systemClock } from "./clock.ts"
import type { MeshLedger } from "./ledger/ledger.ts"
import { Member } from "./membership/member.ts"
import { MemberRecords } from "./membership/member-records.ts"
import type { Network } from "./network/parts.ts"
import type { Store } from "./store/store.ts"

export interface MemberRoomParts {
  readonly network: Network
  readonly ledger: Pick<MeshLedger, "periods" | "isNewest">
  readonly records: ChatRecords
  readonly store: Store
  readonly log: (line: string) => void
}

/** Undefined where the network takes no proofs. Throws StoreError, CryptoError. */
export async function openMember(parts: MemberRoomParts): Promise<Member | undefined> {
  const { network, ledger, records, store, log } = parts
  const { membership: admission, verifier, meshId } = network
  if (admission === undefined) return undefined
  return await Member.open({
    records: new MemberRecords(records.sealed),
    storeId: store.id,
    meshId,
    periodMs: periodMsOf(network.genesis),
    roots: ledger.periods,
    path: (commitment, period) => ledger.periods.pathFor(commitment, period),
    isNewest: () => ledger.isNewest,
    verifier,
    admission,
    clock: systemClock,
    log,
  })
}

/** Work of so many bits is done in less time than a proof takes. */
const CHEAP_BITS = 18
const PROOF_WAIT_MS = 2_000
/** Work that takes longer is told of while it goes on. */
const TELL_AFTER_MS = 1_000

/** For chat: one payload's envelopes at a time. `progress`: of work that takes long; ends with `done` equal to `total`. */
export const admitting =
  (
    network: Pick<Network, "pay" | "price">,
    member: Pick<Member, "admit"> | undefined,
    progress: (done: number, total: number) => void,
  ): ChatParts["admit"] =>
  async (envelopes, signal) =>
    (await proven(network, envelopes, member, signal)) ??
    (await Promise.all(envelopes.map((each) => payFor(network, each, signal, progress))))

/** A proof that is ready or comes soon. Where work is cheaper than waiting, nobody waits long; the proof is the next payload's then. */
async function proven(
  network: Pick<Network, "price">,
  envelopes: readonly Bytes[],
  member: Pick<Member, "admit"> | undefined,
  signal: AbortSignal,
): Promise<readonly Bytes[] | undefined> {
  if (member === undefined || network.price().bits > CHEAP_BITS)
    return await member?.admit(envelopes, signal)
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PROOF_WAIT_MS)])
  try {
    return await member.admit(envelopes, patience)
  } catch (error) {
    if (signal.aborted || !patience.aborted) throw error
    return undefined
  }
}

/**
 * For files: what keepers ask for up to 64 chunks. Work while it is cheap, because a file takes many of them and a member has 32 proofs a
 * period, which are for what is said; a proof when somebody's flood has made work dear.
 */
export const granting =
  (
    network: Pick<Network, "pay" | "price">,
    member: Pick<Member, "admit">,
  ): ((envelope: Bytes, signal: AbortSignal) => Promise<Bytes>) =>
  async (envelope, signal) => {
    const isDear = network.price().bits > CHEAP_BITS
    const [proven] = (isDear ? await member.admit([envelope], signal) : undefined) ?? []
    return proven ?? (await network.pay(envelope, { signal }))
  }

async function payFor(
  network: Pick<Network, "pay">,
  envelope: Bytes,
  signal: AbortSignal,
  progress: (done: number, total: number) => void,
): Promise<Bytes> {
  const beganMs = performance.now()
  let told: number | undefined
  const onProgress = (tried: number, expected: number) => {
    if (performance.now() - beganMs < TELL_AFTER_MS) return
    told = expected
    // it may take several times what it takes on average
    progress(Math.min(tried, expected - 1), expected)
  }
  try {
    return await network.pay(envelope, { signal, onProgress })
  } finally {
    if (told !== undefined) progress(told, told)
  }
}
