/** A LeanIMT of commitments for tests, written from its definition: a node with two children is their hash, one with one child is that child. */
import { poseidon2 } from "poseidon-lite/poseidon2"
import { type Bytes, equal } from "../../src/crypto/bytes.ts"
import { bytesOfNumber, numberFrom } from "../../src/crypto/membership/field.ts"
import type { TreePath } from "../../src/crypto/membership/tree-path.ts"

export class TestTree {
  readonly #rows: bigint[][] = [[]]

  constructor(leaves: readonly Bytes[] = []) {
    let row = leaves.map(numberFrom)
    this.#rows = [row]
    while (row.length > 1) {
      const above: bigint[] = []
      for (let at = 0; at < row.length; at += 2) {
        const [left = 0n, right] = [row[at], row[at + 1]]
        above.push(right === undefined ? left : poseidon2([left, right]))
      }
      row = above
      this.#rows.push(row)
    }
  }

  get root(): Bytes {
    return bytesOfNumber(this.#rows.at(-1)?.[0] ?? 0n)
  }

  pathOf(leaf: Bytes): TreePath {
    const at = this.#rows[0]!.findIndex((each) => equal(bytesOfNumber(each), leaf))
    if (at === -1) throw new Error("no such leaf")
    const siblings: Bytes[] = []
    let index = 0
    for (let level = 0, node = at; level < this.#rows.length - 1; level++, node >>= 1) {
      const sibling = this.#rows[level]![node ^ 1]
      if (sibling === undefined) continue
      index |= (node & 1) << siblings.length
      siblings.push(bytesOfNumber(sibling))
    }
    return { siblings, index, root: this.root }
  }
}
