/**
 * Judging people's joining (DESIGN §6, §6.1): what entitles them (consensus/join.ts) and, last because it costs milliseconds, the proof that
 * they know the secret behind their commitment. What was judged well is passed on again when its author says it again, without
 * being checked again; another joining on the same voucher is not.
 */
import { keyOf, keysOf } from "../../consensus/item.ts"
import { joiningBytes, judgeTitle, type JoinRule } from "../../consensus/join.ts"
import type { MemberAddItem } from "../../consensus/types.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { CodedError, CryptoError } from "../../crypto/errors.ts"
import type { Claim } from "../../crypto/membership/groth16.ts"
import { joinClaim } from "../../crypto/membership/join.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../../crypto/verdict.ts"

/** Joinings that were judged well and are remembered until they are ordered; the oldest are forgotten. */
export const JOINS_MAX = 1024
/** Said again before that, it is not passed on. */
const AGAIN_AFTER_MS = 2_000

export interface JoinsParts {
  readonly rule: () => JoinRule
  /** Whether a proof holds, off the event loop. Throws CodedError when it cannot be found out now. */
  readonly verify: (claim: Claim) => Promise<boolean>
  readonly nowMs: () => number
}

interface Judged {
  readonly id: string
  atMs: number
}

export class MeshJoins {
  readonly #parts: JoinsParts
  /** By what they use up. */
  readonly #judged = new Map<string, Judged>()

  constructor(parts: JoinsParts) {
    this.#parts = parts
  }

  /** The ledger's state allows it already. */
  async judge(item: MemberAddItem): Promise<Verdict> {
    const { rule, verify, nowMs } = this.#parts
    const { id } = keysOf(item)
    const known = this.#judged.get(keyOf(item.voucher))
    if (known !== undefined) {
      // [IGNORE] it is the first that used this up, and not said just now
      if (known.id !== id) return ignore("JOIN_PENDING")
      if (nowMs() - known.atMs < AGAIN_AFTER_MS) return ignore("DUPLICATE")
      known.atMs = nowMs()
      return ACCEPT
    }
    const { meshId, ...given } = rule()
    const title = judgeTitle(item, { meshId, ...given })
    if ("verdict" in title) return title
    let claim: Claim
    try {
      claim = joinClaim(
        meshId,
        item.commitment,
        joiningBytes(meshId, item.commitment, item.voucher),
        title.proof,
      )
    } catch (error) {
      // [REJECT] the proof is one by its length
      if (error instanceof CryptoError) return reject("JOIN_PROOF")
      throw error
    }
    try {
      // [REJECT] whoever asks knows the secret of this commitment, and asks for just this
      if (!(await verify(claim))) return reject("JOIN_PROOF")
    } catch (error) {
      // [IGNORE] there is room to check it
      if (error instanceof CodedError) return ignore("OVERLOADED")
      throw error
    }
    this.#remember(item.voucher, id)
    return ACCEPT
  }

  #remember(spend: Bytes, id: string): void {
    this.#judged.set(keyOf(spend), { id, atMs: this.#parts.nowMs() })
    if (this.#judged.size <= JOINS_MAX) return
    for (const oldest of this.#judged.keys()) {
      this.#judged.delete(oldest)
      return
    }
  }
}
