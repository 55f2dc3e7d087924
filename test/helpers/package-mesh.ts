/** Keepers of key packages without a network between: real shelves in memory, and liars where a test wants some. */
import type { TestContext } from "node:test"
import type { Bytes } from "../../src/crypto/bytes.ts"
import type { Signing } from "../../src/crypto/session.ts"
import type { Clock } from "../../src/node/clock.ts"
import type { Lie, PackageKeepers } from "../../src/node/packages/keepers.ts"
import type { PackagesRefusal, Taking } from "../../src/node/packages/messages.ts"
import { PackageShelf } from "../../src/node/packages/shelf.ts"
import { openMemoryStore } from "../../src/node/store/store.ts"
import { StreamError } from "../../src/node/transport/streams.ts"

export const meshId = new Uint8Array(32).fill(0x5a)

/** What one keeper answers; a plain shelf is an honest one. */
export interface Keeping {
  give(handful: Bytes, signing: Signing): Promise<number | PackagesRefusal | Lie>
  take(taking: Taking): Promise<Bytes | undefined>
}

export class PackageMesh {
  /** By peer id, the nearest first; `null` for one that cannot be reached. */
  readonly peers = new Map<string, Keeping | null>()
  /** Every package that was handed out, and by whom. */
  readonly handedOut: { readonly peer: string; readonly sealed: Bytes }[] = []
  /** Handfuls as they were sent. */
  readonly given: { readonly peer: string; readonly handful: Bytes }[] = []
  readonly #t: TestContext
  readonly #clock: Clock

  constructor(t: TestContext, clock: Clock) {
    this.#t = t
    this.#clock = clock
  }

  async honest(...peers: readonly string[]): Promise<void> {
    for (const self of peers) {
      const store = await openMemoryStore()
      this.#t.after(() => store.close())
      this.peers.set(self, await PackageShelf.open({ store, clock: this.#clock, meshId, self }))
    }
  }

  /** The same keepers, seen from one of the peers. */
  from(
    self: string,
  ): Pick<PackageKeepers, "self" | "meshId" | "connected" | "nearest" | "give" | "take"> {
    return {
      self,
      meshId,
      connected: () => [...this.peers].filter(([, at]) => at !== null).map(([peer]) => peer),
      nearest: () => Promise.resolve([...this.peers.keys()]),
      give: (peer, signing, handful) => {
        this.given.push({ peer, handful })
        return this.#at(peer).give(handful, signing)
      },
      take: async (peer, taking) => {
        const sealed = await this.#at(peer).take(taking)
        if (sealed !== undefined) this.handedOut.push({ peer, sealed })
        return { sealed }
      },
    }
  }

  #at(peer: string): Keeping {
    const keeping = this.peers.get(peer)
    if (!keeping) throw new StreamError("NOT_CONNECTED", "it is gone")
    return keeping
  }
}
