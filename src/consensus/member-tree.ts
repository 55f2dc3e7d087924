/**
 * The membership tree: a LeanIMT over Poseidon, as Semaphore v4's circuit expects it (DESIGN §6.1). A node with two children is their
 * hash, a node with one child is that child. Members only ever join at the end; who leaves becomes a zero leaf, so nobody's
 * place moves. Values are never changed in place: a tree that only tries a block shares all but one path with the tree it came
 * from, and the trees of earlier periods cost next to nothing. Hashes are worked out when somebody asks for them.
 */
import { poseidon2 } from "poseidon-lite/poseidon2"
import { type Bytes, equal } from "../crypto/bytes.ts"
import { assert, CryptoError } from "../crypto/errors.ts"
import {
  bytesOfNumber,
  FIELD_BYTES,
  isField,
  isZero,
  numberFrom,
} from "../crypto/membership/field.ts"
import { keyOf } from "./item.ts"
import { MEMBER_TREE_DEPTH } from "./limits.ts"
import type { Membership, MembershipPast } from "./membership.ts"

/** What the circuit needs to walk from a leaf to the root; each 32 bytes. `index` has one bit for each sibling, lowest level first. */
export interface MemberPath {
  readonly siblings: readonly Bytes[]
  readonly index: number
  readonly root: Bytes
}

const GONE: Bytes = new Uint8Array(FIELD_BYTES)

interface Leaf {
  readonly bytes: Bytes
  readonly hash: bigint
}
interface Branch {
  readonly left: Node
  /** Absent where the tree ends. */
  readonly right: Node | undefined
  hash: bigint | undefined
}
type Node = Leaf | Branch

const leafOf = (bytes: Bytes): Leaf => ({ bytes, hash: numberFrom(bytes) })
const branchOf = (left: Node, right: Node | undefined): Branch => ({ left, right, hash: undefined })

const isLeaf = (node: Node): node is Leaf => "bytes" in node

/** At most MEMBER_TREE_DEPTH deep. */
function hashOf(node: Node): bigint {
  if (isLeaf(node)) return node.hash
  if (node.hash !== undefined) return node.hash
  const { left, right } = node
  node.hash = right === undefined ? hashOf(left) : poseidon2([hashOf(left), hashOf(right)])
  return node.hash
}

export class MemberTree implements Membership {
  /** Leaves, those of members who left included. */
  readonly size: number
  readonly #root: Node | undefined
  readonly #depth: number
  /**
   * Where a commitment may stand. Shared by all trees that come from one another and never cleaned: a place counts only if this very
   * tree has the commitment there.
   */
  readonly #places: Map<string, number[]>
  #rootBytes: Bytes | undefined

  private constructor(root: Node | undefined, size: number, places: Map<string, number[]>) {
    this.#root = root
    this.size = size
    this.#depth = depthOf(size)
    this.#places = places
  }

  static empty(): MemberTree {
    return new MemberTree(undefined, 0, new Map())
  }

  /** From `list()`. Nothing is hashed again: what it holds was this peer's own. Throws CryptoError BAD_LENGTH. */
  static restore(listed: readonly Bytes[]): MemberTree {
    const size = sizeOf(listed.length)
    const places = new Map<string, number[]>()
    listed.slice(0, size).forEach((leaf, place) => {
      if (!isZero(leaf)) noteIn(places, leaf, place)
    })
    let row: Node[] = listed.slice(0, size).map(leafOf)
    for (let from = size; row.length > 1; from += row.length) {
      const above: Node[] = []
      for (let at = 0; at < row.length; at += 2) {
        const [left, right] = [row[at], row[at + 1]]
        const hash = listed[from + above.length]
        assert(left !== undefined && hash !== undefined, "a row above for each row")
        above.push({ left, right, hash: numberFrom(hash) })
      }
      row = above
    }
    return new MemberTree(row[0], size, places)
  }

