/** Seeded randomness for simulations: one stream a concern, so that taking one fault away does not reshuffle the others. */

export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number, stream = "") {
    let h = 0x9e3779b9 ^ seed
    for (const character of `${stream}/${seed}`) {
      h = Math.imul(h ^ character.charCodeAt(0), 0x85ebca6b)
      h ^= h >>> 13
    }
    this.#a = h | 0
    this.#b = Math.imul(h, 0xc2b2ae35) | 0
    this.#c = Math.imul(h ^ 0x27d4eb2f, 0x165667b1) | 0
    this.#d = 1
    for (let i = 0; i < 12; i++) this.next()
  }

  /** 32 bits (sfc32). */
  next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t
    this.#c |= 0
    return t >>> 0
  }

  /** In [0, 1). */
  fraction(): number {
    return this.next() / 2 ** 32
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  chance(percent: number): boolean {
    return this.fraction() * 100 < percent
  }

  pick<T>(from: readonly T[]): T {
    return from[this.between(0, from.length - 1)]!
  }

  shuffled<T>(from: readonly T[]): T[] {
    const out = [...from]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.between(0, i)
      ;[out[i], out[j]] = [out[j]!, out[i]!]
    }
    return out
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.next() & 255)
  }
}
