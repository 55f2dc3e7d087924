/** The keeper of an open identity, wired to the directory: what it makes is published, and stays so until the node stops. */
import { primitives } from "#primitives"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { type Directory, DirectoryError, type Publication } from "./directory.ts"
import { systemClock } from "./clock.ts"
import { IdentityKeeper } from "./identity-keeper.ts"
import type { OpenIdentity } from "./profile-identity.ts"

export interface KeepParts {
  readonly opened: OpenIdentity
  readonly directory: Directory
  readonly isRestored: boolean
  /** After the new card was handed to the directory. */
  readonly onCard: () => void
  readonly onFault: (error: unknown) => void
}

/** Publishes the card and the offers, and goes on doing so with every change. Stop it before the directory. */
export function keepIdentity(parts: KeepParts): IdentityKeeper {
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
    publish({ card, sequence, kind: "card", composite: composite?.lastResort.public ?? null })
  }
  // What is asked of the mesh is only whether it knows another card.
  const recall = (hash: Bytes) => {
    const { card } = opened.identity
    return Promise.resolve(equal(primitives.sha3_256(card), hash) ? card : undefined)
  }
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
    },
    onOffer: ({ offer, sequence, kind }) => publish({ card: offer, sequence, kind }),
    onFault,
  })
  publishCard()
  void keeper.start()
  return keeper
}
