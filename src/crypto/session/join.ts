/**
 * Joining from a Welcome (RFC 9420 §12.4.3.1), in the RFC's order, over the parts of ts-mls: its own `joinGroup` believes the tree
 * too much and sound trees too little (tree.ts). A Welcome comes from anyone who knows our key package, so whatever is wrong with
 * it is a verdict. No pre-shared keys, no group context extensions but our own, the ratchet tree always inside.
 */
import {
  type CiphersuiteImpl,
  type ClientState,
  type GroupInfo,
  type KeyPackage,
  type PrivateKeyPackage,
  type RatchetTree,
  type Welcome,
} from "ts-mls"
import { ratchetTreeFromExtension, verifyGroupInfoConfirmationTag } from "ts-mls/groupInfo.js"
import { verifyGroupInfoSignature } from "ts-mls/groupInfo.js"
import type { GroupSecrets } from "ts-mls/groupSecrets.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"
import { deriveKeySchedule } from "ts-mls/keySchedule.js"
import { pathToRoot } from "ts-mls/pathSecrets.js"
import { mergePrivateKeyPaths, toPrivateKeyPath } from "ts-mls/privateKeyPath.js"
import { findLeafIndex, getHpkePublicKey } from "ts-mls/ratchetTree.js"
import { createSecretTree } from "ts-mls/secretTree.js"
import { leafWidth, toLeafIndex } from "ts-mls/treemath.js"
import { firstCommonAncestor } from "ts-mls/updatePath.js"
import { decryptGroupInfo, decryptGroupSecrets } from "ts-mls/welcome.js"
import { type Bytes, equal } from "../bytes.ts"
import { aboutIn } from "./about.ts"
import { decodeMessage } from "./codec.ts"
import type { Member } from "./credential.ts"
import { type IgnoreCode, SessionError } from "./errors.ts"
import { importHybridPrivate } from "./kem.ts"
import { decodeKeyPackage, decodePrivateKeyPackage, type KeyPackagePair } from "./keypackage.ts"
import { GROUP_ID_MAX_BYTES, WELCOME_MAX_BYTES } from "./limits.ts"
import { config, copyMember, leafAt, memberOf, type SessionState, wrap } from "./state.ts"
import { signaturePublicOf } from "./signature.ts"
import { signingNamed, suiteNamed } from "./suite.ts"
import { isSoundTree } from "./tree.ts"

export type Joined =
  /** `inviter`: who made the commit that added us, and signed what we were told of the group. */
  | { readonly kind: "joined"; readonly state: SessionState; readonly inviter: Member }
  | { readonly kind: "ignored"; readonly code: IgnoreCode }

const NO_PSK = new Uint8Array(32)

/** References of the key packages a Welcome is for (see `inspectKeyPackage`); none when it is not a Welcome. */
export function welcomeRecipients(welcome: Bytes): Bytes[] {
  const decoded = decodeWelcome(welcome)
  return typeof decoded === "string"
    ? []
    : decoded.secrets.map(({ newMember }) => newMember.slice())
}

/**
 * The group that a Welcome invites to. Throws SessionError BAD_KEY_PACKAGE or BAD_PRIVATE_KEY_PACKAGE when the pair is not one
 * of ours; never for what the Welcome holds.
 */
export async function joinFromWelcome(welcome: Bytes, pair: KeyPackagePair): Promise<Joined> {
  const own = ownKeyPackage(pair)
  const decoded = decodeWelcome(welcome)
  if (typeof decoded === "string") return { kind: "ignored", code: decoded }
  try {
    const joined = await join(decoded, own)
    return typeof joined === "string"
      ? { kind: "ignored", code: joined }
      : { kind: "joined", state: wrap(joined.state), inviter: copyMember(joined.inviter) }
  } catch {
    // ts-mls and the suite throw for what does not decrypt or decode: the sender's doing, whatever it was.
    return { kind: "ignored", code: "NOT_AUTHENTIC" }
  }
}

interface OwnKeyPackage {
  readonly shown: KeyPackage
  readonly kept: PrivateKeyPackage
}

function ownKeyPackage(pair: KeyPackagePair): OwnKeyPackage {
  const shown = decodeKeyPackage(pair.public)
  if (typeof shown === "string")
    throw new SessionError("BAD_KEY_PACKAGE", `own key package: ${shown}`)
  const signing = signingNamed(shown.cipherSuite)
  if (signing === undefined) throw new SessionError("BAD_KEY_PACKAGE", "of another suite")
  const kept = decodePrivateKeyPackage(pair.private, signing)
  const belongs =
    equal(importHybridPrivate(kept.initPrivateKey).publicRaw, shown.initKey) &&
    equal(importHybridPrivate(kept.hpkePrivateKey).publicRaw, shown.leafNode.hpkePublicKey) &&
    equal(signaturePublicOf(kept.signaturePrivateKey), shown.leafNode.signaturePublicKey)
  if (!belongs) throw new SessionError("BAD_PRIVATE_KEY_PACKAGE", "not of this key package")
  return { shown, kept }
}

