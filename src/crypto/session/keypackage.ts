/**
 * Key packages (RFC 9420 §10): what someone leaves behind so that others can add them to a group while they are away. The public
 * half goes into the card, the private half is sealed and kept until a Welcome uses it (a last-resort one may serve again).
 * Time is an argument, in seconds since 1970. `notBefore` is 0 unless asked for: a key package need not tell when it was made.
 */
import {
  encodeMlsMessage,
  type Extension,
  generateKeyPackageWithKey,
  type KeyPackage,
  type PrivateKeyPackage,
} from "ts-mls"
import { makeKeyPackageRef, verifyKeyPackage } from "ts-mls/keyPackage.js"
import { verifyLeafNodeSignatureKeyPackage } from "ts-mls/leafNode.js"
import { type Bytes, equal, Reader, Writer } from "../bytes.ts"
import { assert, CryptoError } from "../errors.ts"
import { decodeMessage } from "./codec.ts"
import {
  basicCredential,
  capabilitiesIn,
  identityOf,
  LAST_RESORT_EXTENSION,
  markExtensions,
  memberAt,
  PROOF_EXTENSION,
  speaks,
} from "./credential.ts"
import { type KeyPackageCode, SessionError } from "./errors.ts"
import { HYBRID_SEED_BYTES, importHybridPublic } from "./kem.ts"
import {
  IDENTITY_MAX_BYTES,
  KEY_PACKAGE_MAX_BYTES,
  MARK_MAX_BYTES,
  PROOF_MAX_BYTES,
} from "./limits.ts"
import {
  PUBLIC_BYTES,
  SEED_BYTES,
  signaturePublicOf,
  type Signing,
  SIGNINGS,
  signingOfSeed,
} from "./signature.ts"
import { signingNamed, SUITE_IDS, suites } from "./suite.ts"

const PRIVATE_VERSION = 1
const NOTHING = new Uint8Array(0)

/** Seconds since 1970 that no clock reaches: the lifetime of a leaf that its owner makes for a group of their own. */
export const FOREVER_SECONDS = 2n ** 64n - 1n

export interface KeyPackagePair {
  /** An MLSMessage of about 3.5 KB, or 15 KB with composite signatures. */
  readonly public: Bytes
  /** 97 bytes of secrets, or 129. */
  readonly private: Bytes
}

export interface KeyPackageRequest {
  /** 1 to 256 bytes. */
  readonly identity: Bytes
  /** 32 bytes, or 64 for groups with composite signatures (signature.ts). */
  readonly signatureSeed: Bytes
  /** May be used for several groups, when the one-time ones have run out. */
  readonly lastResort: boolean
  /** What the leaf is to say besides its keys (`Member.mark`), up to 128 bytes. */
  readonly mark?: Bytes
  /** What has the mark believed, up to 44 KiB; not for a last-resort package. */
  readonly proof?: Bytes
  readonly notBeforeSeconds?: number
  readonly notAfterSeconds: number
}

/** Throws SessionError TOO_LARGE for an identity of no or too many bytes or a long mark, CryptoError BAD_LENGTH for the seed. */
export async function createKeyPackage(request: KeyPackageRequest): Promise<KeyPackagePair> {
  const { publicPackage, privatePackage } = await generateKeyPackage(
    request,
    BigInt(Math.floor(request.notBeforeSeconds ?? 0)),
    BigInt(Math.floor(request.notAfterSeconds)),
    request.lastResort,
  )
  return {
    public: encodeMlsMessage({
      version: "mls10",
      wireformat: "mls_key_package",
      keyPackage: publicPackage,
    }),
    private: new Writer()
      .u8(PRIVATE_VERSION)
      .raw(privatePackage.initPrivateKey)
      .raw(privatePackage.hpkePrivateKey)
      .raw(privatePackage.signaturePrivateKey)
      .finish(),
  }
}

