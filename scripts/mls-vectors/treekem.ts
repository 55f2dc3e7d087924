/**
 * Vectors of TreeKEM (RFC 9420 §7.4 to §7.9): every member's private keys fit the tree; every update path has the parent hashes it
 * should, gives every other member the published path secret and commit secret, and leads to the published tree; and so does a path of
 * our own, read back by every other member.
 */
import type { CiphersuiteImpl, RatchetTree } from "ts-mls"
import { applyUpdatePathSecret } from "ts-mls/createCommit.js"
import { deriveSecret } from "ts-mls/crypto/kdf.js"
import type { GroupContext } from "ts-mls/groupContext.js"
import { verifyLeafNodeSignature } from "ts-mls/leafNode.js"
import { verifyParentHashes } from "ts-mls/parentHash.js"
import { getCommitSecret } from "ts-mls/pathSecrets.js"
import { type PrivateKeyPath, toPrivateKeyPath, updateLeafKey } from "ts-mls/privateKeyPath.js"
import { decodeRatchetTree, getHpkePublicKey, type Node } from "ts-mls/ratchetTree.js"
import { treeHashRoot } from "ts-mls/treeHash.js"
import { type LeafIndex, leafToNodeIndex, toLeafIndex, toNodeIndex } from "ts-mls/treemath.js"
import {
  applyUpdatePath,
  createUpdatePath,
  decodeUpdatePath,
  type UpdatePath,
} from "ts-mls/updatePath.js"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { contextOf, encryptionPair, signatureKey, signaturePair } from "./context.ts"
import { decodeWhole, Fields, holds, MismatchError, same } from "./fields.ts"

interface Member {
  readonly index: LeafIndex
  readonly keys: PrivateKeyPath
  readonly signPrivate: Bytes
}

interface Group {
  readonly cs: CiphersuiteImpl
  readonly tree: RatchetTree
  /** With the hash of `tree`. */
  readonly context: GroupContext
  readonly members: readonly Member[]
}

export async function treeKem(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const tree = decodeWhole("ratchet_tree", decodeRatchetTree, vector.bytes("ratchet_tree"))
  const context = contextOf(vector, cs, await treeHashRoot(tree, cs.hash))
  const members: Member[] = []
  for (const leaf of vector.records("leaves_private"))
    members.push(await privateState(tree, leaf, cs))
  const group = { cs, tree, context, members }
  for (const each of vector.records("update_paths")) {
    await publishedPath(each, group)
    await ownPath(toLeafIndex(each.number("sender")), group)
  }
}

/** Every node of a member's private state is in the tree, with the public key that belongs to it. */
async function privateState(tree: RatchetTree, leaf: Fields, cs: CiphersuiteImpl): Promise<Member> {
  const index = toLeafIndex(leaf.number("index"))
  const own = nodeAt(tree, leafToNodeIndex(index))
  if (own.nodeType !== "leaf") throw new MismatchError(`no leaf ${index}`)
  const signPrivate = signatureKey(leaf, "signature_priv", cs)
  await signaturePair(`signature_priv of ${index}`, own.leaf.signaturePublicKey, signPrivate, cs)
  const encryption = leaf.bytes("encryption_priv")
  await encryptionPair(`encryption_priv of ${index}`, own.leaf.hpkePublicKey, encryption, cs)

  const secrets: Record<number, Bytes> = {}
  for (const path of leaf.records("path_secrets")) {
    const node = path.number("node")
    const secret = path.bytes("path_secret")
    const pair = await cs.hpke.deriveKeyPair(await deriveSecret(secret, "node", cs.kdf))
    const inTree = getHpkePublicKey(nodeAt(tree, node))
    same(`key of node ${node}`, await cs.hpke.exportPublicKey(pair.publicKey), inTree)
    secrets[node] = secret
  }
  return {
    index,
    keys: updateLeafKey(await toPrivateKeyPath(secrets, index, cs), encryption),
    signPrivate,
  }
}

function nodeAt(tree: RatchetTree, index: number): Node {
  const node = tree[index]
  if (node === undefined) throw new MismatchError(`node ${index} is blank`)
  return node
}

async function publishedPath(vector: Fields, group: Group): Promise<void> {
  const { cs, tree, context } = group
  const sender = toLeafIndex(vector.number("sender"))
  const path = decodeWhole("update_path", decodeUpdatePath, vector.bytes("update_path"))
  // Throws unless the path's parent hashes are those that the tree gives.
  const after = await applyUpdatePath(tree, sender, path, cs.hash)
  holds("parent hashes", await verifyParentHashes(after, cs.hash))
  const { leafNode } = path
  const signed = await verifyLeafNodeSignature(leafNode, context.groupId, sender, cs.signature)
  holds(`signature of the new leaf ${sender}`, signed)
  same("tree hash after", await treeHashRoot(after, cs.hash), vector.bytes("tree_hash_after"))

  const published = vector.list("path_secrets")
  const commitSecret = vector.bytes("commit_secret")
  for (const member of othersThan(sender, group)) {
    const read = await readPath(path, after, sender, member, group)
    const secret = new Fields({ secret: published[member.index] }).bytes("secret")
    same(`path secret of ${member.index}`, read.pathSecret, secret)
    same(`commit secret at ${member.index}`, read.commitSecret, commitSecret)
  }
}

async function ownPath(sender: LeafIndex, group: Group): Promise<void> {
  const { cs, tree, context, members } = group
  const author = members.find(({ index }) => index === sender)
  if (author === undefined) throw new MismatchError(`no private keys of sender ${sender}`)
  // createUpdatePath seals for the epoch after the one it is given.
  const before = { ...context, epoch: context.epoch - 1n }
  const made = await createUpdatePath(tree, sender, before, author.signPrivate, cs)
  const [after, path, secrets] = made
  const last = secrets.at(-1)
  if (last === undefined) throw new MismatchError("an update path without a node")
  const node = toNodeIndex(last.nodeIndex)
  const commitSecret = await getCommitSecret(after, node, last.secret, cs.kdf)
  const merged = await applyUpdatePath(tree, sender, path, cs.hash)
  const [ours, theirs] = [await treeHashRoot(after, cs.hash), await treeHashRoot(merged, cs.hash)]
  same("tree of an own path", theirs, ours)
  for (const member of othersThan(sender, group)) {
    const read = await readPath(path, merged, sender, member, group)
    same(`own commit secret at ${member.index}`, read.commitSecret, commitSecret)
  }
}

const othersThan = (sender: LeafIndex, { members }: Group) =>
  members.filter(({ index }) => index !== sender)

/** What one member gets out of a path: the path secret sealed to it, and the commit secret that follows. */
async function readPath(
  path: UpdatePath,
  after: RatchetTree,
  sender: LeafIndex,
  member: Member,
  { cs, tree, context }: Group,
): Promise<{ pathSecret: Bytes; commitSecret: Bytes }> {
  const about = { ...context, treeHash: await treeHashRoot(after, cs.hash) }
  const read = await applyUpdatePathSecret(tree, member.keys, sender, about, path, [], cs)
  const node = toNodeIndex(read.nodeIndex)
  return {
    pathSecret: read.pathSecret,
    commitSecret: await getCommitSecret(after, node, read.pathSecret, cs.kdf),
  }
}
