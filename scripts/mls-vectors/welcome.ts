/**
 * Vectors of the Welcome (RFC 9420 §12.4.3.1): the new member finds its secrets, opens them and the group info, and checks the signature
 * and the confirmation tag in it. The passive clients' vectors go on from there.
 */
import { type CiphersuiteImpl, decodeMlsMessage } from "ts-mls"
import { verifyGroupInfoConfirmationTag, verifyGroupInfoSignature } from "ts-mls/groupInfo.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"
import { decryptGroupInfo, decryptGroupSecrets } from "ts-mls/welcome.js"
import { encryptionPair } from "./context.ts"
import { decodeWhole, type Fields, holds, MismatchError } from "./fields.ts"

export async function welcome(vector: Fields, cs: CiphersuiteImpl): Promise<void> {
  const packaged = decodeWhole("key_package", decodeMlsMessage, vector.bytes("key_package"))
  const message = decodeWhole("welcome", decodeMlsMessage, vector.bytes("welcome"))
  if (packaged.wireformat !== "mls_key_package" || message.wireformat !== "mls_welcome")
    throw new MismatchError("no key package or no Welcome")
  const { keyPackage } = packaged
  const initPrivate = vector.bytes("init_priv")
  await encryptionPair("init_priv", keyPackage.initKey, initPrivate, cs)

  const key = await cs.hpke.importPrivateKey(initPrivate)
  const ref = await makeKeyPackageRef(keyPackage, cs.hash)
  const secrets = await decryptGroupSecrets(key, ref, message.welcome, cs.hpke)
  if (secrets === undefined) throw new MismatchError("the group secrets do not decode")
  const noPsk = new Uint8Array(cs.kdf.size)
  holds("no pre-shared key", secrets.psks.length === 0)
  const info = await decryptGroupInfo(message.welcome, secrets.joinerSecret, noPsk, cs)
  if (info === undefined) throw new MismatchError("the group info does not decode")

  const signed = await verifyGroupInfoSignature(info, vector.bytes("signer_pub"), cs.signature)
  holds("signature of the group info", signed)
  const confirmed = await verifyGroupInfoConfirmationTag(info, secrets.joinerSecret, noPsk, cs)
  holds("confirmation tag", confirmed)
}