export function generateKeyPackage(
  {
    identity,
    signatureSeed,
    mark = NOTHING,
    proof = NOTHING,
  }: Omit<KeyPackageRequest, "notAfterSeconds" | "lastResort">,
  notBefore: bigint,
  notAfter: bigint,
  lastResort: boolean,
): Promise<{ publicPackage: KeyPackage; privatePackage: PrivateKeyPackage }> {
  if (identity.length === 0 || identity.length > IDENTITY_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `identity of ${identity.length} bytes`)
  if (mark.length > MARK_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `mark of ${mark.length} bytes`)
  if (proof.length > PROOF_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `proof of ${proof.length} bytes`)
  assert(!lastResort || proof.length === 0, "a proof is for one return")
  const suite = suites[signingOfSeed(signatureSeed)]
  const signKey = signatureSeed.slice()
  return generateKeyPackageWithKey(
    basicCredential(identity),
    capabilitiesIn(suite.name, { mark: mark.length > 0, proof: proof.length > 0 }),
    { notBefore, notAfter },
    packageExtensions(lastResort, proof),
    { signKey, publicKey: signaturePublicOf(signKey) },
    suite,
    markExtensions(mark),
  )
}

const packageExtensions = (lastResort: boolean, proof: Bytes): Extension[] => [
  ...(lastResort ? [{ extensionType: LAST_RESORT_EXTENSION, extensionData: NOTHING }] : []),
  ...(proof.length > 0 ? [{ extensionType: PROOF_EXTENSION, extensionData: proof.slice() }] : []),
]

/** What has the mark of a key package's leaf believed; empty for none. */
export const proofIn = ({ extensions }: KeyPackage): Bytes =>
  extensions.find(isProof)?.extensionData.slice() ?? NOTHING

export type KeyPackageVerdict =
  | {
      readonly verdict: "accept"
      readonly identity: Bytes
      /** Compare with the card before adding: MLS does not know who should hold it. */
      readonly signatureKey: Bytes
      readonly lastResort: boolean
      /** See `Member.mark`. */
      readonly mark: Bytes
      /** See `KeyPackageRequest.proof`. */
      readonly proof: Bytes
      readonly notAfterSeconds: bigint
      /** 32 bytes; a Welcome names the key packages it is for by this (`welcomeRecipients`). */
      readonly reference: Bytes
    }
  | { readonly verdict: "reject"; readonly code: KeyPackageCode }

/** Everything that can be checked about someone's key package but whose it is. Never throws. */
export async function inspectKeyPackage(
  bytes: Bytes,
  nowSeconds: number,
): Promise<KeyPackageVerdict> {
  const keyPackage = await readKeyPackage(bytes, nowSeconds)
  if (typeof keyPackage === "string") return { verdict: "reject", code: keyPackage }
  const { leafNode } = keyPackage
  return {
    verdict: "accept",
    identity: (identityOf(leafNode.credential) ?? NOTHING).slice(),
    signatureKey: leafNode.signaturePublicKey.slice(),
    mark: (memberAt(0, leafNode)?.mark ?? NOTHING).slice(),
    proof: proofIn(keyPackage),
    lastResort: keyPackage.extensions.some(isLastResort),
    notAfterSeconds: leafNode.lifetime.notAfter,
    reference: await referenceOf(keyPackage),
  }
}

/**
 * 32 bytes by which a Welcome names a key package (RFC 9420 §5.2), whether or not it is valid now. Throws SessionError BAD_KEY_PACKAGE
 * when it is none.
 */
export async function keyPackageReference(bytes: Bytes): Promise<Bytes> {
  const keyPackage = decodeKeyPackage(bytes)
  if (typeof keyPackage === "string")
    throw new SessionError("BAD_KEY_PACKAGE", `key package: ${keyPackage}`)
  return referenceOf(keyPackage)
}

// All our suites have one hash; of another's key package this is a name like any other.
const referenceOf = (keyPackage: KeyPackage): Promise<Bytes> =>
  makeKeyPackageRef(keyPackage, suites.ed25519.hash)

/** Where an MLSMessage with a key package names its suite: after three version and format numbers (RFC 9420 §6 and §10). */
const SUITE_AT = 6

/** How the groups sign that a key package is for, by its header alone; `undefined` when it names no suite of ours. */
export function keyPackageSigning(bytes: Bytes): Signing | undefined {
  const id = (bytes[SUITE_AT] ?? 0) * 256 + (bytes[SUITE_AT + 1] ?? 0)
  return SIGNINGS.find((signing) => SUITE_IDS[signing] === id)
}

