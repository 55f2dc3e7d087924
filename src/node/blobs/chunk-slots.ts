/**
 * Where the bytes of chunks lie: one file of equal slots, in which a freed slot is used again. Chunks are all of one length, so nothing
 * fragments, and writing 200 MiB takes 60 ms where LevelDB takes over two seconds (it copies large values again and again). The same
 * over memory for a profile that leaves nothing behind. What a slot means is the index's business (chunk-shelf.ts).
 */
import { constants } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { type Bytes } from "../../crypto/bytes.ts"
import { CHUNK_BYTES } from "../../crypto/blob.ts"
import { storeError } from "../store/errors.ts"

export interface ChunkSlots {
  /** Throws StoreError DISK_FULL or STORE_FAILED. */
  write(slot: number, chunk: Bytes): Promise<void>
  /** Shorter than a chunk where the file ends before it. Throws StoreError. */
  read(slot: number): Promise<Bytes>
  /** Gives back what lies behind the last of `count` slots. */
  shrink(count: number): Promise<void>
  close(): Promise<void>
}

/** Opens or makes the file, mode 0600. Throws StoreError. */
export async function openSlotFile(path: string): Promise<ChunkSlots> {
  try {
    return new SlotFile(await open(path, constants.O_RDWR | constants.O_CREAT, 0o600))
  } catch (error) {
    throw storeError(error)
  }
}

class SlotFile implements ChunkSlots {
  readonly #file: FileHandle

  constructor(file: FileHandle) {
    this.#file = file
  }

  async write(slot: number, chunk: Bytes): Promise<void> {
    let written = 0
    while (written < CHUNK_BYTES) {
      const { bytesWritten } = await told(
        this.#file.write(chunk, written, CHUNK_BYTES - written, slot * CHUNK_BYTES + written),
      )
      written += bytesWritten
    }
  }

  async read(slot: number): Promise<Bytes> {
    const out = new Uint8Array(CHUNK_BYTES)
    let length = 0
    while (length < CHUNK_BYTES) {
      const at = slot * CHUNK_BYTES + length
      const { bytesRead } = await told(this.#file.read(out, length, CHUNK_BYTES - length, at))
      if (bytesRead === 0) break
      length += bytesRead
    }
    return length === CHUNK_BYTES ? out : out.slice(0, length)
  }

  async shrink(count: number): Promise<void> {
    const { size } = await told(this.#file.stat())
    if (size > count * CHUNK_BYTES) await told(this.#file.truncate(count * CHUNK_BYTES))
  }

  async close(): Promise<void> {
    await told(this.#file.close())
  }
}

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw storeError(error)
  }
}

export class MemorySlots implements ChunkSlots {
  readonly #slots = new Map<number, Bytes>()

  write(slot: number, chunk: Bytes): Promise<void> {
    this.#slots.set(slot, chunk.slice())
    return Promise.resolve()
  }

  read(slot: number): Promise<Bytes> {
    return Promise.resolve(this.#slots.get(slot)?.slice() ?? new Uint8Array(0))
  }

  shrink(count: number): Promise<void> {
    for (const slot of this.#slots.keys()) if (slot >= count) this.#slots.delete(slot)
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#slots.clear()
    return Promise.resolve()
  }
}
