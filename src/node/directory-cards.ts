/**
 * Cards and one-time key packages by way of the directory: what is found is believed only when it is this address's own, and signed by
 * its roots, or by the leaf key that such a card names. A card's signatures are verified once, and remembered by its hash.
 */
import { type Address, addressBytes } from "../crypto/address.ts"
import { primitives } from "#primitives"
import type { RecordKind } from "../crypto/blinding.ts"
import { type Bytes, equal, toHex, utf8 } from "../crypto/bytes.ts"
import { type Card, verifyCard } from "../crypto/card.ts"
import { CryptoError } from "../crypto/errors.ts"
import { decodeOffer } from "../crypto/one-time.ts"
import { keyPackageSigning, type Signing } from "../crypto/session.ts"
import { keyPackageOf } from "./chat-key-package.ts"
import { systemClock } from "./clock.ts"
import { type Directory, DirectoryError, directoryServices, type FindOptions } from "./directory.ts"
import type { NetworkParts } from "./network-parts.ts"
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
 * The key package to add this card's owner with, to a group that signs so: one of those on offer, picked at random, or the last-resort one
 * when there is none that is theirs and valid: the card's own, or for composite signatures the one on offer, so that `undefined` says
 * that none was found. Who can pick the same one is anybody else who looks at this moment; the owner bears that.
 */
export async function findKeyPackage(
  directory: Directory,
  card: Card,
  signing: Signing,
  nowSeconds: number,
  signal: AbortSignal,
): Promise<Bytes | undefined> {
  if (signing === "composite" && card.compositeLeaf === null) return undefined
  const kind = signing === "composite" ? "composite-offer" : "offer"
  const offer = await findOffer(directory, card.address, kind, signal)
  const offered = offer === undefined ? [] : decodeOffer(offer).packages
  const packages = offered.filter((each) => keyPackageSigning(each) === signing)
  return (
    (await pickFrom(packages, card, nowSeconds)) ??
    (signing === "composite" ? pickFrom(packages, card, nowSeconds, true) : card.lastResort)
  )
}

/** The encoded offer, sound in form; `undefined` when there is none, or none in time: a first contact does not wait for it. */
async function findOffer(
  directory: Directory,
  address: Address,
  kind: Exclude<RecordKind, "card">,
  caller: AbortSignal,
): Promise<Bytes | undefined> {
  const signal = AbortSignal.any([caller, AbortSignal.timeout(OFFER_DEADLINE_MS)])
  try {
    // Asked for anew each time: an offer of five minutes ago may be used up.
    const found = await directory.lookup(address, { signal, kind, fresh: true })
    return found === "NOT_FOUND" ? undefined : found.card
  } catch (error) {
    const isLate = signal.aborted && !caller.aborted
    if (isLate || (error instanceof DirectoryError && error.code === "BUSY")) return undefined
    throw error
  }
}

/** One of the sound packages of an offer, at random: of those for one use, or of the last-resort ones. */
export async function pickFrom(
  packages: readonly Bytes[],
  card: Card,
  nowSeconds: number,
  lastResort = false,
): Promise<Bytes | undefined> {
  const left = [...packages]
  while (left.length > 0) {
    const [at = 0] = primitives.randomBytes(1)
    // 256 is far more than an offer holds: the bias is small, and nothing rests on it
    const [picked] = left.splice(at % left.length, 1)
    const theirs = picked && (await keyPackageOf(card, picked, nowSeconds))
    if (theirs?.lastResort === lastResort) return picked
  }
  return undefined
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
