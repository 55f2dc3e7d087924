/**
 * Signatures for threads with post-quantum authentication: ML-DSA-87 (FIPS 204) beside Ed25519 (RFC 8032); both must verify. The
 * construction is Composite ML-DSA (draft-ietf-lamps-pq-composite-sigs-19, §2.2, §3.2 and §3.3), which names no pair of these two, so
 * the label is our own; it separates these signatures from every other use of either half.
 *
 *   M'           = "CompositeAlgorithmSignatures2025" ‖ label ‖ 0 (no context) ‖ SHA-512(message)
 *   signature    = ML-DSA-87(M', context = label) 4627 ‖ Ed25519(M') 64
 *   public key   = ML-DSA-87 2592 ‖ Ed25519 32
 *   private key  = ML-DSA seed 32 ‖ Ed25519 seed 32
 *
 * The lattice half takes about a millisecond, and is done off the event loop where that can be.
 */
import { primitives } from "#primitives"
import { type Bytes, concat, utf8 } from "../bytes.ts"
import type { Handle } from "../primitives/types.ts"

const { ed25519, mlDsa87 } = primitives

/** Bytes of the private key, the public key and a signature. */
export const COMPOSITE_SEED_BYTES = mlDsa87.privateBytes + ed25519.privateBytes
export const COMPOSITE_PUBLIC_BYTES = mlDsa87.publicBytes + ed25519.publicBytes
export const COMPOSITE_SIGNATURE_BYTES = mlDsa87.signatureBytes + ed25519.signatureBytes

const LABEL = utf8("sotto/COMPSIG-MLDSA87-Ed25519-SHA512")
const PREFIX = concat(utf8("CompositeAlgorithmSignatures2025"), LABEL, Uint8Array.of(0))

export interface CompositePrivateKey {
  readonly lattice: Handle<"ml-dsa-87-private">
  readonly curve: Handle<"ed25519-private">
}

export interface CompositePublicKey {
  readonly lattice: Handle<"ml-dsa-87-public">
  readonly curve: Handle<"ed25519-public">
}

/** Throws CryptoError BAD_LENGTH. */
export const importCompositePrivate = (seed: Bytes): CompositePrivateKey => ({
  lattice: mlDsa87.importPrivate(seed.slice(0, mlDsa87.privateBytes)),
  curve: ed25519.importPrivate(seed.slice(mlDsa87.privateBytes)),
})

/** Throws CryptoError BAD_LENGTH or BAD_KEY. */
export const importCompositePublic = (raw: Bytes): CompositePublicKey => ({
  lattice: mlDsa87.importPublic(raw.slice(0, mlDsa87.publicBytes)),
  curve: ed25519.importPublic(raw.slice(mlDsa87.publicBytes)),
})

export const compositePublicOf = ({ lattice, curve }: CompositePrivateKey): Bytes =>
  concat(mlDsa87.publicFromPrivate(lattice), ed25519.publicFromPrivate(curve))

export const generateComposite = (): Bytes => concat(mlDsa87.generate(), ed25519.generate())

const representative = (message: Bytes): Bytes => concat(PREFIX, primitives.sha512(message))

export async function signComposite(key: CompositePrivateKey, message: Bytes): Promise<Bytes> {
  const signed = representative(message)
  const lattice = await mlDsa87.signAside(key.lattice, signed, LABEL)
  return concat(lattice, ed25519.sign(key.curve, signed))
}

/** Whether both halves verify. Throws CryptoError BAD_LENGTH for what is no signature. */
export async function verifyComposite(
  key: CompositePublicKey,
  message: Bytes,
  signature: Bytes,
): Promise<boolean> {
  const signed = representative(message)
  const split = mlDsa87.signatureBytes
  // The cheap half first: a forger gets no further without it.
  if (!ed25519.verify(key.curve, signed, signature.slice(split))) return false
  return mlDsa87.verifyAside(key.lattice, signed, signature.slice(0, split), LABEL)
}
