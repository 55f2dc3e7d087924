/**
 * Starting a group and changing it. Every change is a commit (RFC 9420 §12.4): it is made beside the current state, posted, and
 * becomes real only when the ledger has ordered it before every other commit of its epoch. Then `mergeCommit` takes its `next`;
 * a losing commit is dropped, the winner processed from the state before, and the change made again. Removals and updates carry
 * fresh path secrets; additions alone do not, and heal nothing.
 */
import {
  createCommit,
  createGroup as createMlsGroup,
  emptyPskIndex,
  type KeyPackage,
  type Proposal,
} from "ts-mls"
import type { Bytes } from "../bytes.ts"
import { equal } from "../bytes.ts"
import { assert } from "../errors.ts"
import { encodeMessage } from "./codec.ts"
import { identityOf } from "./credential.ts"
import { SessionError } from "./errors.ts"
import {
  decodeKeyPackage,
  FOREVER_SECONDS,
  generateKeyPackage,
  objectionTo,
  outsideLifetime,
} from "./keypackage.ts"
import * as limits from "./limits.ts"
import { config, isMember, leafAt, membersOf, type SessionState, unwrap, wrap } from "./state.ts"
import { suite } from "./suite.ts"

export interface PendingCommit {
  /** A PrivateMessage for the members of the current epoch. */
  readonly commit: Bytes
  /** The state after it. Worth nothing until the commit counts. */
  readonly next: SessionState
}

export interface PendingAddition extends PendingCommit {
  /** For all who are added; send it only once the commit counts. */
  readonly welcome: Bytes
}

/** A group of one, at epoch 0. Throws SessionError TOO_LARGE for a group id or an identity of no or too many bytes. */
export async function createGroup(request: {
  readonly groupId: Bytes
  readonly identity: Bytes
  readonly signatureSeed: Bytes
}): Promise<SessionState> {
  const { groupId } = request
  if (groupId.length === 0 || groupId.length > limits.GROUP_ID_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `group id of ${groupId.length} bytes`)
  const own = await generateKeyPackage(request, 0n, FOREVER_SECONDS, false)
  return wrap(
    await createMlsGroup(groupId.slice(), own.publicPackage, own.privatePackage, [], suite, config),
  )
}

/**
 * Adds whom the key packages belong to. The caller has compared their signature keys with the cards. Throws SessionError
 * BAD_KEY_PACKAGE (expired ones too), ALREADY_A_MEMBER, TOO_LARGE or NOT_A_MEMBER.
 */
export async function addMembers(
  state: SessionState,
  keyPackages: readonly Bytes[],
  nowSeconds: number,
): Promise<PendingAddition> {
  assert(keyPackages.length > 0, "someone is added")
  const newcomers: KeyPackage[] = []
  for (const bytes of keyPackages) newcomers.push(await soundKeyPackage(bytes, nowSeconds))
  const present = membersOf(unwrap(state).ratchetTree)
  if (present.length + newcomers.length > limits.MEMBERS_MAX)
    throw new SessionError("TOO_LARGE", `more than ${limits.MEMBERS_MAX} members`)
  const known = present.flatMap(({ identity, signatureKey }) => [identity, signatureKey])
  for (const { leafNode } of newcomers) {
    const names = [identityOf(leafNode.credential) ?? leafNode.signaturePublicKey]
    names.push(leafNode.signaturePublicKey)
    if (names.some((name) => known.some((other) => equal(name, other))))
      throw new SessionError("ALREADY_A_MEMBER", "in the group, or twice in the list")
    known.push(...names)
  }
  const made = await commit(
    state,
    newcomers.map((keyPackage) => ({ proposalType: "add", add: { keyPackage } })),
  )
  assert(made.welcome !== undefined, "an addition has a Welcome")
  return { ...made, welcome: made.welcome }
}

async function soundKeyPackage(bytes: Bytes, nowSeconds: number): Promise<KeyPackage> {
  const keyPackage = decodeKeyPackage(bytes)
  const code =
    typeof keyPackage === "string"
      ? keyPackage
      : ((await objectionTo(keyPackage)) ?? outsideLifetime(keyPackage, BigInt(nowSeconds)))
  if (code !== undefined || typeof keyPackage === "string")
    throw new SessionError("BAD_KEY_PACKAGE", `key package: ${code ?? "MALFORMED"}`)
  return keyPackage
}

/** Throws SessionError NO_SUCH_MEMBER for a blank leaf, our own, or none at all; NOT_A_MEMBER. */
export async function removeMembers(
  state: SessionState,
  leaves: readonly number[],
): Promise<PendingCommit> {
  const { ratchetTree, privatePath } = unwrap(state)
  assert(leaves.length > 0, "someone is removed")
  const removed = [...new Set(leaves)]
  for (const leaf of removed) {
    if (leafAt(ratchetTree, leaf) === undefined || leaf === privatePath.leafIndex)
      throw new SessionError("NO_SUCH_MEMBER", `leaf ${leaf}`)
  }
  return commit(
    state,
    removed.map((leaf) => ({ proposalType: "remove", remove: { removed: leaf } })),
  )
}

/** New path secrets and nothing else: whoever had stolen our state reads nothing from the next epoch on. */
export const updateSelf = (state: SessionState): Promise<PendingCommit> => commit(state, [])

async function commit(
  state: SessionState,
  extraProposals: Proposal[],
): Promise<PendingCommit & { welcome: Bytes | undefined }> {
  if (!isMember(state)) throw new SessionError("NOT_A_MEMBER", "we were removed from this group")
  const made = await createCommit(
    { state: unwrap(state), cipherSuite: suite, pskIndex: emptyPskIndex },
    { extraProposals, ratchetTreeExtension: extraProposals[0]?.proposalType === "add" },
  )
  const message = encodeMessage(made.commit)
  const welcome =
    made.welcome &&
    encodeMessage({ version: "mls10", wireformat: "mls_welcome", welcome: made.welcome })
  if (message.length > limits.MESSAGE_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `commit of ${message.length} bytes`)
  if (welcome !== undefined && welcome.length > limits.WELCOME_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `Welcome of ${welcome.length} bytes`)
  return { commit: message, welcome, next: wrap(made.newState) }
}

/**
 * Our commit counts: from `current`, the state as it is now, to the `next` it was made with. Messages of the epoch that were read
 * in between stay read, so none of them can be replayed afterwards.
 */
export function mergeCommit(current: SessionState, next: SessionState): SessionState {
  const before = unwrap(current)
  const after = unwrap(next)
  assert(equal(before.groupContext.groupId, after.groupContext.groupId), "one group")
  assert(
    after.groupContext.epoch === before.groupContext.epoch + 1n,
    "a commit is merged into the epoch it was made in",
  )
  const history = new Map(after.historicalReceiverData)
  for (const [epoch, keys] of history) {
    const asRead =
      epoch === before.groupContext.epoch
        ? before.secretTree
        : before.historicalReceiverData.get(epoch)?.secretTree
    assert(asRead !== undefined, "the commit was made from this group's past")
    history.set(epoch, { ...keys, secretTree: asRead })
  }
  return wrap({ ...after, historicalReceiverData: history })
}