  /** 32 bytes; zeros for the empty tree, which admits nobody. */
  get root(): Bytes {
    return (this.#rootBytes ??= this.#root === undefined ? GONE : bytesOfNumber(hashOf(this.#root)))
  }

  has(commitment: Bytes): boolean {
    return this.placeOf(commitment) !== undefined
  }

  /** A commitment is a number below the field's order and not zero, and there is room. */
  takes(commitment: Bytes): boolean {
    const isCommitment = isField(commitment) && !isZero(commitment)
    return isCommitment && this.size < 2 ** MEMBER_TREE_DEPTH && !this.has(commitment)
  }

  add(commitment: Bytes): MemberTree {
    assert(this.takes(commitment), "only a new member's commitment is added")
    noteIn(this.#places, commitment, this.size)
    const leaf = leafOf(commitment)
    if (this.#root === undefined) return new MemberTree(leaf, 1, this.#places)
    const isFull = this.size === 2 ** this.#depth
    const root = isFull
      ? branchOf(this.#root, chainTo(leaf, this.#depth))
      : appended(this.#root, this.#depth, this.size, leaf)
    return new MemberTree(root, this.size + 1, this.#places)
  }

  remove(commitment: Bytes): MemberTree {
    const place = this.placeOf(commitment)
    assert(place !== undefined, "only a member is removed")
    return this.#with(place, GONE)
  }

  /** Where the commitment stands, from 0; undefined when it is no member's. */
  placeOf(commitment: Bytes): number | undefined {
    if (isZero(commitment)) return undefined
    const places = this.#places.get(keyOf(commitment)) ?? []
    return places.find((place) => {
      const leaf = place < this.size ? this.#leafAt(place) : undefined
      return leaf !== undefined && equal(leaf.bytes, commitment)
    })
  }

  /** The siblings on a member's way to the root; undefined for a commitment that is no member's. */
  pathOf(commitment: Bytes): MemberPath | undefined {
    const place = this.placeOf(commitment)
    if (place === undefined) return undefined
    const siblings: Bytes[] = []
    const turns: number[] = []
    let node = this.#root
    for (let level = this.#depth - 1; level >= 0; level--) {
      if (node === undefined || isLeaf(node)) break
      const turn = (place >> level) & 1
      const sibling: Node | undefined = turn === 1 ? node.left : node.right
      if (sibling !== undefined) {
        siblings.unshift(bytesOfNumber(hashOf(sibling)))
        turns.unshift(turn)
      }
      node = turn === 1 ? node.right : node.left
    }
    const index = turns.reduce((bits, turn, at) => bits | (turn << at), 0)
    return { siblings, index, root: this.root }
  }

  /** Every leaf in its place, zeros for members who left. */
  leaves(): readonly Bytes[] {
    return this.#rowsUpTo(0)
  }

  /** The leaves, then the rows above them, so that coming back costs no hashing. 32 bytes each. */
  list(): readonly Bytes[] {
    return this.#rowsUpTo(this.#depth)
  }

  #rowsUpTo(top: number): Bytes[] {
    const rows: Bytes[] = []
    for (let level = 0; level <= top; level++)
      visit(this.#root, this.#depth - level, (node) =>
        rows.push(isLeaf(node) ? node.bytes : bytesOfNumber(hashOf(node))),
      )
    return rows
  }

  sinceOf(past: Membership): MembershipPast {
    assert(past instanceof MemberTree && past.size <= this.size, "an earlier state of this tree")
    const gone: (readonly [number, Bytes])[] = []
    const [now, before] = [this.leaves(), past.leaves()]
    before.forEach((leaf, place) => {
      const present = now[place]
      if (present !== undefined && present !== leaf && !equal(present, leaf))
        gone.push([place, leaf])
    })
    return { size: past.size, gone }
  }

  before({ size, gone }: MembershipPast): MemberTree {
    assert(size <= this.size, "the past of this tree")
    const root = size === 0 ? undefined : cut(this.#root, this.#depth, size)
    let tree = new MemberTree(lowered(root, this.#depth, depthOf(size)), size, this.#places)
    for (const [place, leaf] of gone) {
      noteIn(this.#places, leaf, place)
      tree = tree.#with(place, leaf)
    }
    return tree
  }

  #leafAt(place: number): Leaf | undefined {
    let node = this.#root
    for (let level = this.#depth - 1; level >= 0 && node !== undefined; level--) {
      if (isLeaf(node)) return undefined
      node = ((place >> level) & 1) === 1 ? node.right : node.left
    }
    return node !== undefined && isLeaf(node) ? node : undefined
  }

  #with(place: number, leaf: Bytes): MemberTree {
    assert(this.#root !== undefined && place < this.size, "a leaf of this tree")
    return new MemberTree(
      replaced(this.#root, this.#depth, place, leafOf(leaf)),
      this.size,
      this.#places,
    )
  }
}

/** Levels above the leaves. */
const depthOf = (size: number): number => (size <= 1 ? 0 : 32 - Math.clz32(size - 1))

function noteIn(places: Map<string, number[]>, commitment: Bytes, place: number): void {
  const known = places.get(keyOf(commitment))
  if (known === undefined) places.set(keyOf(commitment), [place])
  else if (!known.includes(place)) known.push(place)
}

/** A leaf as the only one under a node of this height. */
function chainTo(leaf: Leaf, height: number): Node {
  let node: Node = leaf
  for (let level = 0; level < height; level++) node = branchOf(node, undefined)
  return node
}

function appended(node: Node, height: number, place: number, leaf: Leaf): Node {
  assert(!isLeaf(node) && height > 0, "there is room under this node")
  const goesRight = ((place >> (height - 1)) & 1) === 1
  if (!goesRight) return branchOf(appended(node.left, height - 1, place, leaf), undefined)
  const right =
    node.right === undefined
      ? chainTo(leaf, height - 1)
      : appended(node.right, height - 1, place, leaf)
  return branchOf(node.left, right)
}

function replaced(node: Node, height: number, place: number, leaf: Leaf): Node {
  if (isLeaf(node)) return leaf
  const goesRight = ((place >> (height - 1)) & 1) === 1
  if (!goesRight) return branchOf(replaced(node.left, height - 1, place, leaf), node.right)
  assert(node.right !== undefined, "a leaf of this tree")
  return branchOf(node.left, replaced(node.right, height - 1, place, leaf))
}

/** The first `size` leaves under a node of this height; at least one. */
function cut(node: Node | undefined, height: number, size: number): Node {
  assert(node !== undefined && size > 0, "leaves of this tree")
  if (isLeaf(node) || size === 2 ** height) return node
  const half = 2 ** (height - 1)
  if (size <= half) return branchOf(cut(node.left, height - 1, size), undefined)
  return branchOf(node.left, cut(node.right, height - 1, size - half))
}

/** Takes away levels above which there is only one way. */
function lowered(node: Node | undefined, from: number, to: number): Node | undefined {
  let lower = node
  for (let level = from; level > to && lower !== undefined && !isLeaf(lower); level--)
    lower = lower.left
  return lower
}

/** The nodes so many levels below this one, from left to right. */
function visit(node: Node | undefined, levels: number, found: (node: Node) => void): void {
  if (node === undefined) return
  if (levels === 0 || isLeaf(node)) {
    found(node)
    return
  }
  visit(node.left, levels - 1, found)
  visit(node.right, levels - 1, found)
}

/** Leaves of a tree whose rows have so many nodes in all. */
function sizeOf(listed: number): number {
  const rowsOver = (size: number): number => (size <= 1 ? size : size + rowsOver((size + 1) >> 1))
  // Rounding up adds at most one node a row.
  let size = Math.max(0, (listed >> 1) - MEMBER_TREE_DEPTH - 1)
  while (rowsOver(size) < listed) size++
  if (rowsOver(size) !== listed) throw new CryptoError("BAD_LENGTH", "not the rows of a tree")
  return size
}
