/** What several kinds of vector share: the group context and the keys they name, and whether a private key belongs to a public one. */
import type { CiphersuiteImpl, GroupContext } from "ts-mls"
import { signWithLabel, verifyWithLabel } from "ts-mls/crypto/signature.js"
import { type Bytes, toHex } from "../../src/crypto/bytes.ts"
import { type Fields, holds } from "./fields.ts"

/** Of the vector's group id, epoch and transcript hash; the extensions are empty in all of them. */
export const contextOf = (vector: Fields, cs: CiphersuiteImpl, treeHash: Bytes): GroupContext => ({
  version: "mls10",
  cipherSuite: cs.name,
  groupId: vector.bytes("group_id"),
  epoch: BigInt(vector.number("epoch")),
  treeHash,
  confirmedTranscriptHash: vector.bytes("confirmed_transcript_hash"),
  extensions: [],
})

/** Bytes of a coordinate. An ECDSA private key is an integer as long as that, and some published ones lack their leading zeros. */
const ECDSA_BYTES: readonly (readonly [string, number])[] = [
  ["_P256", 32],
  ["_P384", 48],
  ["_P521", 66],
]

/** The private signature key in `name`, as long as the suite's keys are. */
export function signatureKey(vector: Fields, name: string, cs: CiphersuiteImpl): Bytes {
  const key = vector.bytes(name)
  const size = ECDSA_BYTES.find(([curve]) => cs.name.endsWith(curve))?.[1] ?? key.length
  const whole = new Uint8Array(Math.max(size, key.length))
  whole.set(key, whole.length - key.length)
  return whole
}

const PROBE = new Uint8Array([1, 2, 3])

/** What is sealed to the public key opens with the private one. */
export async function encryptionPair(
  what: string,
  publicRaw: Bytes,
  privateRaw: Bytes,
  { hpke }: CiphersuiteImpl,
): Promise<void> {
  const sealed = await hpke.seal(await hpke.importPublicKey(publicRaw), PROBE, PROBE)
  const key = await hpke.importPrivateKey(privateRaw)
  const opened = await hpke.open(key, sealed.enc, sealed.ct, PROBE).catch(() => new Uint8Array(0))
  holds(what, toHex(opened) === toHex(PROBE))
}

/** What the private key signs holds under the public one. */
export async function signaturePair(
  what: string,
  publicRaw: Bytes,
  privateRaw: Bytes,
  { signature }: CiphersuiteImpl,
): Promise<void> {
  const signed = await signWithLabel(privateRaw, "probe", PROBE, signature)
  holds(what, await verifyWithLabel(publicRaw, "probe", PROBE, signed, signature))
}
