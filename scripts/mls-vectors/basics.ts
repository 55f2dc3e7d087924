/**
 * Vectors of MLS's smallest parts (RFC 9420): labelled primitives (§5), the secret tree (§9), the key schedule and pre-shared keys
 * (§8), transcript hashes (§8.2) and tree arithmetic (appendix C). Each function checks one vector and throws MismatchError.
 */
import type { CiphersuiteImpl, GroupContext } from "ts-mls"
import { decodeAuthenticatedContent } from "ts-mls/authenticatedContent.js"
import { refhash } from "ts-mls/crypto/hash.js"
import { decryptWithLabel, encryptWithLabel } from "ts-mls/crypto/hpke.js"
import { deriveSecret, deriveTreeSecret, expandWithLabel } from "ts-mls/crypto/kdf.js"
import { signWithLabel, verifyWithLabel } from "ts-mls/crypto/signature.js"
import { encodeGroupContext } from "ts-mls/groupContext.js"
import { initializeEpoch, mlsExporter } from "ts-mls/keySchedule.js"
import { accumulatePskSecret } from "ts-mls/pskIndex.js"
import { createSecretTree, deriveKey, deriveNonce, ratchetUntil } from "ts-mls/secretTree.js"
import { expandSenderDataKey, expandSenderDataNonce } from "ts-mls/sender.js"
import { createConfirmedHash, createInterimHash } from "ts-mls/transcriptHash.js"
import * as math from "ts-mls/treemath.js"
import { decodeWhole, Fields, holds, MismatchError, same } from "./fields.ts"

export async function cryptoBasics(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const { hash, kdf, signature, hpke } = cs
  const ref = vector.record("ref_hash")
  same("RefHash", await refhash(ref.text("label"), ref.bytes("value"), hash), ref.bytes("out"))

  const expand = vector.record("expand_with_label")
  const length = expand.number("length")
  const expanded = await expandWithLabel(
    expand.bytes("secret"),
    expand.text("label"),
    expand.bytes("context"),
    length,
    kdf,
  )
  same("ExpandWithLabel", expanded, expand.bytes("out"))

  const derive = vector.record("derive_secret")
  const derived = await deriveSecret(derive.bytes("secret"), derive.text("label"), kdf)
  same("DeriveSecret", derived, derive.bytes("out"))

  const tree = vector.record("derive_tree_secret")
  const treeSecret = await deriveTreeSecret(
    tree.bytes("secret"),
    tree.text("label"),
    tree.number("generation"),
    tree.number("length"),
    kdf,
  )
  same("DeriveTreeSecret", treeSecret, tree.bytes("out"))

  const sign = vector.record("sign_with_label")
  const [key, label, content] = [sign.bytes("pub"), sign.text("label"), sign.bytes("content")]
  const published = sign.bytes("signature")
  const own = await signWithLabel(sign.bytes("priv"), label, content, signature)
  for (const each of [published, own])
    holds("VerifyWithLabel", await verifyWithLabel(key, label, content, each, signature))

  await encryptedWithLabel(vector.record("encrypt_with_label"), hpke)
}

async function encryptedWithLabel(vector: Fields, hpke: CiphersuiteImpl["hpke"]): Promise<void> {
  const [label, context] = [vector.text("label"), vector.bytes("context")]
  const plaintext = vector.bytes("plaintext")
  const key = await hpke.importPrivateKey(vector.bytes("priv"))
  const to = await hpke.importPublicKey(vector.bytes("pub"))
  const own = await encryptWithLabel(to, label, context, plaintext, hpke)
  const published = { enc: vector.bytes("kem_output"), ct: vector.bytes("ciphertext") }
  for (const { enc, ct } of [published, own])
    same("DecryptWithLabel", await decryptWithLabel(key, label, context, enc, ct, hpke), plaintext)
}

/** Steps over which a ratchet may be asked for a key; the published vectors go to generation 15. */
const RATCHET = {
  retainKeysForGenerations: 0,
  maximumForwardRatchetSteps: 1000,
  retainKeysForEpochs: 0,
}

export async function secretTree(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const data = vector.record("sender_data")
  const [secret, sample] = [data.bytes("sender_data_secret"), data.bytes("ciphertext")]
  same("sender data key", await expandSenderDataKey(cs, secret, sample), data.bytes("key"))
  same("sender data nonce", await expandSenderDataNonce(cs, secret, sample), data.bytes("nonce"))

  const leaves = vector.list("leaves") as readonly (readonly unknown[])[]
  const tree = await createSecretTree(leaves.length, vector.bytes("encryption_secret"), cs.kdf)
  for (const [leaf, generations] of leaves.entries()) {
    const node = tree[math.leafToNodeIndex(math.toLeafIndex(leaf))]
    if (node === undefined) throw new MismatchError(`no secret at leaf ${leaf}`)
    for (const each of generations) await ratcheted(node, new Fields(each), cs)
  }
}