function decodeWelcome(bytes: Bytes): Welcome | IgnoreCode {
  if (bytes.length > WELCOME_MAX_BYTES) return "TOO_LARGE"
  const message = decodeMessage(bytes)
  if (message === undefined) return "MALFORMED"
  if (message.wireformat !== "mls_welcome") return "UNEXPECTED_KIND"
  return signingNamed(message.welcome.cipherSuite) === undefined ? "OTHER_SUITE" : message.welcome
}

interface Entered {
  readonly state: ClientState
  readonly inviter: Member
}

async function join(welcome: Welcome, own: OwnKeyPackage): Promise<Entered | IgnoreCode> {
  const suite = suiteNamed(own.shown.cipherSuite)
  if (welcome.cipherSuite !== suite.name) return "NOT_FOR_US"
  const reference = await makeKeyPackageRef(own.shown, suite.hash)
  if (!welcome.secrets.some(({ newMember }) => equal(newMember, reference))) return "NOT_FOR_US"
  const initKey = await suite.hpke.importPrivateKey(own.kept.initPrivateKey)
  const secrets = await decryptGroupSecrets(initKey, reference, welcome, suite.hpke)
  if (secrets === undefined || secrets.psks.length > 0) return "MALFORMED"
  const info = await decryptGroupInfo(welcome, secrets.joinerSecret, NO_PSK, suite)
  if (info === undefined) return "MALFORMED"
  if (info.groupContext.cipherSuite !== suite.name) return "OTHER_SUITE"
  const tree = ratchetTreeFromExtension(info)
  if (tree === undefined || !(await isSoundTree(tree, info.groupContext))) return "BAD_TREE"
  const objection = await objectionTo(info, tree, secrets, suite)
  if (objection !== undefined) return objection
  const inviter = memberOf(tree, info.signer)
  if (inviter === undefined) return "BAD_TREE"
  const state = await enter(info, tree, secrets, own)
  return typeof state === "string" ? state : { state, inviter }
}

/** What the signer says about the group, and whether it was they who said it. */
async function objectionTo(
  info: GroupInfo,
  tree: RatchetTree,
  secrets: GroupSecrets,
  suite: CiphersuiteImpl,
): Promise<IgnoreCode | undefined> {
  const { groupContext, signer } = info
  const isOurs =
    aboutIn(groupContext.extensions) !== undefined &&
    groupContext.groupId.length <= GROUP_ID_MAX_BYTES
  if (!isOurs) return "UNEXPECTED_KIND"
  const inviter = leafAt(tree, signer)
  if (inviter === undefined) return "BAD_TREE"
  const authentic =
    (await verifyGroupInfoSignature(info, inviter.signaturePublicKey, suite.signature)) &&
    (await verifyGroupInfoConfirmationTag(info, secrets.joinerSecret, NO_PSK, suite))
  return authentic ? undefined : "NOT_AUTHENTIC"
}

async function enter(
  info: GroupInfo,
  tree: RatchetTree,
  secrets: GroupSecrets,
  own: OwnKeyPackage,
): Promise<ClientState | IgnoreCode> {
  const suite = suiteNamed(own.shown.cipherSuite)
  const leaf = findLeafIndex(tree, own.shown.leafNode)
  if (leaf === undefined || leaf === info.signer) return "NOT_FOR_US"
  const leafPath = { leafIndex: leaf, privateKeys: { [2 * leaf]: own.kept.hpkePrivateKey } }
  const path =
    secrets.pathSecret === undefined
      ? undefined
      : await pathKeys(info, tree, leaf, secrets.pathSecret, suite)
  if (path !== undefined && !holdsPublicKeys(tree, path.privateKeys)) return "BAD_TREE"
  const { groupContext, confirmationTag } = info
  const [keySchedule, encryptionSecret] = await deriveKeySchedule(
    secrets.joinerSecret,
    NO_PSK,
    groupContext,
    suite.kdf,
  )
  return {
    groupContext,
    ratchetTree: tree,
    privatePath: path === undefined ? leafPath : mergePrivateKeyPaths(path, leafPath),
    signaturePrivateKey: own.kept.signaturePrivateKey,
    confirmationTag,
    unappliedProposals: {},
    keySchedule,
    secretTree: await createSecretTree(leafWidth(tree.length), encryptionSecret, suite.kdf),
    historicalReceiverData: new Map(),
    groupActiveState: { kind: "active" },
    clientConfig: config,
  }
}

/** Private keys of the parents that we and the committer share. */
async function pathKeys(
  info: GroupInfo,
  tree: RatchetTree,
  leaf: number,
  secret: Bytes,
  suite: CiphersuiteImpl,
) {
  const ancestor = firstCommonAncestor(tree, toLeafIndex(leaf), toLeafIndex(info.signer))
  const secrets = await pathToRoot(tree, ancestor, secret, suite.kdf)
  return toPrivateKeyPath(secrets, leaf, suite)
}

function holdsPublicKeys(tree: RatchetTree, privateKeys: Record<number, Bytes>): boolean {
  return Object.entries(privateKeys).every(([index, seed]) => {
    const node = tree[Number(index)]
    return node !== undefined && equal(importHybridPrivate(seed).publicRaw, getHpkePublicKey(node))
  })
}
