/** Cards by way of the directory: what is found is believed only when it is this address's own, and signed by its roots. */
import { type Address, addressBytes } from "../crypto/address.ts"
import { type Bytes, equal, utf8 } from "../crypto/bytes.ts"
import { type Card, verifyCard } from "../crypto/card.ts"
import { CryptoError } from "../crypto/errors.ts"
import { systemClock } from "./clock.ts"
import { type Directory, directoryServices } from "./directory.ts"
import type { NetworkParts } from "./network.ts"
import type { Store } from "./store.ts"

/** The card, when these bytes are this address's and both its signatures verify. */
export function soundCard(address: Address, bytes: Bytes): Card | undefined {
  try {
    const card = verifyCard(bytes)
    return equal(addressBytes(card.address), addressBytes(address)) ? card : undefined
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

export async function findCard(
  directory: Directory,
  address: Address,
  signal: AbortSignal,
): Promise<Card | undefined> {
  const found = await directory.lookup(address, { signal })
  return found === "NOT_FOUND" ? undefined : soundCard(address, found.card)
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
