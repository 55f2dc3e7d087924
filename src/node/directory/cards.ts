/**
 * Cards and one-time key packages by way of the directory: what is found is believed only when it is this address's own, and signed by
 * its roots, or by the leaf key that such a card names. A card's signatures are verified once, and remembered by its hash.
 */
import { type Address, addressBytes } from "../../crypto/address.ts"
import { primitives } from "#primitives"
import { type Bytes, equal, toHex, utf8 } from "../../crypto/bytes.ts"
import { type Card, verifyCard } from "../../crypto/card.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { Signing } from "../../crypto/session.ts"
import { keyPackageOf } from "../chat/key-package.ts"
import { type Clock, systemClock } from "../clock.ts"
import { type Directory, DirectoryError, directoryServices, type FindOptions } from "./directory.ts"
import type { NetworkParts } from "../network/parts.ts"
import { takeKeyPackage } from "../packages/finder.ts"
import type { PackageKeepers } from "../packages/keepers.ts"
import type { Store } from "../store/store.ts"

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

/** Where key packages come from. */
export interface PackageSources {
  readonly directory: Directory
  readonly packages: Pick<PackageKeepers, "nearest" | "take">
  readonly clock: Clock
}

/**
 * The key package to add this card's owner with, to a group that signs so: a one-time one that nobody else is given, or the last-resort
 * one when none is found: the card's own, or for composite signatures the one that was published with the card, so that `undefined` says
 * that there is none.
 */
export async function findKeyPackage(
  { directory, packages, clock }: PackageSources,
  card: Card,
  signing: Signing,
  signal: AbortSignal,
): Promise<Bytes | undefined> {
  if (signing === "composite" && card.compositeLeaf === null) return undefined
  const taken = await takeKeyPackage({ keepers: packages, clock }, card, signing, signal)
  if (taken !== undefined || signing !== "composite") return taken ?? card.lastResort
  return await compositeLastResort(directory, card, Math.floor(clock.nowMs() / 1000), signal)
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
  const theirs = beside && (await keyPackageOf(card, beside, nowSeconds))
  return theirs?.lastResort === true ? beside : undefined
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
