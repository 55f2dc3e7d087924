/**
 * Starting a group and changing it. Every change is a commit (RFC 9420 §12.4): it is made beside the current state, posted, and
 * becomes real only when the ledger has ordered it before every other commit of its epoch. Then `mergeCommit` takes its `next`;
 * a losing commit is dropped, the winner processed from the state before, and the change made again. Removals and updates carry
 * fresh path secrets; additions alone do not, and heal nothing.
 */
import {
  type ClientState,
  createCommit,
  createGroup as createMlsGroup,
  emptyPskIndex,
  type KeyPackage,
  type Proposal,
} from "ts-mls"
import { ValidationError } from "ts-mls/mlsError.js"
import { type Bytes, equal, exactly } from "../bytes.ts"
import { assert } from "../errors.ts"
import { aboutExtensions, aboutOfContext, aboutProposal } from "./about.ts"
import { encodeMessage, frame } from "./codec.ts"
import { areStrangers, identityOf, type Member } from "./credential.ts"
import { SessionError } from "./errors.ts"
import { lighten, withReadSince } from "./history.ts"
import { FOREVER_SECONDS, generateKeyPackage, readKeyPackage } from "./keypackage.ts"
import * as limits from "./limits.ts"
import { rotate } from "./rotation.ts"
import {
  assertMember,
  config,
  leafAt,
  membersOf,
  type SessionState,
  unwrap,
  wrap,
} from "./state.ts"
import { SEED_BYTES, signingOfSeed } from "./signature.ts"
import { membersMax, signingNamed, suiteOf, suites } from "./suite.ts"
import { areNewKeys } from "./tree.ts"

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

/**
 * A group of one, at epoch 0. Its members sign as the kind of seed says (signature.ts), and whoever has no such key cannot be in it. Throws
 * SessionError TOO_LARGE for a group id or an identity of no or too many bytes.
 */
export async function createGroup(request: {
  readonly groupId: Bytes
  readonly identity: Bytes
  /** 32 bytes, or 64 for composite signatures. */
  readonly signatureSeed: Bytes
  /** What the members agree on besides who they are; whoever has nothing here has nothing for good. */
  readonly about?: Bytes
}): Promise<SessionState> {
  const { groupId } = request
  if (groupId.length === 0 || groupId.length > limits.GROUP_ID_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `group id of ${groupId.length} bytes`)
  const own = await generateKeyPackage(request, 0n, FOREVER_SECONDS, false)
  const extensions = aboutExtensions(request.about ?? new Uint8Array(0))
  return wrap(
    await createMlsGroup(
      groupId.slice(),
      own.publicPackage,
      own.privatePackage,
      extensions,
      suites[signingOfSeed(request.signatureSeed)],
      config,
    ),
  )
}

export interface Changes {
  /** Key packages of whom to add. The caller has compared their signature keys with the cards. */
  readonly add?: readonly Bytes[]
  /** Leaves of whom to remove. */
  readonly remove?: readonly number[]
  /** What the members agree on from here; only in a group that has such, and not together with a removal. */
  readonly about?: Bytes
}

/**
 * All of these in one commit; `welcome` when somebody is added. Whoever is removed may be added again in the same: they lost their
 * state, or were away too long to catch up, and what was said in between stays closed to them. Throws SessionError BAD_KEY_PACKAGE
 * (expired ones too), ALREADY_A_MEMBER, NO_SUCH_MEMBER for a blank leaf, our own, or none at all, TOO_LARGE or NOT_A_MEMBER.
 */
export async function changeGroup(
  state: SessionState,
  { add = [], remove = [], about }: Changes,
  nowSeconds: number,
): Promise<PendingCommit & { readonly welcome: Bytes | undefined }> {
  assertMember(state)
  const mls = unwrap(state)
  const { ratchetTree, privatePath, groupContext } = mls
  assert(add.length + remove.length > 0 || about !== undefined, "something changes")
  const leaves = [...new Set(remove)]
  for (const leaf of leaves) {
    if (leafAt(ratchetTree, leaf) === undefined || leaf === privatePath.leafIndex)
      throw new SessionError("NO_SUCH_MEMBER", `leaf ${leaf}`)
  }
  const staying = membersOf(ratchetTree).filter(({ leaf }) => !leaves.includes(leaf))
  const newcomers = await soundNewcomers(mls, staying, add, nowSeconds)
  const proposals = [
    ...leaves.map((leaf) => removal(leaf)),
    ...newcomers.map((keyPackage) => addition(keyPackage)),
  ]
  if (about !== undefined) {
    assert(leaves.length === 0, "what a group agrees on changes in a commit without a path")
    assert(aboutOfContext(groupContext).length > 0, "a group that agrees on something")
    proposals.push(aboutProposal(about))
  }
  return commit(state, proposals)
}

async function soundNewcomers(
  mls: ClientState,
  staying: readonly Member[],
  keyPackages: readonly Bytes[],
  nowSeconds: number,
): Promise<KeyPackage[]> {
  const newcomers: KeyPackage[] = []
  const { name } = suiteOf(mls)
  for (const bytes of keyPackages) {
    const keyPackage = await soundKeyPackage(bytes, nowSeconds)
    if (keyPackage.cipherSuite !== name)
      throw new SessionError("BAD_KEY_PACKAGE", "for groups that sign in another way")
    newcomers.push(keyPackage)
  }
  if (staying.length + newcomers.length > membersMax(name))
    throw new SessionError("TOO_LARGE", `more than ${membersMax(name)} members`)
  if (!areStrangers(staying, newcomers))
    throw new SessionError("ALREADY_A_MEMBER", "in the group, or twice in the list")
  // The others would refuse such a commit, and we would be alone in what it made.
  if (
    !areNewKeys(
      mls.ratchetTree,
      newcomers.map(({ leafNode }) => leafNode.hpkePublicKey),
    )
  )
    throw new SessionError("BAD_KEY_PACKAGE", "names a key that is in the group already")
  return newcomers
}

