/** What people are shown of the ledger: its last block, its validators, and a check of the whole chain. */
import { Follower } from "../consensus/follower.ts"
import { hybridScheme } from "../consensus/hybrid.ts"
import { Ledger, type LedgerRules } from "../consensus/ledger.ts"
import type { BlockRecord } from "../consensus/types.ts"
import { type Bytes, equal, toHex } from "../crypto/bytes.ts"
import type { LedgerView, ValidatorView } from "./api/types.ts"
import type { LedgerChain } from "./ledger-chain.ts"

const SLICE_MS = 8

/** `lastSet` is the validator set of the block's term. */
export function blockView(
  { certificate, parent, batch }: BlockRecord,
  lastSet: Ledger["lastSet"],
): NonNullable<LedgerView["last"]> {
  const { digest, term, view, signatures } = certificate
  return {
    hash: toHex(digest),
    parent: toHex(parent),
    items: batch.items.length,
    term,
    view,
    signers: signatures.map(({ signer }) =>
      toHex(lastSet.members[signer]?.ed25519 ?? new Uint8Array(0)),
    ),
  }
}

/** `linked`: to whom votes flow, null at a follower. */
export function validatorViews(
  set: Ledger["set"],
  own: Bytes | undefined,
  linked: readonly Bytes[] | null,
): ValidatorView[] {
  return set.members.map(({ ed25519 }, seat) => ({
    seat,
    key: toHex(ed25519),
    own: own !== undefined && equal(own, ed25519),
    linked: linked === null ? null : linked.some((key) => equal(key, ed25519)),
  }))
}

/** Checks the whole stored chain again, from the genesis on: every link, every state, every signature. Throws StoreError. */
export async function verifyStored(
  chain: LedgerChain,
  rules: LedgerRules,
  progress: (done: number, total: number) => void,
): Promise<{ height: number; code: string | null }> {
  // Nothing remembered: what is checked now is checked now.
  const follower = new Follower(new Ledger(rules), hybridScheme())
  const total = chain.height
  let began = performance.now()
  for await (const record of chain.records()) {
    if (record.height > total) break
    const taken = follower.take(record)
    if (!taken.ok) return { height: record.height, code: taken.code }
    if (performance.now() - began < SLICE_MS) continue
    progress(record.height, total)
    await new Promise((resolve) => setImmediate(resolve))
    began = performance.now()
  }
  return { height: follower.ledger.height, code: null }
}
