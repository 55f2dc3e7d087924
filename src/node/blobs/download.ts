/**
 * Fetching chunks from their keepers, the nearest first, several at a time; each is checked against its id and kept here before it
 * counts, so an interrupted download goes on with what is missing. A keeper that hands out wrong bytes is left alone for a while.
 */
import { type Bytes } from "../../crypto/bytes.ts"
import { inParallel } from "./lanes.ts"
import type { Keepers } from "./keepers.ts"
import type { BlobPeers } from "./peers.ts"
import type { ChunkShelf } from "./chunk-shelf.ts"
import { StreamError } from "../transport/streams.ts"
import { TransportError } from "../transport/transport.ts"

/** Chunks on their way at a time: 2 MiB. */
const WIDTH = 8
/** Keepers asked for one chunk: those nearest may be gone, or may never have had it. */
const KEEPERS_ASKED_MAX = 24

export interface DownloadParts {
  readonly keepers: Keepers
  readonly peers: BlobPeers
  readonly shelf: ChunkShelf
}

/** Keeps those of the chunks that are not here and can be had; `false` where some cannot. Throws the signal's reason, StoreError. */
export async function download(
  parts: DownloadParts,
  ids: readonly Bytes[],
  signal: AbortSignal,
  onChunk: () => void,
): Promise<boolean> {
  const down = new Set<string>()
  let complete = true
  await parts.keepers.refresh()
  await inParallel(ids, WIDTH, async (id) => {
    if (await fetchOne(parts, id, down, signal)) onChunk()
    else complete = false
  })
  return complete
}

async function fetchOne(
  { keepers, peers, shelf }: DownloadParts,
  id: Bytes,
  down: Set<string>,
  signal: AbortSignal,
): Promise<boolean> {
  if (shelf.has(id)) return true
  for (const keeper of keepers.nearest(id).slice(0, KEEPERS_ASKED_MAX)) {
    if (down.has(keeper)) continue
    try {
      await keepers.reach(keeper, signal)
      const answer = await peers.get(keeper, id, signal)
      if (answer === "LIED") keepers.blame(keeper)
      else if (typeof answer === "string") down.add(keeper)
      else if (answer.chunk !== undefined) return await shelf.keep(id, answer.chunk, { own: true })
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof StreamError || error instanceof TransportError)) throw error
      down.add(keeper)
    }
  }
  return false
}
