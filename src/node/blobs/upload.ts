/**
 * Bringing the chunks of a blob to their keepers: first one copy of each, so that the blob can be read by others as early as may be,
 * then the further ones. A keeper that refuses or fails is passed over for the next nearest. Nothing is remembered between two uploads
 * but the chunks themselves: one that was interrupted asks the keepers what they have and goes on with the rest.
 */
import { type Bytes, equal } from "../../crypto/bytes.ts"
import {
  GRANT_CHUNKS_MAX,
  grantEnvelope,
  type GrantTree,
  grantTree,
} from "../../crypto/blob-grant.ts"
import { ADMISSION_BYTES } from "../../crypto/envelope.ts"
import { inParallel } from "./lanes.ts"
import type { Keepers } from "./keepers.ts"
import { HAVE_MAX } from "./messages.ts"
import type { BlobPeers } from "./peers.ts"
import { StreamError } from "../transport/streams.ts"
import { TransportError } from "../transport/transport.ts"

/** Copies of a chunk, each at another keeper; fewer where there are fewer keepers. */
export const COPIES = 3
/** Chunks on their way at a time, whoever takes them. */
const WIDTH = 8

export interface UploadParts {
  readonly keepers: Keepers
  readonly peers: BlobPeers
  /** A chunk that lies here. Throws BlobError BLOB_MISSING. */
  readonly chunk: (id: Bytes) => Promise<Bytes>
  /** Fills in the admission of an envelope. */
  readonly pay: (envelope: Bytes, signal: AbortSignal) => Promise<Bytes>
  /** Resolves when there may be other keepers than before. */
  readonly change: (signal: AbortSignal) => Promise<void>
}

export interface UploadOptions {
  readonly signal: AbortSignal
  /** Some of it may have been uploaded before. */
  readonly resumed?: boolean
  /** Copies that lie at keepers, and how many there are to be. */
  readonly onProgress?: (copies: number, total: number) => void
  /** Each chunk lies at one keeper at least: others can read the blob. */
  readonly onReadable?: () => void
}

interface Task {
  readonly index: number
  readonly keeper: string
  readonly copy: number
}

/** Resolves when each chunk lies at as many keepers as there are to have. Waits for keepers as long as there are none. */
export async function upload(
  parts: UploadParts,
  ids: readonly Bytes[],
  options: UploadOptions,
): Promise<void> {
  await new Upload(parts, ids, options).run()
}

class Upload {
  readonly #parts: UploadParts
  readonly #ids: readonly Bytes[]
  readonly #options: UploadOptions
  readonly #copies: Set<string>[]
  readonly #grants: Grants
  /** Keepers that will not take more of this blob. */
  readonly #refused = new Set<string>()
  /** Keepers that failed since the last look. */
  readonly #down = new Set<string>()
  readonly #asked = new Set<string>()
  /** By keeper and group, the admission that was not taken: it may have been too old. A second one shows that this is not why. */
  readonly #notAdmitted = new Map<string, Bytes>()
  #unread: number
  #total = 0

  constructor(parts: UploadParts, ids: readonly Bytes[], options: UploadOptions) {
    this.#parts = parts
    this.#ids = ids
    this.#options = options
    this.#copies = ids.map(() => new Set())
    this.#unread = ids.length
    this.#grants = new Grants(ids, (envelope) => parts.pay(envelope, options.signal))
  }

