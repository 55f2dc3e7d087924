/**
 * Who a leaf speaks for: an MLS basic credential (RFC 9420 §5.3) whose identity bytes are ours to choose, beside the leaf's
 * signature key. MLS proves that the holder of the key wrote a message; that the key belongs to the identity is what the caller checks
 * against the identity's card, and nothing here claims it.
 */
import type {
  AuthenticationService,
  Capabilities,
  CiphersuiteName,
  Credential,
  Extension,
  LeafNode,
} from "ts-mls"
import { type Bytes, toHex } from "../bytes.ts"
import { IDENTITY_MAX_BYTES, MARK_MAX_BYTES } from "./limits.ts"

export interface Member {
  /** Position in the ratchet tree. A removed member's leaf may be given to someone else. */
  readonly leaf: number
  readonly identity: Bytes
  /** Ed25519, 32 bytes; in a group with composite signatures 2624 (composite.ts). */
  readonly signatureKey: Bytes
  /** What the leaf says besides: bytes that mean nothing here, and stay as they came in with it. Usually none. */
  readonly mark: Bytes
}

/** draft-ietf-mls-extensions: marks a key package that may be used more than once. */
export const LAST_RESORT_EXTENSION = 0x000a

/**
 * Private use (RFC 9420 §17.3): what all members of a group agree on besides who they are, as bytes of the caller's. It stands in the
 * group context, so a newcomer who was told something else could not follow a single message.
 */
export const ABOUT_EXTENSION = 0xf508

/**
 * Private use (RFC 9420 §17.3): a leaf's mark, put into a key package by its owner and part of the leaf for as long as that owner stays
 * in the group, whatever becomes of its keys.
 */
export const MARK_EXTENSION = 0xf509

/**
 * Private use (RFC 9420 §17.3): in a key package with a mark, what its owner brings along to have the mark believed, as bytes of the caller's.
 * Whoever reads the commit that adds them sees it; it is no part of the leaf, so the group does not carry it on.
 */
export const PROOF_EXTENSION = 0xf50a

/** Of a leaf in this suite. One without a mark, or a proof, need not have heard of such. */
export const capabilitiesIn = (
  suite: CiphersuiteName,
  has: { readonly mark: boolean; readonly proof: boolean },
): Capabilities => ({
  versions: ["mls10"],
  ciphersuites: [suite],
  extensions: [
    LAST_RESORT_EXTENSION,
    ABOUT_EXTENSION,
    ...(has.mark ? [MARK_EXTENSION] : []),
    ...(has.proof ? [PROOF_EXTENSION] : []),
  ],
  proposals: [],
  credentials: ["basic"],
})

export const markExtensions = (mark: Bytes): Extension[] =>
  mark.length === 0 ? [] : [{ extensionType: MARK_EXTENSION, extensionData: mark.slice() }]

/** Empty for a leaf without one; `undefined` for a leaf with any other extension. */
function markIn({ extensions, capabilities: can }: LeafNode): Bytes | undefined {
  const [first, ...rest] = extensions
  if (first === undefined) return new Uint8Array(0)
  const sound =
    rest.length === 0 &&
    first.extensionType === MARK_EXTENSION &&
    first.extensionData.length > 0 &&
    first.extensionData.length <= MARK_MAX_BYTES &&
    can.extensions.includes(MARK_EXTENSION)
  return sound ? first.extensionData : undefined
}

export const basicCredential = (identity: Bytes): Credential => ({
  credentialType: "basic",
  identity: identity.slice(),
})

/** The identity, or `undefined` when the credential is not one of ours. */
export function identityOf(credential: Credential): Bytes | undefined {
  if (credential.credentialType !== "basic") return undefined
  const { identity } = credential
  return identity.length > 0 && identity.length <= IDENTITY_MAX_BYTES ? identity : undefined
}

export function memberAt(leaf: number, node: LeafNode): Member | undefined {
  const identity = identityOf(node.credential)
  const mark = markIn(node) ?? new Uint8Array(0)
  return identity && { leaf, identity, signatureKey: node.signaturePublicKey, mark }
}

/** A leaf that takes part in what this program speaks: the group's suite, version, credential, and no extension of its own but a mark. */
export const speaks = (suite: CiphersuiteName, node: LeafNode): boolean =>
  node.capabilities.ciphersuites.includes(suite) &&
  node.capabilities.versions.includes("mls10") &&
  node.capabilities.credentials.includes("basic") &&
  node.capabilities.extensions.includes(ABOUT_EXTENSION) &&
  markIn(node) !== undefined

/** Nobody of the newcomers shares an identity or a signature key with a member or with another newcomer. */
export function areStrangers(
  members: readonly Member[],
  newcomers: readonly { readonly leafNode: LeafNode }[],
): boolean {
  const known = new Set(members.flatMap(namesOf))
  return newcomers.every(({ leafNode }) => {
    const newcomer = memberAt(0, leafNode)
    const names = newcomer === undefined ? [] : namesOf(newcomer)
    const isNew = newcomer !== undefined && !names.some((name) => known.has(name))
    for (const name of names) known.add(name)
    return isNew
  })
}

const namesOf = ({ identity, signatureKey }: Member): string[] => [
  `identity ${toHex(identity)}`,
  `key ${toHex(signatureKey)}`,
]

export const authentication: AuthenticationService = {
  validateCredential: (credential) => Promise.resolve(identityOf(credential) !== undefined),
}
