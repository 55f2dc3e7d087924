/** A profile that came out of a backup, as long as it runs: what it must not use again, and whether the chain agrees with the backup. */
import { type Bytes, equal } from "../../crypto/bytes.ts"
import type { RestoredView } from "../api/types.ts"
import type { ChatRecords } from "../chat/records.ts"
import type { LedgerChain } from "../ledger/chain.ts"
import { packageHash, type Restored } from "../identity/restored.ts"

export class RestoredProfile {
  readonly #records: ChatRecords
  readonly #log: (line: string) => void
  #restored: Restored

  private constructor(records: ChatRecords, log: (line: string) => void, restored: Restored) {
    this.#records = records
    this.#log = log
    this.#restored = restored
  }

  /** Undefined for any other profile. Throws CryptoError when the record was altered. */
  static async read(
    records: ChatRecords,
    log: (line: string) => void,
  ): Promise<RestoredProfile | undefined> {
    const restored = await records.restored()
    return restored && new RestoredProfile(records, log, restored)
  }

  get view(): RestoredView {
    const { height, standing } = this.#restored
    return { height, standing }
  }

  /** Groups joined with this key package may be joined, and gone on in, elsewhere. */
  retires(keyPackage: Bytes): boolean {
    const hash = packageHash(keyPackage)
    return this.#restored.packages.some((each) => equal(each, hash))
  }

  /**
   * Holds the backup's block against the chain that this peer has checked itself, once that is so long. True when something is known now
   * that was not before. Throws StoreError.
   */
  async settle(chain: Pick<LedgerChain, "height" | "block"> | undefined): Promise<boolean> {
    const { standing, height, hash } = this.#restored
    const isSettled = standing === "agreed" || standing === "contradicted" || height === 0
    if (isSettled || chain === undefined || chain.height < height) return false
    const block = await chain.block(height)
    if (block === undefined) return false
    const agrees = equal(block.certificate.digest, hash)
    this.#restored = { ...this.#restored, standing: agrees ? "agreed" : "contradicted" }
    await this.#records.write([this.#records.putRestored(this.#restored)], { sync: false })
    if (!agrees) this.#log("the chain holds another block than the backup at its height")
    return true
  }
}
