/**
 * The key behind a peer id: random, one per installation, and nothing to do with the identity of whoever uses it (DESIGN §1). It
 * lies in the profile as `peer.key`, mode 0600, unencrypted: a headless peer starts without a passphrase, and stealing it lets
 * somebody pose as this carrier of envelopes, not as a person.
 */
import { chmod } from "node:fs/promises"
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys"
import type { PrivateKey } from "@libp2p/interface"
import { StoreError } from "../store/errors.ts"
import { readIfThere, writeWhole } from "../store/whole-file.ts"

/** A key that lives as long as the process. */
export const newPeerKey = (): Promise<PrivateKey> => generateKeyPair("Ed25519")

/** Reads the key at `path`, or makes one there. Throws StoreError STORE_DAMAGED when there is a file that is no key. */
export async function peerKeyAt(path: string): Promise<PrivateKey> {
  const stored = await readIfThere(path)
  if (stored === undefined) {
    const key = await newPeerKey()
    await writeWhole(path, privateKeyToProtobuf(key))
    return key
  }
  await chmod(path, 0o600)
  try {
    const key = privateKeyFromProtobuf(stored)
    if (key.type === "Ed25519") return key
  } catch (cause) {
    throw new StoreError("STORE_DAMAGED", "the peer key file is damaged", { cause })
  }
  throw new StoreError("STORE_DAMAGED", "the peer key is not an Ed25519 key")
}