async function ratcheted(
  node: Awaited<ReturnType<typeof createSecretTree>>[number],
  vector: Fields,
  cs: CiphersuiteImpl,
): Promise<void> {
  const generation = vector.number("generation")
  for (const kind of ["handshake", "application"] as const) {
    const [at] = await ratchetUntil(node[kind], generation, RATCHET, cs.kdf)
    const key = await deriveKey(at.secret, generation, cs)
    const nonce = await deriveNonce(at.secret, generation, cs)
    same(`${kind} key`, key, vector.bytes(`${kind}_key`))
    same(`${kind} nonce`, nonce, vector.bytes(`${kind}_nonce`))
  }
}

export async function keySchedule(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  let init = vector.bytes("initial_init_secret")
  for (const [index, epoch] of vector.records("epochs").entries()) {
    const context: GroupContext = {
      version: "mls10",
      cipherSuite: cs.name,
      groupId: vector.bytes("group_id"),
      epoch: BigInt(index),
      treeHash: epoch.bytes("tree_hash"),
      confirmedTranscriptHash: epoch.bytes("confirmed_transcript_hash"),
      extensions: [],
    }
    same("group context", encodeGroupContext(context), epoch.bytes("group_context"))
    const commit = epoch.bytes("commit_secret")
    const psk = epoch.bytes("psk_secret")
    const made = await initializeEpoch(init, commit, context, psk, cs.kdf)
    const { keySchedule: keys } = made
    same("joiner_secret", made.joinerSecret, epoch.bytes("joiner_secret"))
    same("welcome_secret", made.welcomeSecret, epoch.bytes("welcome_secret"))
    const named = {
      init_secret: keys.initSecret,
      sender_data_secret: keys.senderDataSecret,
      encryption_secret: made.encryptionSecret,
      exporter_secret: keys.exporterSecret,
      epoch_authenticator: keys.epochAuthenticator,
      external_secret: keys.externalSecret,
      confirmation_key: keys.confirmationKey,
      membership_key: keys.membershipKey,
      resumption_psk: keys.resumptionPsk,
    }
    for (const [name, value] of Object.entries(named)) same(name, value, epoch.bytes(name))
    const { publicKey } = await cs.hpke.deriveKeyPair(keys.externalSecret)
    same("external_pub", await cs.hpke.exportPublicKey(publicKey), epoch.bytes("external_pub"))
    const asked = epoch.record("exporter")
    const [label, about] = [asked.text("label"), asked.bytes("context")]
    const exported = await mlsExporter(
      keys.exporterSecret,
      label,
      about,
      asked.number("length"),
      cs,
    )
    same("exporter", exported, asked.bytes("secret"))
    init = keys.initSecret
  }
}

export async function pskSecret(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const psks = vector.records("psks")
  const ids = psks.map((psk) => ({
    psktype: "external" as const,
    pskId: psk.bytes("psk_id"),
    pskNonce: psk.bytes("psk_nonce"),
  }))
  const index = {
    findPsk: (id: unknown) => psks[ids.findIndex((each) => each === id)]?.bytes("psk"),
  }
  const [secret] = await accumulatePskSecret(ids, index, cs, new Uint8Array(cs.kdf.size))
  same("psk_secret", secret, vector.bytes("psk_secret"))
}

export async function transcriptHashes(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const bytes = vector.bytes("authenticated_content")
  const { wireformat, content, auth } = decodeWhole(
    "authenticated_content",
    decodeAuthenticatedContent,
    bytes,
  )
  if (content.contentType !== "commit" || auth.contentType !== "commit")
    throw new MismatchError("authenticated_content is no commit")
  const after = vector.bytes("confirmed_transcript_hash_after")
  const key = vector.bytes("confirmation_key")
  holds("confirmation tag", await cs.hash.verifyMac(key, auth.confirmationTag, after))
  const before = vector.bytes("interim_transcript_hash_before")
  const input = { wireformat, content, signature: auth.signature }
  const confirmed = await createConfirmedHash(before, input, cs.hash)
  same("confirmed transcript hash", confirmed, after)
  const interim = await createInterimHash(confirmed, auth.confirmationTag, cs.hash)
  same("interim transcript hash", interim, vector.bytes("interim_transcript_hash_after"))
}

export function treeMath(vector: Fields): void {
  const leaves = vector.number("n_leaves")
  const nodes = vector.number("n_nodes")
  holds("n_nodes", math.nodeWidth(leaves) === nodes)
  holds("root", math.root(leaves) === vector.number("root"))
  const steps = {
    left: (node: number) => math.left(math.toNodeIndex(node)),
    right: (node: number) => math.right(math.toNodeIndex(node)),
    parent: (node: number) => math.parent(math.toNodeIndex(node), leaves),
    sibling: (node: number) => math.sibling(math.toNodeIndex(node), leaves),
  }
  for (const [name, step] of Object.entries(steps))
    for (const [node, published] of vector.list(name).entries())
      if (published !== null) holds(`${name} of ${node}`, step(node) === published)
}