/** Adds whom the key packages belong to. Throws like `changeGroup`. */
export async function addMembers(
  state: SessionState,
  keyPackages: readonly Bytes[],
  nowSeconds: number,
): Promise<PendingAddition> {
  const made = await changeGroup(state, { add: keyPackages }, nowSeconds)
  assert(made.welcome !== undefined, "an addition has a Welcome")
  return { ...made, welcome: made.welcome }
}

const addition = (keyPackage: KeyPackage): Proposal => ({
  proposalType: "add",
  add: { keyPackage },
})

const removal = (leaf: number): Proposal => ({ proposalType: "remove", remove: { removed: leaf } })

/**
 * Adds members again who have lost their state, or were away too long to catch up: whoever of them is in the group leaves it and
 * enters it in one commit, with new keys. Throws like `changeGroup`; ALREADY_A_MEMBER for ourselves.
 */
export async function readmitMembers(
  state: SessionState,
  keyPackages: readonly Bytes[],
  nowSeconds: number,
): Promise<PendingAddition> {
  const { ratchetTree, privatePath } = unwrap(state)
  const identities: Bytes[] = []
  for (const bytes of keyPackages) {
    const { leafNode } = await soundKeyPackage(bytes, nowSeconds)
    identities.push(identityOf(leafNode.credential) ?? new Uint8Array(0))
  }
  const leaving = membersOf(ratchetTree).filter(({ identity }) =>
    identities.some((each) => equal(each, identity)),
  )
  if (leaving.some(({ leaf }) => leaf === privatePath.leafIndex))
    throw new SessionError("ALREADY_A_MEMBER", "we are in the group ourselves")
  const remove = leaving.map(({ leaf }) => leaf)
  const made = await changeGroup(state, { add: keyPackages, remove }, nowSeconds)
  assert(made.welcome !== undefined, "an addition has a Welcome")
  return { ...made, welcome: made.welcome }
}

async function soundKeyPackage(bytes: Bytes, nowSeconds: number): Promise<KeyPackage> {
  const keyPackage = await readKeyPackage(bytes, nowSeconds)
  if (typeof keyPackage === "string")
    throw new SessionError("BAD_KEY_PACKAGE", `key package: ${keyPackage}`)
  return keyPackage
}

/** Throws like `changeGroup`. */
export const removeMembers = (
  state: SessionState,
  leaves: readonly number[],
): Promise<PendingCommit> => changeGroup(state, { remove: leaves }, 0)

/**
 * New path secrets: whoever had stolen our state reads nothing from the next epoch on. With `signatureSeed` (of the
 * group's kind) also a new signature key, for the others to compare with our card. Throws SessionError NOT_A_MEMBER, CryptoError BAD_LENGTH.
 */
export async function updateSelf(
  state: SessionState,
  signatureSeed?: Bytes,
): Promise<PendingCommit> {
  if (signatureSeed === undefined) return commit(state, [])
  assertMember(state)
  const mls = unwrap(state)
  const bytes = SEED_BYTES[signingNamed(suiteOf(mls).name) ?? "ed25519"]
  const seed = exactly(signatureSeed, bytes, "signature seed").slice()
  const { message, newState } = await rotate(mls, seed)
  return { commit: checkedCommit(frame(message)), next: wrap(lighten(newState)) }
}

async function commit(
  state: SessionState,
  extraProposals: Proposal[],
): Promise<PendingCommit & { welcome: Bytes | undefined }> {
  assertMember(state)
  const made = await createCommit(
    { state: unwrap(state), cipherSuite: suiteOf(unwrap(state)), pskIndex: emptyPskIndex },
    {
      extraProposals,
      ratchetTreeExtension: extraProposals.some(({ proposalType }) => proposalType === "add"),
    },
  ).catch(refuseByClock)
  const welcome =
    made.welcome &&
    encodeMessage({ version: "mls10", wireformat: "mls_welcome", welcome: made.welcome })
  if (welcome !== undefined && welcome.length > limits.WELCOME_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `Welcome of ${welcome.length} bytes`)
  const message = checkedCommit(encodeMessage(made.commit))
  return { commit: message, welcome, next: wrap(lighten(made.newState)) }
}

function checkedCommit(message: Bytes): Bytes {
  if (message.length > limits.MESSAGE_MAX_BYTES)
    throw new SessionError("TOO_LARGE", `commit of ${message.length} bytes`)
  return message
}

/**
 * ts-mls looks at the machine's clock when it adds someone, and cannot be told not to. All else that it validates was validated
 * before, so its refusal means that the clock and the caller's `nowSeconds` disagree about a key package.
 */
function refuseByClock(cause: unknown): never {
  if (!(cause instanceof ValidationError)) throw cause
  throw new SessionError("BAD_KEY_PACKAGE", "outside its lifetime by this machine's clock", {
    cause,
  })
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
  return wrap(withReadSince(after, before))
}
