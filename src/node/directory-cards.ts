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
import { keyPackageSigning, type Signing } from "../crypto/session.ts"
import { keyPackageOf } from "./chat-key-package.ts"
import { systemClock } from "./clock.ts"
import { type Directory, DirectoryError, directoryServices, type FindOptions } from "./directory.ts"
import type { NetworkParts } from "./network-parts.ts"
import type { Store } from "./store.ts"

/** Cards whose signatures were verified; the oldest is forgotten, and verified again. */
const VERIFIED_MAX = 256
const PACKAGE_DEADLINE_MS = 5_000
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

/** One whose signatures were verified here, or one that `recall` has, is not fetched. */
export async function findCard(
  directory: Directory,
  address: Address,
  { recall, ...options }: FindOptions,
): Promise<Card | undefined> {
  const remembered = async (hash: Bytes) =>
    verified.get(toHex(hash))?.encoded ?? (await recall?.(hash))
  const found = await directory.lookup(address, { ...options, recall: remembered })
  return found === "NOT_FOUND" ? undefined : soundCard(address, found.card)
}

/**
 * The key package to add this card's owner with, to a group that signs so: one of those on offer, picked at random, or the last-resort one
 * when there is none that is theirs and valid: the card's own, or for composite signatures the one that was published with the card, so
 * that `undefined` says that none was found. Who can pick the same one is anybody else who looks at this moment; the owner bears that.
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
  const offer = await inTime(signal, (until) => directory.lookupOffer(card.address, kind, until))
  const packages = offer === undefined ? [] : decodeOffer(offer.offer).packages
  const offered = packages.filter((each) => keyPackageSigning(each) === signing)
  const picked = await pickFrom(offered, card, nowSeconds)
  if (picked !== undefined || signing !== "composite") return picked ?? card.lastResort
  return await compositeLastResort(directory, card, nowSeconds, signal)
}

/** Published with the card; sound only under the leaf key that the card names. */
async function compositeLastResort(
  directory: Directory,
  card: Card,
  nowSeconds: number,
  signal: AbortSignal,
): Promise<Bytes | undefined> {
  const found = await inTime(signal, (until) =>
    directory.lookup(card.address, { signal: until, atLeast: card.sequence, withPackage: true }),
  )
  const beside = found?.composite ?? undefined
  const packages = beside === undefined ? [] : [beside]
  return await pickFrom(packages, card, nowSeconds, true)
}

/** What the directory finds; `undefined` when there is nothing, or nothing in time: a first contact does not wait for it. */
async function inTime<T>(
  caller: AbortSignal,
  find: (signal: AbortSignal) => Promise<T | "NOT_FOUND">,
): Promise<T | undefined> {
  const signal = AbortSignal.any([caller, AbortSignal.timeout(PACKAGE_DEADLINE_MS)])
  try {
    const found = await find(signal)
    return found === "NOT_FOUND" ? undefined : found
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
