/**
 * The state of one member in one group, as an opaque value: operations take it and return the next one, and never change it. It
 * holds the secrets of the epoch, so whoever stores it seals it first. Two states of one epoch must never both be used to send:
 * they would encrypt two messages under one key. Store `next` before anything made with it leaves.
 */
import {
  type ClientState,
  type ClientConfig,
  decodeGroupState,
  defaultKeyPackageEqualityConfig,
  encodeGroupState,
  type LeafNode,
  mlsExporter,
  type RatchetTree,
} from "ts-mls"
import { decodeSecretTree } from "ts-mls/secretTree.js"
import { type Bytes, equal } from "../bytes.ts"
import { assert } from "../errors.ts"
import { aboutOfContext } from "./about.ts"
import { decodeStrictly } from "./codec.ts"
import { authentication, memberAt, type Member } from "./credential.ts"
import { encodeGroup, encodeSecretTree } from "./encoding.ts"
import { SessionError } from "./errors.ts"
import { withPast } from "./history.ts"
import * as limits from "./limits.ts"
import type { Signing } from "./signature.ts"
import { signingNamed, suiteOf } from "./suite.ts"

/** A private field, so that a state that is logged or shown by mistake shows nothing. */
class Sealed {
  readonly #mls: ClientState

  constructor(mls: ClientState) {
    this.#mls = mls
  }

  static open(state: Sealed): ClientState {
    return state.#mls
  }
}

/** Opaque. Made by `createGroup`, `joinFromWelcome` and `decodeState`, and by every operation as `next`. */
export type SessionState = Sealed

export const wrap = (mls: ClientState): SessionState => new Sealed(mls)
export const unwrap = (state: SessionState): ClientState => Sealed.open(state)

export const config: ClientConfig = {
  keyRetentionConfig: {
    retainKeysForEpochs: limits.PAST_EPOCHS,
    retainKeysForGenerations: limits.OVERTAKEN_MESSAGES,
    maximumForwardRatchetSteps: limits.MESSAGES_AHEAD,
  },
  // Members must agree on which commit is valid, so none of them looks at a clock; whoever adds someone does (keypackage.ts).
  lifetimeConfig: { maximumTotalLifetime: 2n ** 64n - 1n, validateLifetimeOnReceive: false },
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  // Envelopes have one size whatever they hold, so a message is not padded a second time.
  paddingConfig: { kind: "alwaysPad", paddingLength: 0 },
  authService: authentication,
}

/** `after`, from which messages of the epochs of `before` can still be read; see history.ts. Of one group, or it is an AssertionError. */
export function rememberEpochs(after: SessionState, before: SessionState): SessionState {
  const [next, past] = [unwrap(after), unwrap(before)]
  assert(equal(next.groupContext.groupId, past.groupContext.groupId), "one group")
  return wrap(withPast(next, past))
}

const STATE_VERSION = 1
/** Without what `ratchetsOf` gives. */
const STANDING_VERSION = 2

/** Holds secrets: seal before storing. Throws SessionError TOO_LARGE. */
export function encodeState(state: SessionState): Bytes {
  const mls = unwrap(state)
  const version = mls.secretTree.length === 0 ? STANDING_VERSION : STATE_VERSION
  const bytes = encodeGroup(Uint8Array.of(version), mls)
  if (bytes.length > limits.STATE_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `state of ${bytes.length} bytes`)
  return bytes
}

/** Throws SessionError BAD_STATE unless the bytes are exactly what `encodeState` wrote. */
export function decodeState(bytes: Bytes): SessionState {
  const [version = 0] = bytes
  const group =
    bytes.length <= limits.STATE_MAX_BYTES &&
    version >= STATE_VERSION &&
    version <= STANDING_VERSION
      ? decodeStrictly(decodeGroupState, encodeGroupState, bytes.subarray(1))
      : undefined
  const isStanding = group?.secretTree.length === 0
  if (group === undefined || signingNamed(group.groupContext.cipherSuite) === undefined)
    throw new SessionError("BAD_STATE", "not a session state")
  if (isStanding !== (version === STANDING_VERSION))
    throw new SessionError("BAD_STATE", "keys of messages where there are none, or none")
  return wrap({ ...group, clientConfig: config })
}

