// Ed25519 edge cases on which libraries disagree (test/vectors/cctv). The set has no verdicts; what matters is that our two
// implementations give the same one, that none of what is accepted is of small order or encoded twice, and that we only ever
// refuse more than OpenSSL alone does.
import assert from "node:assert/strict"
import { createPublicKey, verify } from "node:crypto"
import { describe, it } from "node:test"
import { ed25519 as noble } from "@noble/curves/ed25519.js"
import { utf8 } from "../../../src/crypto/bytes.ts"
import { CryptoError } from "../../../src/crypto/errors.ts"
import type { Primitives } from "../../../src/crypto/primitives/types.ts"
import { readVectors } from "../../helpers/vectors.ts"
import { hex, native, portable } from "./held.ts"

interface Entry {
  readonly number: number
  readonly key: string
  readonly sig: string
  readonly msg: string
  readonly flags: readonly string[] | null
}
const entries = readVectors("cctv/ed25519.json") as readonly Entry[]

function accepts({ ed25519 }: Primitives, { key, sig, msg }: Entry): boolean {
  try {
    return ed25519.verify(ed25519.importPublic(hex(key)), utf8(msg), hex(sig))
  } catch (error) {
    if (error instanceof CryptoError && error.code === "BAD_KEY") return false
    throw error
  }
}

function opensslAccepts({ key, sig, msg }: Entry): boolean {
  const input = {
    key: Buffer.from(key, "hex"),
    format: "raw-public",
    asymmetricKeyType: "ed25519",
  } as const
  return verify(null, utf8(msg), createPublicKey(input), hex(sig))
}

describe("Ed25519 edge cases", () => {
  const accepted = entries.filter((entry) => accepts(native, entry))

  it("native and portable agree on all 457", () => {
    assert.equal(entries.length, 457)
    for (const entry of entries)
      assert.equal(accepts(portable, entry), accepts(native, entry), `case ${entry.number}`)
  })

  it("the set tells verifiers apart: noble's own strict and lenient verifiers each accept something else", () => {
    const count = (zip215: boolean) =>
      entries.filter(({ key, sig, msg }) => noble.verify(hex(sig), utf8(msg), hex(key), { zip215 }))
        .length
    assert.deepEqual([accepted.length, count(false), count(true)], [7, 106, 413])
  })

  it("nothing accepted is of small order or non-canonical", () => {
    const refused = ["low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R"]
    for (const { number, flags } of accepted)
      assert.deepEqual(flags?.filter((flag) => refused.includes(flag)) ?? [], [], `case ${number}`)
  })

  it("whatever we accept OpenSSL accepts, and what we refuse beyond it has small order or a second encoding", () => {
    const beyond = entries.filter((entry) => opensslAccepts(entry) && !accepted.includes(entry))
    for (const entry of accepted) assert.equal(opensslAccepts(entry), true, `case ${entry.number}`)
    for (const { number, flags } of beyond)
      assert.ok(
        flags?.some((flag) => /^(low_order|non_canonical)_[AR]$/.test(flag)),
        `case ${number}: ${String(flags)}`,
      )
  })
})
