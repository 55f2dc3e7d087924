/**
 * Reading a commit (RFC 9420 §12.4.2). Before ts-mls applies it, the rules of these groups: proposals travel inside the commit and
 * are additions, removals or a change of what the group agrees on; key packages are sound; a removal or an update carries a path; nobody changes who they are. Each
 * depends on state and commit alone, so members never disagree about which commit of an epoch was the first valid one.
 */
import {
  acceptAll,
  type ClientState,
  type Commit,
  emptyPskIndex,
  type KeyPackage,
  type PrivateMessage,
  processPrivateMessage,
  type Proposal,
  type RatchetTree,
  type SecretTree,
} from "ts-mls"
import { applyProposals } from "ts-mls/clientState.js"
import { verifyLeafNodeSignature } from "ts-mls/leafNode.js"
import { toLeafIndex } from "ts-mls/treemath.js"
import { type Bytes, equal } from "../bytes.ts"
import { aboutIn, aboutOfContext } from "./about.ts"
import { areStrangers, type Member, memberAt, speaks } from "./credential.ts"
import type { IgnoreCode } from "./errors.ts"
import { lighten } from "./history.ts"
import { isHybridKey, objectionTo, proofIn } from "./keypackage.ts"
import { MEMBERS_MAX } from "./limits.ts"
import { copyMember, membersOf, type SessionState, wrap } from "./state.ts"
import { membersMax, suiteOf } from "./suite.ts"
import { areNewKeys } from "./tree.ts"

export interface Newcomer extends Member {
  /** What has their mark believed (`KeyPackageRequest.proof`); empty for none. */
  readonly proof: Bytes
}

export interface CommitChanges {
  /** Who made the commit. */
  readonly sender: Member
  readonly added: readonly Newcomer[]
  readonly removed: readonly Member[]
  /** Who has new path secrets: the committer, unless it only added. Its signature key may be new, too: compare with its card. */
  readonly updated: readonly Member[]
  /** What the members agree on from here, when the commit changes it. */
  readonly about: Bytes | undefined
  /** We are among the removed: `next` stays in the old epoch, to read what was sent before. */
  readonly ownRemoval: boolean
}

interface Changes {
  readonly added: readonly KeyPackage[]
  readonly removed: readonly number[]
  readonly about: Bytes | undefined
}

/** `tree` is the secret tree with the commit's own key used up. Never throws for what a member sent. */
export async function readCommit(
  mls: ClientState,
  message: PrivateMessage,
  commit: Commit,
  sender: Member,
  tree: SecretTree,
): Promise<({ next: SessionState } & CommitChanges) | IgnoreCode> {
  const changes = changesOf(commit, aboutOfContext(mls.groupContext).length > 0)
  if (typeof changes === "string") return changes
  const objection =
    objectionToPath(mls, commit, sender, changes) ?? (await objectionToNewcomers(mls, changes))
  if (objection !== undefined) return objection
  const ownRemoval = changes.removed.includes(mls.privatePath.leafIndex)
  const after = ownRemoval
    ? await applyOwnRemoval(mls, commit, sender, tree)
    : await apply(mls, message)
  if (after === undefined) return "INVALID_COMMIT"
  const joined = (member: Member): Newcomer[] => {
    const isTheirs = ({ leafNode }: KeyPackage) =>
      equal(leafNode.signaturePublicKey, member.signatureKey)
    const keyPackage = changes.added.find(isTheirs)
    return keyPackage === undefined ? [] : [{ ...copyMember(member), proof: proofIn(keyPackage) }]
  }
  const renewed = ({ leaf }: Member) => commit.path !== undefined && leaf === sender.leaf
  const gone = ({ leaf }: Member) => changes.removed.includes(leaf)
  return {
    sender: copyMember(sender),
    added: membersOf(after.ratchetTree).flatMap(joined),
    removed: membersOf(mls.ratchetTree).filter(gone).map(copyMember),
    updated: membersOf(after.ratchetTree).filter(renewed).map(copyMember),
    about: changes.about?.slice(),
    ownRemoval,
    next: after.next,
  }
}

function changesOf({ proposals }: Commit, hasAbout: boolean): Changes | IgnoreCode {
  if (proposals.length > MEMBERS_MAX) return "TOO_LARGE"
  const added: KeyPackage[] = []
  const removed: number[] = []
  let about: Bytes | undefined
  for (const entry of proposals) {
    if (entry.proposalOrRefType !== "proposal") return "UNWANTED_PROPOSAL"
    const proposal: Proposal = entry.proposal
    if (proposal.proposalType === "add" && "add" in proposal) added.push(proposal.add.keyPackage)
    else if (proposal.proposalType === "remove" && "remove" in proposal)
      removed.push(proposal.remove.removed)
    else if (
      proposal.proposalType === "group_context_extensions" &&
      "groupContextExtensions" in proposal
    ) {
      // [IGNORE] twice, nothing, something else, or where there was nothing before
      const next = aboutIn(proposal.groupContextExtensions.extensions)
      if (!hasAbout || about !== undefined || next === undefined || next.length === 0)
        return "UNWANTED_PROPOSAL"
      about = next
    } else return "UNWANTED_PROPOSAL"
  }
  return { added, removed, about }
}

