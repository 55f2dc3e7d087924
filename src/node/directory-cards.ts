/**
 * Cards and one-time key packages by way of the directory: what is found is believed only when it is this address's own, and signed by
 * its roots, or by the leaf key that such a card names. A card's signatures are verified once, and remembered by its hash.
 */
import { type Address, addressBytes } from "../crypto/address.ts"
import { primitives } from "#primitives"
import { type Bytes, equal, toHex, utf8 } from "../crypto/bytes.ts"
import { type Card, verifyCard } from "../crypto/card.ts"
import { CryptoError } from "../crypto/errors.ts"
import { decodeOffer } from "../crypto/one-time.ts"
import { inspectKeyPackage } from "../crypto/session.ts"
import { systemClock } from "./clock.ts"
import { type Directory, DirectoryError, directoryServices, type FindOptions } from "./directory.ts"
import type { NetworkParts } from "./network.ts"
import type { Store } from "./store.ts"

/** Cards whose signatures were verified; the oldest is forgotten, and verified again. */
const VERIFIED_MAX = 256
const OFFER_DEADLINE_MS = 5_000
const verified = new Map<string, Card>()

/** Throws as `verifyCard` does. SHA3-256 of 35 KB costs a tenth of the signatures. */
function verifiedOnce(bytes: Bytes): Card {
  const name = toHex(primitives.sha3_256(bytes))
  const known = verified.get(name)
  if (known !== undefined) return known
  const card = verifyCard(bytes)
  verified.set(name, card)
  const oldest = verified.size > VERIFIED_MAX ? verified.keys().next().value : undefined
  if (oldest !== undefined) verified.delete(oldest)
  return card
}

/** The card, when these bytes are this address's and both its signatures verify. */
export function soundCard(address: Address, bytes: Bytes): Card | undefined {
  try {
    const card = verifiedOnce(bytes)
    return equal(addressBytes(card.address), addressBytes(address)) ? card : undefined
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

export async function findCard(
  directory: Directory,
  address: Address,
  options: FindOptions,
): Promise<Card | undefined> {
  const found = await directory.lookup(address, options)
  return found === "NOT_FOUND" ? undefined : soundCard(address, found.card)
}

/**
 * The key package to add this card's owner with: one of those on offer, picked at random, or the card's last-resort one when there is
 * none that is theirs and valid. Who can pick the same one is anybody else who looks at this moment; the owner bears that.
 */
export async function findKeyPackage(
  directory: Directory,
  card: Card,
  nowSeconds: number,
  signal: AbortSignal,
): Promise<Bytes> {
  const offer = await findOffer(directory, card.address, signal)
  const packages = offer === undefined ? [] : decodeOffer(offer).packages
  return (await pickFrom(packages, card, nowSeconds)) ?? card.lastResort
}

/** The encoded offer, sound in form; `undefined` when there is none, or none in time: a first contact does not wait for it. */
async function findOffer(
  directory: Directory,
  address: Address,
  caller: AbortSignal,
): Promise<Bytes | undefined> {
  const signal = AbortSignal.any([caller, AbortSignal.timeout(OFFER_DEADLINE_MS)])
  try {
    // Asked for anew each time: an offer of five minutes ago may be used up.
    const found = await directory.lookup(address, { signal, kind: "offer", fresh: true })
    return found === "NOT_FOUND" ? undefined : found.card
  } catch (error) {
    const isLate = signal.aborted && !caller.aborted
    if (isLate || (error instanceof DirectoryError && error.code === "BUSY")) return undefined
    throw error
  }
}

/** One of the sound packages of an offer, at random. */
export async function pickFrom(
  packages: readonly Bytes[],
  card: Card,
  nowSeconds: number,
): Promise<Bytes | undefined> {
  const left = [...packages]
  while (left.length > 0) {
    const [at = 0] = primitives.randomBytes(1)
    // 256 is far more than an offer holds: the bias is small, and nothing rests on it
    const [picked] = left.splice(at % left.length, 1)
    if (picked !== undefined && (await isTheirs(picked, card, nowSeconds))) return picked
  }
  return undefined
}

async function isTheirs(bytes: Bytes, card: Card, nowSeconds: number): Promise<boolean> {
  const verdict = await inspectKeyPackage(bytes, nowSeconds)
  return (
    verdict.verdict === "accept" &&
    !verdict.lastResort &&
    equal(verdict.signatureKey, card.leaf) &&
    equal(verdict.identity, addressBytes(card.address))
  )
}

/** The directory's services for the transport. Its records and marks lie in the mesh table: public, like everything there. */
export function directoryServicesIn(
  store: Store,
  meshId: Bytes,
): NonNullable<NetworkParts["services"]> {
  const keyOf = (key: string) => utf8(`directory ${key}`)
  const shelf = {
    get: (key: string) => store.get("mesh", keyOf(key)),
    put: (key: string, value: Bytes | undefined) =>
      store.batch([{ table: "mesh", key: keyOf(key), value }]),
  }
  const services = directoryServices({ meshId, store: shelf, clock: systemClock })
  // libp2p's types cannot know that what kad-dht needs (ping) is among the transport's own services.
  return services as unknown as NonNullable<NetworkParts["services"]>
}
