/**
 * Throws away this peer's copy of the mesh's order, and a validator's memory of its votes with it: for a chain that is damaged, or that
 * is another one than the others'. Everything else of the profile stays. The next start reads the order from the others again and checks
 * it from the genesis on; a validator without its memory does not vote before a later term (consensus/README, What stops a validator).
 * To be called while no node runs. Killed half-way, it leaves an observer, and is called again.
 */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { LedgerChain } from "./chain.ts"
import { storedGenesis } from "../mesh/genesis.ts"
import { meshFrom } from "../mesh/mesh.ts"
import { openStore, type Store, type Write } from "../store/store.ts"
import { storeError, StoreError } from "../store/errors.ts"
import { storedValidator } from "./validator-keys.ts"

/** Rows deleted in one batch. */
const DELETED_TOGETHER = 4096

export interface ForgetOptions {
  readonly dataDir: string
  /** The operator knows that other peers hold what the only validator would forget. */
  readonly alone: boolean
  readonly signal: AbortSignal
}

export type Forgotten =
  /** Of the last block that was here; null for one that could not be read. */
  | { readonly height: number | null }
  /** Nothing was changed: the profile is in no mesh, or its validator is the only one and `alone` was not said. */
  | { readonly refused: "NO_MESH" | "ALONE" }

/** Throws StoreError. */
export async function forgetLedger({ dataDir, alone, signal }: ForgetOptions): Promise<Forgotten> {
  const store = await openStore(join(dataDir, "store"))
  try {
    const genesis = await storedGenesis(store)
    if (genesis === undefined) return { refused: "NO_MESH" }
    const chain = await readable(store)
    const isValidator = (await storedValidator(dataDir)) !== undefined
    const signers = chain?.last?.certificate.signatures.length ?? 0
    const set = signers > 0 ? signers : meshFrom(genesis).genesis.validators.length
    if (isValidator && set === 1 && !alone) return { refused: "ALONE" }
    signal.throwIfAborted()
    await rm(join(dataDir, "ledger"), { recursive: true, force: true }).catch((error: unknown) => {
      throw storeError(error)
    })
    await deleteAll(store)
    return { height: chain?.height ?? null }
  } finally {
    await store.close()
  }
}

/** What is damaged may be beyond reading; it goes all the same. */
async function readable(store: Store): Promise<LedgerChain | undefined> {
  try {
    return await LedgerChain.open(store)
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_DAMAGED") return undefined
    throw error
  }
}

async function deleteAll(store: Store): Promise<void> {
  for (;;) {
    const writes: Write[] = []
    for await (const [key] of store.range("ledger", { limit: DELETED_TOGETHER }))
      writes.push({ table: "ledger", key: key.slice(), value: undefined })
    if (writes.length === 0) return
    await store.batch(writes, { sync: true })
  }
}
