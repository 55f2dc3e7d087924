/**
 * Which words may stand next to each other in which message: a Bloom filter of 256 bits for each, two bits a pair of neighbours. Without it
 * every message that has the words of a phrase anywhere would have to be read. It may say yes wrongly (for a pair among 40 words one time
 * in 14), never no; in texts of several hundred words it says yes to nearly everything.
 */
import type { Phrase } from "./search-query.ts"

const LANES = 8

export class WordPairs {
  #bits = new Uint32Array(1024 * LANES)

  put(number: number, words: readonly string[]): void {
    if ((number + 1) * LANES > this.#bits.length) {
      const larger = new Uint32Array(Math.ceil((this.#bits.length * 3) / 2))
      larger.set(this.#bits)
      this.#bits = larger
    }
    for (const bit of bitsOf(words, words.length)) {
      const at = number * LANES + (bit >>> 5)
      this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (bit & 31))
    }
  }

  /** What `may` is asked about a phrase: of an open one the last word is not whole. */
  asked({ words, open }: Phrase): readonly number[] {
    return bitsOf(words, open ? words.length - 1 : words.length)
  }

  may(number: number, bits: readonly number[]): boolean {
    return bits.every(
      (bit) => ((this.#bits[number * LANES + (bit >>> 5)] ?? 0) & (1 << (bit & 31))) !== 0,
    )
  }
}

function bitsOf(words: readonly string[], until: number): number[] {
  const bits: number[] = []
  let before = 0
  for (let i = 0; i < until; i++) {
    const hash = mixed(words[i] ?? "")
    const pair = Math.imul(before ^ (hash >>> 7), 0x9e3779b1) ^ hash
    if (i > 0) bits.push((pair >>> 24) & 255, (pair >>> 12) & 255)
    before = hash
  }
  return bits
}

/** 32 bits of a word. Not a secret's hash: it only spreads words over bits. */
function mixed(word: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193)
  return hash
}