  async run(): Promise<void> {
    const { signal } = this.#options
    for (;;) {
      await this.#parts.keepers.refresh()
      const tasks = await this.#plan()
      if (tasks.length > 0) {
        await inParallel(tasks, WIDTH, (task) => this.#carry(task))
        continue
      }
      if (this.#unread === 0) return
      this.#down.clear()
      this.#refused.clear()
      await this.#parts.change(signal)
    }
  }

  /** What is missing where, all first copies before all second ones. */
  async #plan(): Promise<Task[]> {
    const usable = (peer: string) => !this.#refused.has(peer) && !this.#down.has(peer)
    const targets = this.#ids.map((id) =>
      this.#parts.keepers.nearest(id).filter(usable).slice(0, COPIES),
    )
    if (this.#options.resumed === true) await this.#askFor(targets)
    this.#total = targets.reduce(
      (sum, keepers, i) => sum + new Set([...keepers, ...(this.#copies[i] ?? [])]).size,
      0,
    )
    this.#tell()
    return targets
      .flatMap((keepers, index) => {
        const copies = this.#copies[index]
        const wanted = Math.max(0, COPIES - (copies?.size ?? 0))
        return keepers
          .filter((keeper) => copies?.has(keeper) !== true)
          .slice(0, wanted)
          .map((keeper, i) => ({ index, keeper, copy: (copies?.size ?? 0) + i }))
      })
      .sort((a, b) => a.copy - b.copy || a.index - b.index)
  }

  /** Asks each keeper once which of its chunks it has. */
  async #askFor(targets: readonly (readonly string[])[]): Promise<void> {
    const wanted = new Map<string, number[]>()
    for (const [index, keepers] of targets.entries())
      for (const keeper of keepers)
        if (!this.#asked.has(keeper)) wanted.set(keeper, [...(wanted.get(keeper) ?? []), index])
    await inParallel([...wanted], WIDTH, async ([keeper, indexes]) => {
      this.#asked.add(keeper)
      for (let at = 0; at < indexes.length; at += HAVE_MAX) {
        const some = indexes.slice(at, at + HAVE_MAX)
        const ids = some.map((index) => this.#ids[index] as Bytes)
        const have = await this.#tried(keeper, () =>
          this.#parts.peers.have(keeper, ids, this.#options.signal),
        )
        if (have === undefined) return
        for (const [i, index] of some.entries()) if (have[i] === true) this.#stored(index, keeper)
      }
    })
  }

  async #carry({ index, keeper }: Task): Promise<void> {
    if (this.#refused.has(keeper) || this.#down.has(keeper)) return
    const { signal } = this.#options
    const { admission, place } = await this.#grants.of(index)
    const chunk = await this.#parts.chunk(this.#ids[index] as Bytes)
    const put = { admission, place, chunk }
    const answer = await this.#tried(keeper, () => this.#parts.peers.put(keeper, put, signal))
    switch (answer) {
      case undefined:
        return
      case "stored":
        this.#stored(index, keeper)
        this.#tell()
        return
      case "NOT_ADMITTED":
        this.#notAdmittedBy(keeper, index, admission)
        return
      case "LIED":
        this.#parts.keepers.blame(keeper)
        this.#refused.add(keeper)
        return
      case "FULL":
      case "NO_KEEPER":
      case "OTHER_MESH":
        this.#refused.add(keeper)
    }
  }

  #notAdmittedBy(keeper: string, index: number, admission: Bytes): void {
    this.#grants.forget(index, admission)
    const name = `${keeper} ${Grants.groupOf(index)}`
    const before = this.#notAdmitted.get(name) ?? admission
    this.#notAdmitted.set(name, before)
    if (!equal(before, admission)) this.#refused.add(keeper)
  }

  /** `undefined` when the keeper could not be reached or went away. */
  async #tried<T>(keeper: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      await this.#parts.keepers.reach(keeper, this.#options.signal)
      return await work()
    } catch (error) {
      this.#options.signal.throwIfAborted()
      if (!(error instanceof StreamError || error instanceof TransportError)) throw error
      this.#down.add(keeper)
      return undefined
    }
  }

  #stored(index: number, keeper: string): void {
    const copies = this.#copies[index]
    if (copies === undefined || copies.has(keeper)) return
    copies.add(keeper)
    if (copies.size > 1) return
    this.#unread--
    if (this.#unread === 0) this.#options.onReadable?.()
  }

  #tell(): void {
    const copies = this.#copies.reduce((sum, { size }) => sum + size, 0)
    this.#options.onProgress?.(copies, this.#total)
  }
}

interface Grant {
  readonly tree: GrantTree
  readonly admission: Promise<Bytes>
}

/** The admissions of a blob's chunks, made when the first of a group needs one. */
class Grants {
  readonly #ids: readonly Bytes[]
  readonly #pay: (envelope: Bytes) => Promise<Bytes>
  readonly #groups = new Map<number, Grant>()

  constructor(ids: readonly Bytes[], pay: (envelope: Bytes) => Promise<Bytes>) {
    this.#ids = ids
    this.#pay = pay
  }

  static groupOf(index: number): number {
    return Math.floor(index / GRANT_CHUNKS_MAX)
  }

  async of(index: number) {
    const group = Grants.groupOf(index)
    const { tree, admission } = this.#groups.get(group) ?? this.#make(group)
    const place = tree.paths[index % GRANT_CHUNKS_MAX]
    if (place === undefined) throw new Error("every chunk has a path")
    return { admission: await admission, place }
  }

  /** It was not taken: the next one is another. */
  forget(index: number, admission: Bytes): void {
    const group = Grants.groupOf(index)
    void this.#groups.get(group)?.admission.then((known) => {
      if (known === admission) this.#groups.delete(group)
    })
  }

  #make(group: number): Grant {
    const at = group * GRANT_CHUNKS_MAX
    const tree = grantTree(this.#ids.slice(at, at + GRANT_CHUNKS_MAX))
    const admission = this.#pay(grantEnvelope(tree.root)).then((paid) =>
      paid.slice(0, ADMISSION_BYTES),
    )
    // whoever waits for it hears of a failure; nobody may be waiting any more
    admission.catch(() => undefined)
    const grant = { tree, admission }
    this.#groups.set(group, grant)
    return grant
  }
}
