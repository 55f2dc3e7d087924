/** An open identity, kept: its card is published in the directory and its one-time key packages lie with keepers until the node stops. */
import { primitives } from "#primitives"
import { addressBytes } from "../../crypto/address.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { type Directory, DirectoryError, type Publication } from "../directory/directory.ts"
import { systemClock } from "../clock.ts"
import { IdentityKeeper } from "./identity-keeper.ts"
import type { PackageKeepers } from "../packages/keepers.ts"
import { PackagePools } from "../packages/pools.ts"
import type { OpenIdentity } from "../profile-identity.ts"

export interface KeepParts {
  readonly opened: OpenIdentity
  readonly directory: Directory
  readonly packages: PackageKeepers
  readonly isRestored: boolean
  /** After the new card was handed to the directory. */
  readonly onCard: () => void
  readonly onFault: (error: unknown) => void
}

export interface KeptIdentity {
  readonly keeper: IdentityKeeper
  /** Somebody came or went. */
  peersChanged(): void
  /** Before the directory and the keepers of packages. */
  stop(): Promise<void>
}

/** Publishes the card and gives packages to keepers, and goes on doing so with every change. */
export function keepIdentity(parts: KeepParts): KeptIdentity {
  const { opened, directory, isRestored, onCard, onFault } = parts
  const { keys, records, address } = opened
  const publish = (publication: Omit<Publication, "address" | "seed">) => {
    const seed = opened.identity.roots.ed25519
    directory.publish({ address, seed, ...publication }).catch((error: unknown) => {
      if (!(error instanceof DirectoryError && error.code === "STOPPED")) onFault(error)
    })
  }
  const publishCard = () => {
    const { card, composite, sequence } = opened.identity
    publish({ card, sequence, composite: composite?.lastResort.public ?? null })
  }
  // What is asked of the mesh is only whether it knows another card.
  const recall = (hash: Bytes) => {
    const { card } = opened.identity
    return Promise.resolve(equal(primitives.sha3_256(card), hash) ? card : undefined)
  }
  const pools = new PackagePools({
    ring: keys,
    records,
    address: addressBytes(address),
    keepers: parts.packages,
    clock: systemClock,
    random: Math.random,
    onFault,
  })
  const keeper = new IdentityKeeper({
    ring: keys,
    records,
    clock: systemClock,
    isRestored,
    published: async (signal) => {
      const found = await directory.lookup(address, { signal, fresh: true, recall })
      return found === "NOT_FOUND" ? 0 : found.sequence
    },
    onCard: () => {
      publishCard()
      onCard()
      void pools.refill()
    },
    onOffer: () => pools.onOffer("ed25519"),
    onFault,
  })
  publishCard()
  void keeper.start().then(() => pools.refill())
  return {
    keeper,
    peersChanged: () => pools.peersChanged(),
    async stop() {
      await keeper.stop()
      await pools.stop()
    },
  }
}
