/**
 * Makes the proof that envelopes stand where the ledger put them (consensus/place.ts), out of the stored chain. What a block left as state is
 * not stored, so the chain is gone through again up to the block: from the newest snapshot where that is early enough, else from the
 * genesis. Signatures are not checked on the way: what is stored was, and whoever reads the proof checks its own.
 */
import { Ledger, type LedgerRules, type Plan } from "../../consensus/ledger.ts"
import type { Link, PlaceProof, ShownBlock } from "../../consensus/place.ts"
import { encodeState } from "../../consensus/state.ts"
import type { BlockRecord } from "../../consensus/types.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import type { LedgerChain } from "./chain.ts"
import { Slices } from "../slices.ts"
import { StoreError } from "../store/errors.ts"

/** Told so often. */
const PROGRESS_EVERY = 1_000

export interface ProvePlaces {
  readonly chain: LedgerChain
  readonly rules: LedgerRules
  readonly progress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

/** Undefined when one of these envelopes (32-byte ids) has no place. Throws StoreError STORE_DAMAGED. */
export async function provePlaces(
  parts: ProvePlaces,
  envelopes: readonly Bytes[],
): Promise<PlaceProof | undefined> {
  const { chain, rules, progress, signal } = parts
  const heights = new Set<number>()
  for (const id of envelopes) {
    const height = chain.orderedAt(id)
    if (height === undefined) return undefined
    heights.add(height)
  }
  const [first, last] = [Math.min(...heights), Math.max(...heights)]
  const ledger = await startFor(chain, rules, first)
  const links: Link[] = []
  const blocks: ShownBlock[] = []
  const slices = new Slices()
  for await (const record of chain.records(ledger.height)) {
    signal?.throwIfAborted()
    if (record.height > last) break
    const before = ledger.fields
    const plan = ledger.plan(record.batch)
    if (record.height !== plan.height || !equal(plan.hash, record.certificate.digest))
      throw new StoreError("STORE_DAMAGED", `block ${record.height} does not follow`)
    ledger.apply(plan)
    const state = () => encodeState(plan.fields)
    if (heights.has(record.height))
      blocks.push({ record, state: state(), before: before.history, applied: appliedIn(plan) })
    if (plan.fields.setSince !== before.setSince && record.height < last)
      links.push(linkOf(record, state(), plan))
    if (record.height % PROGRESS_EVERY === 0) progress?.(record.height, last)
    await slices.pause()
  }
  return { links, blocks }
}

/** A state below `height` from which no change of the validators is missed. */
async function startFor(chain: LedgerChain, rules: LedgerRules, height: number): Promise<Ledger> {
  const kept = await chain.resumed(rules)
  const isEarly = kept !== undefined && kept.height < height && kept.fields.setSince === 0
  return isEarly ? kept : new Ledger(rules)
}

function linkOf(
  { height, parent, batch, certificate }: BlockRecord,
  state: Bytes,
  plan: Plan,
): Link {
  const { members: validators } = plan.fields.set
  return { height, parent, digest: batch.digest, state, certificate, validators }
}

function appliedIn({ batch, applied }: Plan): Bytes {
  const counted = new Set(applied)
  const flags = new Uint8Array(Math.ceil(batch.items.length / 8))
  batch.items.forEach((item, i) => {
    if (counted.has(item)) flags[i >> 3] = (flags[i >> 3] ?? 0) | (1 << (i & 7))
  })
  return flags
}
