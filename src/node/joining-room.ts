/** This installation's way to membership, put together: the ledger that takes it, the secret it is for, the work or voucher that pays. */
import { JOIN_WORK_BITS, joinWorkId } from "../consensus/join.ts"
import type { ChatRecords } from "./chat/records.ts"
import type { MeshLedger } from "./ledger/ledger.ts"
import type { Member } from "./membership/member.ts"
import { MemberRecords } from "./membership/member-records.ts"
import { MeshJoining } from "./mesh/joining.ts"
import type { Network } from "./network/parts.ts"

const WORK = "work for membership"

export interface JoiningRoomParts {
  readonly ledger: MeshLedger
  readonly network: Network
  readonly member: Member
  readonly records: ChatRecords
  /** How far something that takes long has come; at its end `done` is `total`. */
  readonly progress: (what: string, done: number, total: number) => void
  readonly onChange: () => void
  readonly onFault: (error: unknown) => void
}

/** Goes on with what was begun. Throws StoreError, CryptoError. */
export async function openJoining(parts: JoiningRoomParts): Promise<MeshJoining> {
  const { ledger, network, member, records, progress, onChange, onFault } = parts
  const shelf = new MemberRecords(records.sealed)
  const { meshId } = network
  const joining = new MeshJoining({
    meshId,
    isOpen: network.genesis.policy === "open",
    ledger: () => ledger.state,
    shelf: { get: () => shelf.voucher(), put: (voucher) => shelf.putVoucher(voucher) },
    commitment: () => member.commitment(),
    known: () => member.known,
    prove: (said) => member.joinProof(said),
    work: async (commitment, signal) => {
      const { anchor, bits } = network.price()
      const price = { anchor, bits: bits + JOIN_WORK_BITS }
      const id = joinWorkId(meshId, commitment)
      const onProgress = (tried: number, expected: number) =>
        progress(WORK, Math.min(tried, expected - 1), expected)
      try {
        return { anchor, nonce: await network.work(id, price, { signal, onProgress }) }
      } finally {
        progress(WORK, 1, 1)
      }
    },
    say: (item) => ledger.sayJoin(item),
    counts: () => member.isMember,
    left: () => member.left,
    onStep: (done, total) => progress("membership", done, total),
    onChange,
    onFault,
  })
  await joining.resume()
  return joining
}
