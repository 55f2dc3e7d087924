/**
 * The one-time keys that a membership proof vouches for (DESIGN §6.1). Eight Ed25519 keys under one hash tree; the proof's signal is the
 * tree's root, so the proof can be made before there is a message. Each envelope of the payload then takes one key, shows its
 * place in the tree, and carries a signature by it over the envelope's id. One proof serves one payload, one key one envelope.
 *
 *   leaf = labelledHash("membership key", key)      node = labelledHash("membership node", left, right)      signal = root without its last byte
 */
import { primitives } from "#primitives"
import { type Bytes, concat, exactly } from "../bytes.ts"
import { CryptoError } from "../errors.ts"
import { domain, labelledHash } from "../kdf.ts"
import { fieldOfHash } from "./field.ts"

/** Keys under one root: as many as a payload has fragments at most. */
export const ONE_TIME_KEYS = 8
const DEPTH = 3
export const KEY_PATH_BYTES = DEPTH * 32

const leafOf = (key: Bytes) => labelledHash("membership key", key)
const nodeOf = (left: Bytes, right: Bytes) => labelledHash("membership node", left, right)

/** Rows of the tree over 8 public keys, the leaves first. */
function rowsOver(keys: readonly Bytes[]): readonly (readonly Bytes[])[] {
  if (keys.length !== ONE_TIME_KEYS) throw new CryptoError("BAD_LENGTH", `${keys.length} keys`)
  const rows: Bytes[][] = [keys.map((key) => leafOf(exactly(key, 32, "one-time key")))]
  for (let row = rows[0] ?? []; row.length > 1;) {
    const above: Bytes[] = []
    for (let at = 0; at < row.length; at += 2)
      above.push(nodeOf(row[at] ?? new Uint8Array(0), row[at + 1] ?? new Uint8Array(0)))
    rows.push(above)
    row = above
  }
  return rows
}

/** The root over 8 Ed25519 public keys of 32 bytes each: 32 bytes. */
export function rootOverKeys(keys: readonly Bytes[]): Bytes {
  return rowsOver(keys).at(-1)?.[0] ?? new Uint8Array(0)
}

/** The siblings on the way from key `index` to the root, 96 bytes. */
export function pathToKey(keys: readonly Bytes[], index: number): Bytes {
  const rows = rowsOver(keys)
  return concat(
    ...rows.slice(0, DEPTH).map((row, level) => row[(index >> level) ^ 1] ?? new Uint8Array(0)),
  )
}

/** The root that a key at `index` (0 to 7) has with this path of 96 bytes: 32 bytes. */
export function rootFromPath(key: Bytes, index: number, path: Bytes): Bytes {
  exactly(path, KEY_PATH_BYTES, "path")
  let hash = leafOf(exactly(key, 32, "one-time key"))
  for (let level = 0; level < DEPTH; level++) {
    const sibling = path.subarray(32 * level, 32 * level + 32)
    hash = ((index >> level) & 1) === 0 ? nodeOf(hash, sibling) : nodeOf(sibling, hash)
  }
  return hash
}

/** What the proof carries as its message: a field element, 32 bytes. */
export const signalOfKeys = (root: Bytes): Bytes => fieldOfHash(root)

/** What a one-time key signs of an envelope. */
const signedBytes = (meshId: Bytes, id: Bytes) =>
  concat(
    domain("membership envelope"),
    exactly(meshId, 32, "mesh id"),
    exactly(id, 32, "envelope id"),
  )

/** 64 bytes. `seed`: Ed25519, 32 bytes. */
export function signEnvelope(seed: Bytes, meshId: Bytes, id: Bytes): Bytes {
  const { ed25519 } = primitives
  return ed25519.sign(ed25519.importPrivate(seed), signedBytes(meshId, id))
}

export function verifyEnvelope(key: Bytes, meshId: Bytes, id: Bytes, signature: Bytes): boolean {
  const { ed25519 } = primitives
  try {
    return ed25519.verify(ed25519.importPublic(key), signedBytes(meshId, id), signature)
  } catch (error) {
    // not a key at all: small order, or not in its one spelling
    if (error instanceof CryptoError) return false
    throw error
  }
}

/** Fresh keys: Ed25519 seeds of 32 bytes, and the public keys they give. */
export function newOneTimeKeys(): { readonly seeds: Bytes[]; readonly keys: Bytes[] } {
  const { ed25519 } = primitives
  const seeds = Array.from({ length: ONE_TIME_KEYS }, () => ed25519.generate())
  return { seeds, keys: seeds.map(publicOneTimeKey) }
}

export function publicOneTimeKey(seed: Bytes): Bytes {
  const { ed25519 } = primitives
  return ed25519.publicFromPrivate(ed25519.importPrivate(seed))
}
