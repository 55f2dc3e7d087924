/**
 * A map of strings for hundreds of thousands of entries, in parts: a Map that grows moves all of its entries in one go, which takes 20 ms
 * for a quarter of a million, and a part takes a 64th of that.
 */
import { assert } from "../crypto/errors.ts"

const PARTS = 64

export class WideMap<V> {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<string, V>())

  get size(): number {
    return this.#parts.reduce((sum, { size }) => sum + size, 0)
  }

  get(key: string): V | undefined {
    return this.#partOf(key).get(key)
  }

  has(key: string): boolean {
    return this.#partOf(key).has(key)
  }

  set(key: string, value: V): void {
    this.#partOf(key).set(key, value)
  }

  delete(key: string): void {
    this.#partOf(key).delete(key)
  }

  /** All of it, in no order. */
  get parts(): readonly ReadonlyMap<string, V>[] {
    return this.#parts
  }

  #partOf(key: string): Map<string, V> {
    let hash = 0
    for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0
    const part = this.#parts[hash & (PARTS - 1)]
    assert(part !== undefined, "a number below the number of parts")
    return part
  }
}
