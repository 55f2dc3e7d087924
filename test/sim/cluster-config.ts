/** What a simulated cluster is to be like; everything has a default. */
import { primitives } from "#primitives"
import { utf8 } from "../../src/crypto/bytes.ts"
import { DEFAULT_TIMING, type Timing } from "../../src/consensus/core.ts"
import type { LedgerRules } from "../../src/consensus/ledger.ts"
import type { CryptoKind, Keyholder } from "./keys.ts"
import type { LinkOptions } from "./network.ts"

export interface ClusterConfig {
  readonly seed?: number
  /** The most items a block may hold. */
  readonly batch?: number
  /** Heights in a term. */
  readonly termHeights?: number
  readonly pipelineSlots?: number
  readonly timing?: Partial<Timing>
  readonly links?: Partial<LinkOptions>
  readonly crypto?: CryptoKind
  /** Seats that run two instances of one key: 3 becomes "3a" and "3b". */
  readonly twins?: readonly number[]
  /** Every message travels as bytes and is decoded again; off, objects are handed over. */
  readonly wire?: boolean
  /** Keep every message sent, every write and every delivered block, for a test to look at. */
  readonly record?: boolean
}

/** Simulated time is cheap, real waiting is not: a tick every five seconds, STATUS twice a second. */
export const SIM_TIMING: Timing = { ...DEFAULT_TIMING, statusMs: 500, idleMs: 2000, tickMs: 5000 }

/** The mesh of these validators: short terms, small blocks. */
export const rulesOf = (config: ClusterConfig, holders: readonly Keyholder[]): LedgerRules => ({
  meshId: primitives.sha3_256(utf8("simulated mesh")),
  validators: holders.map((holder) => holder.keys),
  termHeights: config.termHeights ?? 8,
  blockItemsMax: config.batch ?? 4,
  powBits: 8,
  retentionTerms: 4096,
})