/** A key package to add someone with, or why not. */
export async function readKeyPackage(
  bytes: Bytes,
  nowSeconds: number,
): Promise<KeyPackage | KeyPackageCode> {
  const keyPackage = decodeKeyPackage(bytes)
  if (typeof keyPackage === "string") return keyPackage
  const code =
    (await objectionTo(keyPackage)) ?? outsideLifetime(keyPackage, BigInt(Math.floor(nowSeconds)))
  return code ?? keyPackage
}

export function decodeKeyPackage(bytes: Bytes): KeyPackage | KeyPackageCode {
  if (bytes.length > KEY_PACKAGE_MAX_BYTES) return "TOO_LARGE"
  const message = decodeMessage(bytes)
  if (message?.wireformat !== "mls_key_package") return "MALFORMED"
  return message.keyPackage
}

/** What every member can judge alike, whenever they look (RFC 9420 §10.1 without the lifetime). */
export async function objectionTo(keyPackage: KeyPackage): Promise<KeyPackageCode | undefined> {
  const { leafNode } = keyPackage
  const signing = signingNamed(keyPackage.cipherSuite)
  if (signing === undefined || !speaks(keyPackage.cipherSuite, leafNode)) return "OTHER_SUITE"
  const suite = suites[signing]
  const { extensions } = keyPackage
  const mayProve = signing === "composite"
  const isKnown = (each: Extension) => isLastResort(each) || (mayProve && isProof(each))
  if (extensions.length > 1 || !extensions.every(isKnown)) return "UNKNOWN_EXTENSION"
  if (identityOf(leafNode.credential) === undefined) return "BAD_CREDENTIAL"
  if (leafNode.signaturePublicKey.length !== PUBLIC_BYTES[signing]) return "BAD_KEY"
  if (equal(keyPackage.initKey, leafNode.hpkePublicKey)) return "BAD_KEY"
  if (!isHybridKey(keyPackage.initKey) || !isHybridKey(leafNode.hpkePublicKey)) return "BAD_KEY"
  const signed =
    (await verifyLeafNodeSignatureKeyPackage(leafNode, suite.signature)) &&
    (await verifyKeyPackage(keyPackage, suite.signature))
  return signed ? undefined : "BAD_SIGNATURE"
}

/** One that the leaf says it knows of. */
const isProof = ({ extensionType, extensionData }: KeyPackage["extensions"][number]) =>
  extensionType === PROOF_EXTENSION &&
  extensionData.length > 0 &&
  extensionData.length <= PROOF_MAX_BYTES

const isLastResort = ({ extensionType, extensionData }: KeyPackage["extensions"][number]) =>
  extensionType === LAST_RESORT_EXTENSION && extensionData.length === 0

export function isHybridKey(raw: Bytes): boolean {
  try {
    importHybridPublic(raw)
    return true
  } catch (error) {
    if (error instanceof CryptoError) return false
    throw error
  }
}

function outsideLifetime(
  { leafNode: { lifetime } }: KeyPackage,
  now: bigint,
): KeyPackageCode | undefined {
  if (now < lifetime.notBefore) return "NOT_YET_VALID"
  return now > lifetime.notAfter ? "EXPIRED" : undefined
}

/** Throws SessionError BAD_PRIVATE_KEY_PACKAGE. */
export function decodePrivateKeyPackage(bytes: Bytes, signing: Signing): PrivateKeyPackage {
  try {
    const reader = new Reader(bytes)
    if (reader.u8() !== PRIVATE_VERSION) throw new CryptoError("BAD_VERSION", "unknown version")
    const decoded = {
      initPrivateKey: reader.raw(HYBRID_SEED_BYTES),
      hpkePrivateKey: reader.raw(HYBRID_SEED_BYTES),
      signaturePrivateKey: reader.raw(SEED_BYTES[signing]),
    }
    reader.done()
    return decoded
  } catch (cause) {
    throw new SessionError("BAD_PRIVATE_KEY_PACKAGE", "not a private key package", { cause })
  }
}
