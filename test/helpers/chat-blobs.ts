/** Blobs in a world of tests: what keepers have of them, and what each person's own peer has put or fetched. */
import { type BlobRef, newBlobKey } from "../../src/crypto/blob.ts"
import { type Bytes, toHex } from "../../src/crypto/bytes.ts"
import type { Person } from "./chat-world.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"

export class WorldBlobs {
  /** By the id of the blob. */
  readonly keepers = new Map<string, Bytes>()
  readonly #own = new WeakMap<Person, Map<string, Bytes>>()

  /** What lies at this person's own peer. */
  of(person: Person): Map<string, Bytes> {
    const own = this.#own.get(person) ?? new Map<string, Bytes>()
    this.#own.set(person, own)
    return own
  }

  put(payload: Bytes, by: Person): Promise<BlobRef> {
    const ref = { size: payload.length, key: newBlobKey(), root: primitives.sha3_256(payload) }
    this.keepers.set(toHex(ref.root), payload)
    this.of(by).set(toHex(ref.root), payload)
    return Promise.resolve(ref)
  }

  get({ root }: BlobRef, by: Person): Promise<Bytes> {
    const payload = this.of(by).get(toHex(root)) ?? this.keepers.get(toHex(root))
    if (payload === undefined) return Promise.reject(new Error("not there"))
    this.of(by).set(toHex(root), payload)
    return Promise.resolve(payload)
  }

  bringAgain({ root }: BlobRef, by: Person): Promise<void> {
    const payload = this.of(by).get(toHex(root))
    if (payload === undefined) return Promise.reject(new Error("not here"))
    this.keepers.set(toHex(root), payload)
    return Promise.resolve()
  }
}
