/**
 * What lets chunks into other peers' stores: one admission (DESIGN §6) for up to 64 of them, so that a file does not cost a proof for
 * each. The admission is bound to the root of a Merkle tree over the chunks' ids, and each chunk travels with its path, so that whoever
 * keeps one learns no other id.
 *
 *   leaf   labelledHash("blob leaf", id)      node   labelledHash("blob node", left ‖ right)
 *
 * Leaves beyond the last are 32 zero bytes; a tree of 2^depth leaves has at least one leaf in its right half. Admissions judge and pay
 * for envelopes, so the root is put into the form of one: zeros where the admission goes, domain("blob grant") ‖ root, zeros to the end.
 * It is never posted.
 */
import { type Bytes, concat, exactly } from "./bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES } from "./envelope.ts"
import { CryptoError } from "./errors.ts"
import { domain, labelledHash } from "./kdf.ts"

const HASH_BYTES = 32
/** Chunks under one admission: 16 MiB. */
export const GRANT_CHUNKS_MAX = 64
export const GRANT_DEPTH_MAX = 6

/** A chunk's place under a root. */
export interface GrantPath {
  readonly index: number
  /** From the leaf up, 32 bytes each; at most GRANT_DEPTH_MAX. */
  readonly path: readonly Bytes[]
}

export interface GrantTree {
  /** 32 bytes. */
  readonly root: Bytes
  /** In the order of the ids. */
  readonly paths: readonly GrantPath[]
}

const leafOf = (id: Bytes) => labelledHash("blob leaf", exactly(id, HASH_BYTES, "chunk id"))
const nodeOf = (left: Bytes, right: Bytes) => labelledHash("blob node", left, right)

/** Throws CryptoError TOO_LARGE for none or for more than GRANT_CHUNKS_MAX. */
export function grantTree(ids: readonly Bytes[]): GrantTree {
  if (ids.length === 0 || ids.length > GRANT_CHUNKS_MAX)
    throw new CryptoError("TOO_LARGE", `${ids.length} chunks under one admission`)
  const depth = Math.ceil(Math.log2(ids.length))
  const leaves = ids.map(leafOf)
  while (leaves.length < 2 ** depth) leaves.push(new Uint8Array(HASH_BYTES))
  const levels = [leaves]
  for (let level = leaves; level.length > 1;) {
    const below = level
    level = Array.from({ length: below.length / 2 }, (_, i) =>
      nodeOf(below[2 * i] as Bytes, below[2 * i + 1] as Bytes),
    )
    levels.push(level)
  }
  const paths = ids.map((_, index) => ({
    index,
    path: levels.slice(0, -1).map((level, height) => level[(index >> height) ^ 1] as Bytes),
  }))
  return { root: levels.at(-1)?.[0] as Bytes, paths }
}

/** The root that a chunk and its path lead to. Throws CryptoError BAD_ENCODING for a path that no tree has. */
export function grantRoot(id: Bytes, { index, path }: GrantPath): Bytes {
  if (path.length > GRANT_DEPTH_MAX || index >= 2 ** path.length)
    throw new CryptoError("BAD_ENCODING", `leaf ${index} in a tree of depth ${path.length}`)
  let node = leafOf(id)
  for (const [height, sibling] of path.entries()) {
    exactly(sibling, HASH_BYTES, "tree node")
    node = (index >> height) % 2 === 0 ? nodeOf(node, sibling) : nodeOf(sibling, node)
  }
  return node
}

/** What the admission is for: 4096 bytes, with `admission` (384 bytes; zeros when not paid yet) in front. */
export function grantEnvelope(
  root: Bytes,
  admission: Bytes = new Uint8Array(ADMISSION_BYTES),
): Bytes {
  const head = concat(
    exactly(admission, ADMISSION_BYTES, "admission"),
    domain("blob grant"),
    exactly(root, HASH_BYTES, "root"),
  )
  const out = new Uint8Array(ENVELOPE_BYTES)
  out.set(head)
  return out
}
