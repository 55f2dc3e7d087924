/**
 * Holds implementations of the primitives to cases that somebody else wrote. A case says what should be observed; observing
 * is done once, and judged twice: as it is written, where nothing may be wrong, and with every expectation inverted, where
 * everything must be. The second is the control that shows the first can fail. How many cases ran, and how many were left
 * out for which reason, is asserted too, so that a file that is silently empty does not pass.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { fromHex, toHex } from "../../../src/crypto/bytes.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { CryptoError } from "../../../src/crypto/errors.ts"
import { primitives as native } from "../../../src/crypto/primitives/native.ts"
import { primitives as portable } from "../../../src/crypto/primitives/portable.ts"
import type { Primitives } from "../../../src/crypto/primitives/types.ts"

export { native, portable }
export const both: readonly Primitives[] = [native, portable]

export interface Case {
  readonly id: string
  /** Whether it should be accepted (a signature, a key), or whether a computed value should be the published one. */
  readonly expected: boolean
  readonly observe: (primitives: Primitives) => boolean
  /** Why this case cannot be put to the implementation at all. */
  readonly skip?: string | undefined
}

type Observation = boolean | Error

/** A refusal by length or as a key is an answer; any other exception is wrong whatever was expected. */
function observe(primitives: Primitives, one: Case): Observation {
  try {
    return one.observe(primitives)
  } catch (error) {
    if (error instanceof CryptoError && ["BAD_LENGTH", "BAD_KEY"].includes(error.code)) return false
    return error instanceof Error ? error : new Error(String(error))
  }
}

function wrong(cases: readonly Case[], seen: readonly Observation[], inverted: boolean): string[] {
  return cases.flatMap(({ id, expected }, i) => {
    const observation = seen[i]
    if (observation === (expected !== inverted)) return []
    return [`${id}: ${observation instanceof Error ? observation.message : String(observation)}`]
  })
}

export interface Counts {
  readonly ran: number
  readonly skipped?: Readonly<Record<string, number>>
}

/** Registers the tests that hold `implementations` to `cases`, of which exactly `counts` must be run and left out. */
export function hold(
  title: string,
  cases: readonly Case[],
  counts: Counts,
  implementations: readonly Primitives[] = both,
): void {
  describe(title, () => {
    const skipped: Record<string, number> = {}
    for (const { skip } of cases) if (skip !== undefined) skipped[skip] = (skipped[skip] ?? 0) + 1
    const run = cases.filter(({ skip }) => skip === undefined)
    for (const primitives of implementations)
      it(`${primitives.implementation}: ${counts.ran} cases`, () => {
        const seen = run.map((one) => observe(primitives, one))
        assert.deepEqual(wrong(run, seen, false), [])
        assert.equal(wrong(run, seen, true).length, run.length, "the control")
        assert.equal(seen.length, counts.ran)
        assert.deepEqual(skipped, counts.skipped ?? {})
      })
  })
}

export const hex = fromHex
/** Whether `bytes` are what the file writes in hexadecimal of either case. */
export const is = (bytes: Bytes, written: string) => toHex(bytes) === written.toLowerCase()
