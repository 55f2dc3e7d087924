/**
 * A member's secret and what the mesh may know of it (DESIGN §6.1). As in Semaphore v4: a secret scalar s gives a point A = s·B8 on Baby
 * Jubjub, and the commitment is Poseidon(Ax, Ay), the leaf in the membership tree. A itself is never shown: whoever could take
 * its discrete logarithm one day would know s and with it every past nullifier. Poseidon(Ax, Ay) does not give A away.
 *
 * Computed with big integers, so not in constant time: only ever on the member's own machine.
 */
import { Base8, mulPointEscalar, subOrder } from "@zk-kit/baby-jubjub"
import { poseidon2 } from "poseidon-lite/poseidon2"
import { primitives } from "#primitives"
import { type Bytes, exactly } from "../bytes.ts"
import { CryptoError } from "../errors.ts"
import { bytesOfNumber, numberFrom } from "./field.ts"

export const SECRET_BYTES = 32
export const COMMITMENT_BYTES = 32

/** The scalar's size: random numbers of so many bits are below the order about two times in three. */
const SCALAR_BITS = 251n

/** A secret, uniform among the scalars but 0: 32 bytes, big-endian. */
export function newSecret(): Bytes {
  for (;;) {
    const candidate = numberFrom(primitives.randomBytes(SECRET_BYTES)) >> (256n - SCALAR_BITS)
    if (candidate > 0n && candidate < subOrder) return bytesOfNumber(candidate)
  }
}

/** Throws CryptoError BAD_LENGTH or BAD_KEY when these bytes are no secret. */
export function scalarOf(secret: Bytes): bigint {
  const scalar = numberFrom(exactly(secret, SECRET_BYTES, "secret"))
  if (scalar === 0n || scalar >= subOrder) throw new CryptoError("BAD_KEY", "no secret of a member")
  return scalar
}

/** The leaf, 32 bytes. Throws CryptoError BAD_LENGTH or BAD_KEY. Takes some milliseconds. */
export function commitmentOf(secret: Bytes): Bytes {
  return bytesOfNumber(poseidon2(mulPointEscalar(Base8, scalarOf(secret))))
}

/** What a member shows of itself within one scope: Poseidon(scope, s), 32 bytes. The circuit proves that it is this. */
export function nullifierOf(secret: Bytes, scope: Bytes): Bytes {
  return bytesOfNumber(poseidon2([numberFrom(scope), scalarOf(secret)]))
}
