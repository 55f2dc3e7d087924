/** A chain as four validators would have made it, written into their stores without running them: for catching up from far behind. */
import { certificateOf } from "../src/consensus/certificate.ts"
import { votePreimage } from "../src/consensus/preimage.ts"
import { batchOf } from "../src/consensus/item.ts"
import { Ledger } from "../src/consensus/ledger.ts"
import type { BlockRecord, Item, Vote } from "../src/consensus/types.ts"
import { primitives } from "#primitives"
import { LedgerChain } from "../src/node/ledger/chain.ts"
import { ledgerRules, workItem } from "../src/node/ledger/rules.ts"
import { meshFrom } from "../src/node/mesh/mesh.ts"
import { openStore } from "../src/node/store/store.ts"
import { type ValidatorSecrets, validatorFrom } from "../src/node/ledger/validator-keys.ts"
import { join } from "node:path"

const KEPT_TOGETHER = 64

interface Made {
  readonly record: BlockRecord
  readonly applied: readonly Item[]
}

/** So many blocks of so many envelopes, each certified by a quorum with real signatures. */
export function makeChain(
  genesis: Uint8Array,
  secrets: readonly ValidatorSecrets[],
  blocks: number,
  items: number,
): Made[] {
  const ledger = new Ledger(ledgerRules(meshFrom(genesis)))
  const signers = secrets.slice(0, ledger.set.quorum).map((each) => validatorFrom(each).sign)
  return Array.from({ length: blocks }, () => {
    const batch = batchOf(Array.from({ length: items }, () => workItem(primitives.randomBytes(32))))
    const { term } = ledger
    const plan = ledger.plan(batch)
    const { height, parent, stateRoot, applied } = plan
    const votes = signers.map((sign, signer): Vote<"commit"> => {
      const fields = { type: "commit" as const, term, view: 0, height, digest: plan.hash, signer }
      return { ...fields, signature: sign(votePreimage(ledger.rules.meshId, fields)) }
    })
    ledger.apply(plan)
    const certificate = certificateOf(votes)
    return { record: { height, parent, stateRoot, batch, certificate }, applied }
  })
}

/** Into the store of a peer that does not run. */
export async function writeChain(directory: string, made: readonly Made[]): Promise<void> {
  const store = await openStore(join(directory, "store"))
  const chain = await LedgerChain.open(store)
  for (let at = 0; at < made.length; at += KEPT_TOGETHER)
    await chain.keep(made.slice(at, at + KEPT_TOGETHER), undefined, { sync: false })
  await store.close()
}
