/**
 * Reading a commit (RFC 9420 §12.4.2). Before ts-mls applies it, the rules of these groups: proposals travel inside the commit and
 * are additions or removals only; key packages are sound; a removal or an update carries a path; nobody changes who they are. Each
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
import { type Bytes, equal } from "../bytes.ts"
import { identityOf, type Member, memberAt, sameMember, speaksOurSuite } from "./credential.ts"
import type { IgnoreCode } from "./errors.ts"
import { isHybridKey, objectionTo } from "./keypackage.ts"
import { MEMBERS_MAX } from "./limits.ts"
import { copyMember, leafAt, membersOf, type SessionState, wrap } from "./state.ts"
import { suite } from "./suite.ts"

export interface CommitChanges {
  /** Leaf index of who made the commit. */
  readonly sender: number
  readonly added: readonly Member[]
  readonly removed: readonly Member[]
  /** Leaves with new path secrets: the committer, unless it only added. */
  readonly updated: readonly Member[]
  /** We are among the removed: `next` stays in the old epoch, to read what was sent before. */
  readonly ownRemoval: boolean
}

interface Changes {
  readonly added: readonly KeyPackage[]
  readonly removed: readonly number[]
}

/** `tree` is the secret tree with the commit's own key used up. Never throws for what a member sent. */
export async function readCommit(
  mls: ClientState,
  message: PrivateMessage,
  commit: Commit,
  sender: number,
  tree: SecretTree,
): Promise<({ next: SessionState } & CommitChanges) | IgnoreCode> {
  const changes = changesOf(commit)
  if (typeof changes === "string") return changes
  const objection =
    objectionToPath(mls.ratchetTree, commit, sender, changes) ??
    (await objectionToNewcomers(mls.ratchetTree, changes))
  if (objection !== undefined) return objection
  const after = await apply(mls, message)
  if (after === undefined) return "INVALID_COMMIT"
  return describe(mls, after, commit, sender, changes, tree)
}

function changesOf({ proposals }: Commit): Changes | IgnoreCode {
  if (proposals.length > MEMBERS_MAX) return "TOO_LARGE"
  const added: KeyPackage[] = []
  const removed: number[] = []
  for (const entry of proposals) {
    if (entry.proposalOrRefType !== "proposal") return "UNWANTED_PROPOSAL"
    const proposal: Proposal = entry.proposal
    if (proposal.proposalType === "add" && "add" in proposal) added.push(proposal.add.keyPackage)
    else if (proposal.proposalType === "remove" && "remove" in proposal)
      removed.push(proposal.remove.removed)
    else return "UNWANTED_PROPOSAL"
  }
  return { added, removed }
}

/** §12.4: without new path secrets, whoever was removed could go on deriving the keys of every epoch. */
function objectionToPath(
  tree: RatchetTree,
  { proposals, path }: Commit,
  sender: number,
  { removed }: Changes,
): IgnoreCode | undefined {
  if (path === undefined)
    return proposals.length === 0 || removed.length > 0 ? "PATH_MISSING" : undefined
  const before = memberOf(tree, sender)
  const after = memberAt(sender, path.leafNode)
  if (before === undefined || after === undefined || !sameMember(before, after))
    return "IDENTITY_CHANGED"
  const keys = [path.leafNode.hpkePublicKey, ...path.nodes.map((node) => node.hpkePublicKey)]
  if (!speaksOurSuite(path.leafNode) || !keys.every(isHybridKey)) return "INVALID_COMMIT"
  return areNew(tree, keys) ? undefined : "INVALID_COMMIT"
}

async function objectionToNewcomers(
  tree: RatchetTree,
  { added, removed }: Changes,
): Promise<IgnoreCode | undefined> {
  const staying = membersOf(tree).filter(({ leaf }) => !removed.includes(leaf))
  if (staying.length + added.length > MEMBERS_MAX) return "GROUP_FULL"
  const known = staying.flatMap(({ identity, signatureKey }) => [identity, signatureKey])
  const keys: Bytes[] = []
  for (const keyPackage of added) {
    if ((await objectionTo(keyPackage)) !== undefined) return "BAD_KEY_PACKAGE"
    const { credential, signaturePublicKey, hpkePublicKey } = keyPackage.leafNode
    const names = [identityOf(credential) ?? signaturePublicKey, signaturePublicKey]
    if (names.some((name) => known.some((other) => equal(name, other)))) return "INVALID_COMMIT"
    known.push(...names)
    keys.push(hpkePublicKey)
  }
  return areNew(tree, keys) ? undefined : "INVALID_COMMIT"
}

/** No key twice in the list, none in the tree already. */
function areNew(tree: RatchetTree, keys: readonly Bytes[]): boolean {
  const present = tree.flatMap((node) => {
    if (node === undefined) return []
    return [node.nodeType === "leaf" ? node.leaf.hpkePublicKey : node.parent.hpkePublicKey]
  })
  return keys.every(
    (key, index) =>
      !present.some((other) => equal(key, other)) &&
      !keys.slice(0, index).some((other) => equal(key, other)),
  )
}

async function apply(mls: ClientState, message: PrivateMessage): Promise<ClientState | undefined> {
  try {
    const done = await processPrivateMessage(mls, message, emptyPskIndex, suite, acceptAll)
    return done.kind === "newState" && done.actionTaken === "accept" ? done.newState : undefined
  } catch {
    // A commit that ts-mls refuses is its author's doing: signed by a member, and still not the group's next step.
    return undefined
  }
}

function describe(
  before: ClientState,
  after: ClientState,
  commit: Commit,
  sender: number,
  changes: Changes,
  tree: SecretTree,
): { next: SessionState } & CommitChanges {
  const ownRemoval = changes.removed.includes(before.privatePath.leafIndex)
  const isNew = ({ signatureKey }: Member) =>
    changes.added.some(({ leafNode }) => equal(leafNode.signaturePublicKey, signatureKey))
  const next: ClientState = ownRemoval
    ? { ...before, secretTree: tree, groupActiveState: { kind: "removedFromGroup" } }
    : after
  const present = (leaf: number, of: RatchetTree) => {
    const member = memberOf(of, leaf)
    return member === undefined ? [] : [copyMember(member)]
  }
  return {
    sender,
    added: membersOf(after.ratchetTree).filter(isNew).map(copyMember),
    removed: changes.removed.flatMap((leaf) => present(leaf, before.ratchetTree)),
    updated: commit.path === undefined ? [] : present(sender, before.ratchetTree),
    ownRemoval,
    next: wrap(next),
  }
}

function memberOf(tree: RatchetTree, leaf: number): Member | undefined {
  const node = leafAt(tree, leaf)
  return node && memberAt(leaf, node)
}