/**
 * §12.4: without new path secrets, whoever was removed could go on deriving the keys of every epoch. (A
 * change of what the group agrees on should carry a path too; ts-mls makes none, and nobody has to be shut out.)
 */
function objectionToPath(
  mls: ClientState,
  { proposals, path }: Commit,
  sender: Member,
  { removed, about }: Changes,
): IgnoreCode | undefined {
  // [IGNORE] ts-mls encrypts a path under the context from before such a change and opens it under the one after
  if (path !== undefined && about !== undefined) return "INVALID_COMMIT"
  if (path === undefined)
    return proposals.length === 0 || removed.length > 0 ? "PATH_MISSING" : undefined
  const renewed = memberAt(sender.leaf, path.leafNode)
  if (renewed === undefined || !equal(sender.identity, renewed.identity)) return "IDENTITY_CHANGED"
  // What a leaf says came in with it: were it dropped, somebody could be let in anew by what they once said.
  if (!equal(sender.mark, renewed.mark)) return "INVALID_COMMIT"
  const tree = mls.ratchetTree
  const others = membersOf(tree).filter(({ leaf }) => leaf !== sender.leaf)
  if (!areStrangers(others, [path])) return "INVALID_COMMIT"
  const keys = [path.leafNode.hpkePublicKey, ...path.nodes.map((node) => node.hpkePublicKey)]
  if (!speaks(suiteOf(mls).name, path.leafNode) || !keys.every(isHybridKey)) return "INVALID_COMMIT"
  return areNewKeys(tree, keys) ? undefined : "INVALID_COMMIT"
}

async function objectionToNewcomers(
  mls: ClientState,
  { added, removed }: Changes,
): Promise<IgnoreCode | undefined> {
  const tree = mls.ratchetTree
  const { name } = suiteOf(mls)
  const staying = membersOf(tree).filter(({ leaf }) => !removed.includes(leaf))
  if (staying.length + added.length > membersMax(name)) return "GROUP_FULL"
  for (const keyPackage of added) {
    const isOther = keyPackage.cipherSuite !== name
    if (isOther || (await objectionTo(keyPackage)) !== undefined) return "BAD_KEY_PACKAGE"
  }
  const keys = added.map(({ leafNode }) => leafNode.hpkePublicKey)
  if (!areStrangers(staying, added)) return "INVALID_COMMIT"
  return areNewKeys(tree, keys) ? undefined : "INVALID_COMMIT"
}

interface Applied {
  readonly ratchetTree: RatchetTree
  readonly next: SessionState
}

async function apply(mls: ClientState, message: PrivateMessage): Promise<Applied | undefined> {
  try {
    const done = await processPrivateMessage(mls, message, emptyPskIndex, suiteOf(mls), acceptAll)
    if (done.kind !== "newState" || done.actionTaken !== "accept") return undefined
    return { ratchetTree: done.newState.ratchetTree, next: wrap(lighten(done.newState)) }
  } catch {
    // A commit that ts-mls refuses is its author's doing: signed by a member, and still not the group's next step.
    return undefined
  }
}

/**
 * Whoever is removed is told no path secret, and cannot know the next epoch or check its confirmation. What is left to check is
 * that a member wrote the commit and that its proposals can be carried out. (ts-mls overlooks a removal whose leaf is given to a
 * newcomer in the same commit, and fails to decrypt the path.)
 */
async function applyOwnRemoval(
  mls: ClientState,
  { proposals, path }: Commit,
  sender: Member,
  secretTree: SecretTree,
): Promise<Applied | undefined> {
  try {
    const suite = suiteOf(mls)
    const { groupId } = mls.groupContext
    const signed =
      path !== undefined &&
      (await verifyLeafNodeSignature(path.leafNode, groupId, sender.leaf, suite.signature))
    if (!signed) return undefined
    const leaf = toLeafIndex(sender.leaf)
    const { tree } = await applyProposals(mls, proposals, leaf, emptyPskIndex, false, suite)
    const next = wrap({ ...mls, secretTree, groupActiveState: { kind: "removedFromGroup" } })
    return { ratchetTree: tree, next }
  } catch {
    // As above: not the group's next step.
    return undefined
  }
}
