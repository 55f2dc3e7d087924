/**
 * Whole stories (RFC 9420 §11, §12): somebody is added by a Welcome and follows every commit of the others; the epoch authenticators
 * must come out as published. All of ts-mls that a member needs takes part: HPKE, tree, TreeKEM, key schedule, transcript, framing.
 */
import {
  acceptAll,
  type CiphersuiteImpl,
  type ClientState,
  decodeMlsMessage,
  joinGroup,
  makePskIndex,
  type MLSMessage,
  processMessage,
} from "ts-mls"
import { defaultAuthenticationService } from "ts-mls/authenticationService.js"
import { defaultKeyPackageEqualityConfig } from "ts-mls/keyPackageEqualityConfig.js"
import { defaultKeyRetentionConfig } from "ts-mls/keyRetentionConfig.js"
import { defaultPaddingConfig } from "ts-mls/paddingConfig.js"
import { decodeRatchetTree } from "ts-mls/ratchetTree.js"
import { type Bytes, fromHex } from "../../src/crypto/bytes.ts"
import { encryptionPair, signatureKey, signaturePair } from "./context.ts"
import { decodeWhole, type Fields, MismatchError, same } from "./fields.ts"

/** The published key packages live for ever, which a client is right to refuse elsewhere. */
const CONFIG = {
  keyRetentionConfig: defaultKeyRetentionConfig,
  lifetimeConfig: { maximumTotalLifetime: 2n ** 64n, validateLifetimeOnReceive: false },
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  paddingConfig: defaultPaddingConfig,
  authService: defaultAuthenticationService,
}

export async function passiveClient(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const psks = Object.fromEntries(
    vector
      .records("external_psks")
      .map((psk) => [Buffer.from(psk.bytes("psk_id")).toString("base64"), psk.bytes("psk")]),
  )
  let state = await joined(vector, psks, cs)
  same(
    "first epoch authenticator",
    authenticatorOf(state),
    vector.bytes("initial_epoch_authenticator"),
  )
  for (const [index, epoch] of vector.records("epochs").entries()) {
    for (const proposal of epoch.list("proposals"))
      state = await after(state, fromHex(String(proposal)), psks, cs)
    state = await after(state, epoch.bytes("commit"), psks, cs)
    same(`epoch authenticator ${index}`, authenticatorOf(state), epoch.bytes("epoch_authenticator"))
  }
}

const authenticatorOf = (state: ClientState) => state.keySchedule.epochAuthenticator

async function joined(
  vector: Fields,
  psks: Record<string, Bytes>,
  cs: CiphersuiteImpl,
): Promise<ClientState> {
  const packaged = messageOf(vector.bytes("key_package"))
  const welcome = messageOf(vector.bytes("welcome"))
  if (packaged.wireformat !== "mls_key_package" || welcome.wireformat !== "mls_welcome")
    throw new MismatchError("no key package or no Welcome")
  const keys = {
    initPrivateKey: vector.bytes("init_priv"),
    hpkePrivateKey: vector.bytes("encryption_priv"),
    signaturePrivateKey: signatureKey(vector, "signature_priv", cs),
  }
  const { initKey, leafNode } = packaged.keyPackage
  await encryptionPair("init_priv", initKey, keys.initPrivateKey, cs)
  await encryptionPair("encryption_priv", leafNode.hpkePublicKey, keys.hpkePrivateKey, cs)
  await signaturePair("signature_priv", leafNode.signaturePublicKey, keys.signaturePrivateKey, cs)
  const tree = vector.has("ratchet_tree")
    ? decodeWhole("ratchet_tree", decodeRatchetTree, vector.bytes("ratchet_tree"))
    : undefined
  const index = makePskIndex(undefined, psks)
  return joinGroup(welcome.welcome, packaged.keyPackage, keys, index, cs, tree, undefined, CONFIG)
}

const messageOf = (bytes: Bytes): MLSMessage => decodeWhole("a message", decodeMlsMessage, bytes)

async function after(
  state: ClientState,
  bytes: Bytes,
  psks: Record<string, Bytes>,
  cs: CiphersuiteImpl,
): Promise<ClientState> {
  const message = messageOf(bytes)
  if (message.wireformat !== "mls_public_message" && message.wireformat !== "mls_private_message")
    throw new MismatchError(`a ${message.wireformat} in an epoch`)
  const { newState } = await processMessage(
    message,
    state,
    makePskIndex(state, psks),
    acceptAll,
    cs,
  )
  return newState
}
