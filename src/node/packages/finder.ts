/**
 * The asking side of first contacts: one key package of somebody's pool, which nobody else is given. The keepers are asked in random order,
 * one after the other, for the pool of today and then of the days beside it, because clocks differ and owners sleep. What a keeper gives
 * counts only when it opens under the address, is the card's owner's, and is for one use; anything else costs time.
 */
import { setImmediate } from "node:timers/promises"
import { primitives } from "#primitives"
import { addressBytes } from "../../crypto/address.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import type { Card } from "../../crypto/card.ts"
import { epochAt } from "../../crypto/directory-record.ts"
import { openPackage, type Pool, poolOf, tokenFor } from "../../crypto/package-pool.ts"
import { keyPackageSigning, type Signing } from "../../crypto/session.ts"
import { keyPackageOf } from "../chat/key-package.ts"
import type { Clock } from "../clock.ts"
import { deadline } from "../deadline.ts"
import type { PackageKeepers } from "./keepers.ts"
import { POOL_SIZE } from "./pools.ts"
import { StreamError } from "../transport/streams.ts"

/** A first contact waits no longer than this for a one-time package. */
const FIND_DEADLINE_MS = 5_000
/** Peers asked of one day's pool. */
const ASKED_MAX = 20

export interface FinderParts {
  readonly keepers: Pick<PackageKeepers, "nearest" | "take">
  readonly clock: Clock
}

/** A one-time key package of this card's owner, for groups that sign so; `undefined` when none was found in time. */
export async function takeKeyPackage(
  { keepers, clock }: FinderParts,
  card: Card,
  signing: Signing,
  caller: AbortSignal,
): Promise<Bytes | undefined> {
  const { signal, clear } = deadline(clock, FIND_DEADLINE_MS, caller)
  const today = epochAt(clock.nowMs())
  try {
    for (const epoch of [today, today - 1, today + 1]) {
      const pool = poolOf(addressBytes(card.address), epoch, signing)
      // Blinding takes some milliseconds each time.
      await setImmediate()
      for (const keeper of await inTurn(keepers, pool, signal)) {
        const taken = await takeFrom(keepers, keeper, pool, signal)
        if (taken !== undefined && (await isGood(taken, card, signing, clock))) return taken
        signal.throwIfAborted()
      }
    }
    return undefined
  } catch (error) {
    if (signal.aborted && !caller.aborted) return undefined
    throw error
  } finally {
    clear()
  }
}

/** Those that should have some, in random order, so that one liar meets few; then the others, who may have been nearer before. */
async function inTurn(
  keepers: FinderParts["keepers"],
  pool: Pool,
  signal: AbortSignal,
): Promise<string[]> {
  const nearest = (await keepers.nearest(pool.blinded, signal)).slice(0, ASKED_MAX)
  const others = nearest.splice(POOL_SIZE[pool.signing].keepers)
  return [...shuffled(nearest), ...others]
}

function shuffled(peers: readonly string[]): string[] {
  const left = [...peers]
  const out: string[] = []
  while (left.length > 0) {
    const [at = 0] = primitives.randomBytes(1)
    // at most 20 of 256: the bias is small, and nothing rests on it
    out.push(...left.splice(at % left.length, 1))
  }
  return out
}

/** What the keeper gave, opened; `undefined` for nothing, for junk, and for a keeper that does not answer. */
async function takeFrom(
  keepers: FinderParts["keepers"],
  keeper: string,
  pool: Pool,
  signal: AbortSignal,
): Promise<Bytes | undefined> {
  const { signing, epoch, blinded } = pool
  try {
    const token = tokenFor(pool, keeper)
    const answer = await keepers.take(keeper, { signing, epoch, blinded, token }, signal)
    if (typeof answer === "string" || answer.sealed === undefined) return undefined
    return openPackage(pool, answer.sealed)
  } catch (error) {
    if (error instanceof StreamError) return undefined
    throw error
  }
}

async function isGood(taken: Bytes, card: Card, signing: Signing, clock: Clock): Promise<boolean> {
  if (keyPackageSigning(taken) !== signing) return false
  const theirs = await keyPackageOf(card, taken, Math.floor(clock.nowMs() / 1000))
  return theirs !== undefined && !theirs.lastResort
}
