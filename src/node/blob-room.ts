/** Blobs, put together for one peer: its shelf of chunks, where they lie, and the network they come and go by. */
import { join } from "node:path"
import type { KeeperRole } from "./blobs/messages.ts"
import { Blobs } from "./blobs/blobs.ts"
import { ChunkShelf, type ChunkShelfOptions } from "./blobs/chunk-shelf.ts"
import { MemorySlots, openSlotFile } from "./blobs/chunk-slots.ts"
import type { Clock } from "./clock.ts"
import type { Network } from "./network/parts.ts"
import type { Store } from "./store/store.ts"

/** Where chunks lie in memory, fewer of them are kept for others: 64 MiB. */
const MEMORY_CHUNKS_MAX = 256

export interface BlobRoomParts extends ChunkShelfOptions {
  readonly store: Store
  readonly network: Network
  /** Of the profile; without one nothing is written. */
  readonly directory: string | undefined
  readonly role: KeeperRole
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
}

export interface BlobRoom {
  readonly blobs: Blobs
  readonly shelf: ChunkShelf
  /** To be called when the network has stopped. */
  close(): Promise<void>
}

/** Throws StoreError. */
export async function openBlobRoom(parts: BlobRoomParts): Promise<BlobRoom> {
  const { directory, network } = parts
  const slots =
    directory === undefined ? new MemorySlots() : await openSlotFile(join(directory, "chunks"))
  const chunksMax = parts.chunksMax ?? (directory === undefined ? MEMORY_CHUNKS_MAX : undefined)
  const shelf = await ChunkShelf.open({ ...parts, chunksMax, slots })
  const blobs = await Blobs.start({
    meshId: network.meshId,
    self: network.transport.peer,
    shelf,
    streams: network.streams,
    role: parts.role,
    connected: () => network.transport.peers(),
    judge: (envelope) => network.judge(envelope),
    pay: (envelope, signal) => network.pay(envelope, { signal }),
    addressesOf: (peer) => network.addressesOf(peer),
    connect: (addresses, by, signal) => network.connect(addresses, by, signal),
    clock: parts.clock,
  })
  return { blobs, shelf, close: () => shelf.close() }
}