/** The state without the keys of its epoch's messages: nothing can be sent or read with it, and no message changes it. */
export const standingOf = (state: SessionState): SessionState =>
  wrap({ ...unwrap(state), secretTree: [] })

/** Whether the keys of its epoch's messages have yet to be put in. */
export const isStanding = (state: SessionState): boolean => unwrap(state).secretTree.length === 0

/** What `standingOf` leaves, as the very values: while they are the same, it encodes to the same bytes. */
export const standingParts = (state: SessionState): readonly unknown[] =>
  Object.values({ ...unwrap(state), secretTree: null })

/** What `standingOf` leaves out, and every message changes. Holds secrets: seal before storing. */
export const ratchetsOf = (state: SessionState): Bytes => encodeSecretTree(unwrap(state).secretTree)

/** Throws SessionError BAD_STATE unless the bytes are what `ratchetsOf` gave of a group of this size. */
export function withRatchets(state: SessionState, bytes: Bytes): SessionState {
  const mls = unwrap(state)
  const secretTree = decodeStrictly(decodeSecretTree, encodeSecretTree, bytes)
  // Both have a place for every node; a ratchet tree ends with its last one that is not blank.
  if (secretTree === undefined || secretTree.length < mls.ratchetTree.length)
    throw new SessionError("BAD_STATE", "no keys of this group's messages")
  return wrap({ ...mls, secretTree })
}

/** Counts commits from 0. */
export const epochOf = (state: SessionState): bigint => unwrap(state).groupContext.epoch
export const groupIdOf = (state: SessionState): Bytes => unwrap(state).groupContext.groupId.slice()
/** How the members sign what they say; fixed for as long as the group lives. */
export function signingOf(state: SessionState): Signing {
  const signing = signingNamed(unwrap(state).groupContext.cipherSuite)
  assert(signing !== undefined, "a state of one of our suites")
  return signing
}
/** What the members agree on besides who they are; empty when there is nothing. */
export const aboutOf = (state: SessionState): Bytes =>
  aboutOfContext(unwrap(state).groupContext).slice()
/** One object for all states of an epoch that came from each other: what follows from the epoch alone is remembered by it. */
export const epochMark = (state: SessionState): object => unwrap(state).groupContext
export const ownLeaf = (state: SessionState): number => unwrap(state).privatePath.leafIndex
/** False once a commit has removed us; what was sent before it can still be read. */
export const isMember = (state: SessionState): boolean =>
  unwrap(state).groupActiveState.kind === "active"

/** Throws SessionError NOT_A_MEMBER. */
export function assertMember(state: SessionState): void {
  if (!isMember(state)) throw new SessionError("NOT_A_MEMBER", "we were removed from this group")
}

/** By leaf index, ascending. */
export const members = (state: SessionState): Member[] =>
  membersOf(unwrap(state).ratchetTree).map(copyMember)

export const copyMember = ({ leaf, identity, signatureKey, mark }: Member): Member => ({
  leaf,
  identity: identity.slice(),
  signatureKey: signatureKey.slice(),
  mark: mark.slice(),
})

export function membersOf(tree: RatchetTree): Member[] {
  const found: Member[] = []
  for (let leaf = 0; 2 * leaf < tree.length; leaf++) {
    const member = memberOf(tree, leaf)
    if (member !== undefined) found.push(member)
  }
  return found
}

export function leafAt(tree: RatchetTree, leaf: number): LeafNode | undefined {
  const node = tree[2 * leaf]
  return node?.nodeType === "leaf" ? node.leaf : undefined
}

/**
 * A secret that all members of this epoch share and nobody else can compute (RFC 9420 §8.5). Of the current epoch only: whoever
 * needs one later keeps it. Throws SessionError TOO_LARGE above 8,160 bytes.
 */
export async function exportSecret(
  state: SessionState,
  label: string,
  context: Bytes,
  length: number,
): Promise<Bytes> {
  if (length > limits.EXPORT_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `${length} bytes of exported secret`)
  assert(Number.isInteger(length) && length > 0, "an exported secret has a length")
  const mls = unwrap(state)
  return mlsExporter(mls.keySchedule.exporterSecret, label, context, length, suiteOf(mls))
}

export function memberOf(tree: RatchetTree, leaf: number): Member | undefined {
  const node = leafAt(tree, leaf)
  return node && memberAt(leaf, node)
}
