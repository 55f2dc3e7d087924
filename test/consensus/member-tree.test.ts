/** The membership tree against the reference implementation's vectors, and against the plain list of leaves that it stands for. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { poseidon2 } from "poseidon-lite/poseidon2"
import { MemberTree } from "../../src/consensus/member-tree.ts"
import { type Bytes, fromHex, toHex } from "../../src/crypto/bytes.ts"
import { bytesOfNumber, FIELD_ORDER, numberFrom } from "../../src/crypto/membership/field.ts"
import { readVectors } from "../helpers/vectors.ts"

interface Vectors {
  readonly steps: readonly { readonly add?: string; readonly remove?: string; root: string }[]
  readonly proofs: readonly {
    readonly leaf: string
    readonly index: number
    readonly siblings: readonly string[]
    readonly root: string
  }[]
}

const { steps, proofs } = readVectors("zk-kit/lean-imt.json") as Vectors
const member = (n: number): Bytes => bytesOfNumber(BigInt(n) + 1000n)
const treeOf = (...members: readonly number[]): MemberTree =>
  members.reduce((tree, n) => tree.add(member(n)), MemberTree.empty())

/** The root that a path leads to. */
function rootBy(leaf: Bytes, { siblings, index }: { siblings: readonly Bytes[]; index: number }) {
  let node = numberFrom(leaf)
  siblings.forEach((sibling, level) => {
    const other = numberFrom(sibling)
    node = poseidon2(((index >> level) & 1) === 0 ? [node, other] : [other, node])
  })
  return bytesOfNumber(node)
}

describe("the membership tree", () => {
  it("has the reference's root after every step", () => {
    let tree = MemberTree.empty()
    for (const { add, remove, root } of steps) {
      if (add !== undefined) tree = tree.add(fromHex(add))
      if (remove !== undefined) tree = tree.remove(fromHex(remove))
      assert.equal(toHex(tree.root), root)
    }
    for (const { leaf, index, siblings, root } of proofs) {
      const path = tree.pathOf(fromHex(leaf))
      assert.deepEqual(path && { ...path, siblings: path.siblings.map(toHex) }, {
        index,
        siblings,
        root: fromHex(root),
      })
    }
  })

  it("is zeros when empty, and a lone member's commitment is the root", () => {
    assert.deepEqual(MemberTree.empty().root, new Uint8Array(32))
    assert.deepEqual(treeOf(1).root, member(1))
    assert.deepEqual(treeOf(1).pathOf(member(1)), { siblings: [], index: 0, root: member(1) })
  })

  it("takes numbers below the field's order, not zero, and nobody twice", () => {
    const tree = treeOf(1, 2)
    assert.ok(tree.takes(member(3)))
    assert.ok(!tree.takes(member(2)))
    assert.ok(!tree.takes(new Uint8Array(32)))
    assert.ok(tree.takes(bytesOfNumber(FIELD_ORDER - 1n)))
    assert.ok(!tree.takes(bytesOfNumber(FIELD_ORDER)))
    assert.ok(!tree.takes(new Uint8Array(32).fill(255)))
    assert.ok(!tree.has(new Uint8Array(32)), "an empty place is nobody's")
    assert.ok(tree.remove(member(2)).takes(member(2)))
  })

  it("leaves no trace of what was only tried", () => {
    const tree = treeOf(1, 2, 3)
    const { root } = tree
    const tried = tree.add(member(4)).remove(member(1))
    const other = tree.add(member(5))
    assert.ok(tried.has(member(4)) && !tried.has(member(1)) && !tried.has(member(5)))
    assert.ok(other.has(member(5)) && other.has(member(1)) && !other.has(member(4)))
    assert.ok(!tree.has(member(4)) && !tree.has(member(5)))
    assert.deepEqual(tree.root, root)
    assert.equal(tree.size, 3)
  })

  it("stands for the list of its leaves, whatever is added and removed; comes back from its rows, and goes back to earlier states", () => {
    const change = fc.oneof(
      { weight: 3, arbitrary: fc.constant("add" as const) },
      { weight: 1, arbitrary: fc.nat(40) },
    )
    fc.assert(
      fc.property(fc.array(change, { maxLength: 24 }), fc.nat(24), (changes, middle) => {
        let tree = MemberTree.empty()
        let past = tree
        const leaves: Bytes[] = []
        changes.forEach((each, at) => {
          if (at === middle) past = tree
          if (each === "add") {
            tree = tree.add(member(leaves.length))
            leaves.push(member(leaves.length))
          } else if (each < leaves.length && tree.has(member(each))) {
            tree = tree.remove(member(each))
            leaves[each] = new Uint8Array(32)
          }
        })
        assert.deepEqual(tree.leaves(), leaves)
        const back = MemberTree.restore(tree.list())
        assert.deepEqual(back.root, tree.root)
        const again = back.before(tree.sinceOf(past))
        assert.deepEqual(again.leaves(), past.leaves())
        assert.deepEqual(again.root, past.root)
        assert.deepEqual(back.add(member(99)).root, tree.add(member(99)).root)
        leaves.forEach((leaf, place) => {
          const path = back.pathOf(member(place))
          assert.equal(
            path !== undefined,
            leaf.some((byte) => byte !== 0),
          )
          if (path !== undefined) assert.deepEqual(rootBy(member(place), path), tree.root)
        })
      }),
      { numRuns: 25 },
    )
  })

  it("refuses rows that are no tree's", () => {
    assert.throws(() => MemberTree.restore([member(1), member(2)]), { code: "BAD_LENGTH" })
  })
})
