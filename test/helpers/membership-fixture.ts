/**
 * Membership proofs for tests, recorded because one takes a second to make: the 32 slots of one period, of each of four members of a
 * mesh that stands here. `npm run record:proofs` makes them anew (scripts/record-proofs.ts) in a few minutes; everything but the proofs themselves
 * follows from this file.
 */
import { existsSync, readFileSync } from "node:fs"
import { primitives } from "#primitives"
import { type Bytes, fromHex, Writer } from "../../src/crypto/bytes.ts"
import { envelopeId } from "../../src/crypto/envelope.ts"
import { encodeGenesis, meshIdOf } from "../../src/crypto/genesis.ts"
import { writeMembership } from "../../src/crypto/membership/admission.ts"
import { bytesOfNumber, numberFrom } from "../../src/crypto/membership/field.ts"
import {
  ONE_TIME_KEYS,
  pathToKey,
  publicOneTimeKey,
  rootOverKeys,
  signalOfKeys,
  signEnvelope,
} from "../../src/crypto/membership/one-time-keys.ts"
import { commitmentOf } from "../../src/crypto/membership/secret.ts"
import { payloadScope, SLOTS } from "../../src/crypto/membership/statement.ts"
import { TestTree } from "./membership-tree.ts"

export const PERIOD = 7
export const MEMBERS = 4
export const FIXTURE = new URL("../../../test/fixtures/membership/proofs.json", import.meta.url)

export const genesis = encodeGenesis({
  name: "members",
  salt: new Uint8Array(32).fill(7),
  powBits: 4,
  validators: [],
})
export const meshId = meshIdOf(genesis)

const said = (...numbers: number[]) =>
  primitives.sha3_256(numbers.reduce((out, n) => out.u32(n), new Writer()).finish())

/** The four who post are not side by side, and not the only ones. */
export const secrets = Array.from({ length: MEMBERS }, (_, i) =>
  bytesOfNumber(numberFrom(said(1, i)) >> 8n),
)
const strangers = Array.from({ length: 5 }, (_, i) => bytesOfNumber(numberFrom(said(2, i)) >> 8n))
export const commitments = secrets.map(commitmentOf)
export const tree = new TestTree(
  strangers.flatMap((each, i) => [each, ...commitments.slice(i, i + 1)]),
)

export const slots = (): { member: number; slot: number }[] =>
  Array.from({ length: MEMBERS * SLOTS }, (_, i) => ({
    member: Math.floor(i / SLOTS),
    slot: i % SLOTS,
  }))

export const seedsOf = (member: number, slot: number): readonly Bytes[] =>
  Array.from({ length: ONE_TIME_KEYS }, (_, i) => said(3, member, slot, i))

export const keysOf = (member: number, slot: number) => seedsOf(member, slot).map(publicOneTimeKey)

/** What the prover is asked for. */
export const taskOf = (member: number, slot: number) => ({
  secret: secrets[member]!,
  path: tree.pathOf(commitments[member]!),
  signal: signalOfKeys(rootOverKeys(keysOf(member, slot))),
  scope: payloadScope(meshId, PERIOD, slot),
})

interface Recorded {
  readonly nullifier: string
  readonly proof: string
}

const recorded = existsSync(FIXTURE)
  ? (JSON.parse(readFileSync(FIXTURE, "utf8")) as readonly Recorded[])
  : []

/** The recorded proof of a member's slot. */
export function proofOf(member: number, slot: number): { nullifier: Bytes; proof: Bytes } {
  const { nullifier, proof } = recorded[member * SLOTS + slot]!
  return { nullifier: fromHex(nullifier), proof: fromHex(proof) }
}

/** The admission fields that a member gives an envelope under one of the eight keys of a slot. */
export function fieldsOf(envelope: Bytes, member: number, slot: number, keyIndex = 0) {
  const keys = keysOf(member, slot)
  return {
    period: PERIOD,
    slot,
    ...proofOf(member, slot),
    keyIndex,
    key: keys[keyIndex]!,
    path: pathToKey(keys, keyIndex),
    signature: signEnvelope(seedsOf(member, slot)[keyIndex]!, meshId, envelopeId(envelope)),
  }
}

/** An envelope with that admission. */
export const admitted = (envelope: Bytes, member: number, slot: number, keyIndex = 0): Bytes =>
  writeMembership(envelope, fieldsOf(envelope, member, slot, keyIndex))
