/** Envelopes of random content with a real proof of work, of a mesh that asks for next to nothing. */
import { primitives } from "#primitives"
import { blake3 } from "../../src/crypto/blake3.ts"
import { type Bytes, concat, Writer } from "../../src/crypto/bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES, envelopeId } from "../../src/crypto/envelope.ts"
import { encodeGenesis, meshIdOf } from "../../src/crypto/genesis.ts"
import {
  leadingZeroBits,
  POW_KIND,
  powPrefix,
  verifyProofOfWork,
  writeProofOfWork,
} from "../../src/crypto/pow.ts"
import type { Admission } from "../../src/node/mailbox/mailbox.ts"

export const POW_BITS = 4

export interface TestMesh {
  readonly genesis: Bytes
  readonly meshId: Bytes
  readonly admissions: ReadonlyMap<number, Admission>
}

/** Every call is a mesh of its own. */
export function testMesh(name = "test"): TestMesh {
  const salt = primitives.randomBytes(32)
  const genesis = encodeGenesis({ name, salt, powBits: POW_BITS, validators: [] })
  const meshId = meshIdOf(genesis)
  const rule = { meshId, prices: [{ anchor: meshId, bits: POW_BITS }] }
  const admissions = new Map([[POW_KIND, (bytes: Bytes) => verifyProofOfWork(rule, bytes)]])
  return { genesis, meshId, admissions }
}

/** Random bytes where an envelope has content; zeros where its admission will be. */
export const unpaidEnvelope = (): Bytes =>
  concat(new Uint8Array(ADMISSION_BYTES), primitives.randomBytes(ENVELOPE_BYTES - ADMISSION_BYTES))

/** Pays for an envelope, by trying nonces in turn. */
export function paid(envelope: Bytes, { meshId }: TestMesh): Bytes {
  const prefix = powPrefix(meshId, meshId, envelopeId(envelope))
  for (let n = 0; ; n++) {
    const nonce = new Writer().u64(n).finish()
    if (leadingZeroBits(blake3(prefix, nonce)) >= POW_BITS)
      return writeProofOfWork(envelope, meshId, nonce)
  }
}

export const paidEnvelope = (mesh: TestMesh): Bytes => paid(unpaidEnvelope(), mesh)

export const paidEnvelopes = (mesh: TestMesh, count: number): Bytes[] =>
  Array.from({ length: count }, () => paidEnvelope(mesh))
