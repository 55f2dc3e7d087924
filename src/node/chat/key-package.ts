/** Whose key package this is, as far as their card can tell. */
import { addressBytes } from "../../crypto/address.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { type Card, isLeafOf } from "../../crypto/card.ts"
import { inspectKeyPackage, type KeyPackageVerdict } from "../../crypto/session.ts"

export type SoundKeyPackage = Extract<KeyPackageVerdict, { verdict: "accept" }>

/** What a key package says, when it can be used now and is under a leaf key, of either kind, that this card names as its owner's. */
export async function keyPackageOf(
  card: Card,
  bytes: Bytes,
  nowSeconds: number,
): Promise<SoundKeyPackage | undefined> {
  const verdict = await inspectKeyPackage(bytes, nowSeconds)
  const isTheirs =
    verdict.verdict === "accept" &&
    isLeafOf(card, verdict.signatureKey) &&
    equal(verdict.identity, addressBytes(card.address))
  return isTheirs ? verdict : undefined
}
