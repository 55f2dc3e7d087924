/**
 * What is ordered, and how it is encoded: items, and batches of them. One value has one encoding; a decoder takes nothing
 * else. Encodings begin with a tag of one byte. Never content: an envelope is its id.
 */
import { equal, Reader, Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { assert, CryptoError } from "../crypto/errors.ts"
import { primitives } from "#primitives"
import {
  BATCH_MAX_BYTES,
  BLOCK_ITEMS_MAX,
  DIGEST_BYTES,
  ED25519_PUBLIC_BYTES,
  ITEM_EVIDENCE_MAX_BYTES,
  ML_DSA_65_PUBLIC_BYTES,
  SET_CHANGE_MAX,
  SIGNATURE_MAX_BYTES,
  SLH_DSA_PUBLIC_BYTES,
  VALIDATORS_MAX,
} from "./limits.ts"
import { writeKeys } from "./quorum.ts"
import type { Approval, Batch, Item, MemberRemoveItem, ValidatorsItem } from "./types.ts"

/** What stands for a key root in an item, bytes. */
export const ROOT_TAG_BYTES = 16
/** The part of a spend that stands for the nullifier; the last byte is the key index. */
export const NULLIFIER_TAG_BYTES = 31

const TAG = {
  work: 1,
  proof: 2,
  memberAdd: 3,
  memberRemove: 4,
  validators: 5,
  tick: 6,
} as const

const BATCH_DOMAIN = new Writer().text("sotto/batch/1", 1).finish()
const ITEM_DOMAIN = new Writer().text("sotto/item/1", 1).finish()
const SUBJECT_DOMAIN = new Writer().text("sotto/approve/1", 1).finish()

/** Bytes as a Map key. Not for anything that is hashed or sorted. At most a few hundred bytes. */
export const keyOf = (bytes: Bytes): string =>
  String.fromCharCode.apply(null, bytes as unknown as number[])

/** The bytes behind a Map key. */
export const bytesOfKey = (key: string): Bytes => Uint8Array.from(key, (char) => char.charCodeAt(0))

/** What an item is looked up by, as Map keys. */
export interface ItemKeys {
  readonly id: string
  /** What it uses up, if anything: at most one item with it is ever ordered. */
  readonly spend: string | undefined
  /** For a membership proof: the nullifier, which is bound to one root. */
  readonly nullifier: string | undefined
  readonly root: string | undefined
}

const keysKept = new WeakMap<Item, ItemKeys>()

/** The keys of an item, worked out once for each item object. */
export function keysOf(item: Item): ItemKeys {
  let keys = keysKept.get(item)
  if (keys === undefined) {
    const spend = spendOf(item)
    const root = item.type === "envelope" ? item.root : undefined
    keys = {
      id: keyOf(itemId(item)),
      spend: spend && keyOf(spend),
      nullifier: root && spend && keyOf(spend.subarray(0, NULLIFIER_TAG_BYTES)),
      root: root && keyOf(root),
    }
    keysKept.set(item, keys)
  }
  return keys
}

function writeApprovals(writer: Writer, approvals: readonly Approval[]): void {
  writer.u16(approvals.length)
  for (const { signer, signature } of approvals) writer.u16(signer).bytes(signature, 2)
}

function writeSubject(writer: Writer, item: MemberRemoveItem | ValidatorsItem): void {
  writer.u32(item.term)
  if (item.type === "member-remove") {
    writer.u8(TAG.memberRemove).raw(item.commitment)
    return
  }
  writer.u8(TAG.validators).u8(item.add.length)
  for (const { keys } of item.add) writeKeys(writer, keys)
  writer.u8(item.remove.length)
  for (const key of item.remove) writer.raw(key)
}

/** What operators (and new validators, for possession) sign: the whole change, its term, the mesh and the set it changes. */
export function subjectOf(
  item: MemberRemoveItem | ValidatorsItem,
  meshId: Bytes,
  setDigest: Bytes,
): Bytes {
  const writer = new Writer().raw(SUBJECT_DOMAIN).raw(meshId).raw(setDigest)
  writeSubject(writer, item)
  return writer.finish()
}

function writeItem(writer: Writer, item: Item): void {
  switch (item.type) {
    case "envelope":
      writer.u8(item.root === undefined ? TAG.work : TAG.proof)
      writer.raw(item.id).raw(item.spend)
      if (item.root !== undefined) writer.raw(item.root)
      return
    case "member-add":
      writer.u8(TAG.memberAdd).raw(item.commitment).raw(item.voucher).bytes(item.evidence, 2)
      return
    case "member-remove":
      writer.u8(TAG.memberRemove).u32(item.term).raw(item.commitment)
      writeApprovals(writer, item.approvals)
      return
    case "validators":
      writer.u8(TAG.validators).u32(item.term).u8(item.add.length)
      for (const { keys, possession } of item.add) writeKeys(writer, keys).bytes(possession, 2)
      writer.u8(item.remove.length)
      for (const key of item.remove) writer.raw(key)
      writeApprovals(writer, item.approvals)
      return
    case "tick":
      writer.u8(TAG.tick).u32(item.period)
  }
}

/** Signers strictly ascending, so that no one is counted twice. */
function readApprovals(reader: Reader): Approval[] {
  const count = reader.u16()
  if (count > VALIDATORS_MAX) throw new CryptoError("TOO_LARGE", `${count} approvals`)
  const approvals: Approval[] = []
  let before = -1
  for (let i = 0; i < count; i++) {
    const signer = reader.u16()
    if (signer <= before) throw new CryptoError("BAD_ENCODING", "approvals out of order")
    before = signer
    approvals.push({ signer, signature: reader.bytes(2, SIGNATURE_MAX_BYTES) })
  }
  return approvals
}

const readCount = (reader: Reader): number => {
  const count = reader.u8()
  if (count > SET_CHANGE_MAX) throw new CryptoError("TOO_LARGE", `${count} members at once`)
  return count
}

function readItem(reader: Reader): Item {
  const tag = reader.u8()
  switch (tag) {
    case TAG.work:
      return { type: "envelope", id: reader.raw(DIGEST_BYTES), spend: reader.raw(DIGEST_BYTES) }
    case TAG.proof:
      return {
        type: "envelope",
        id: reader.raw(DIGEST_BYTES),
        spend: reader.raw(DIGEST_BYTES),
        root: reader.raw(ROOT_TAG_BYTES),
      }
    case TAG.memberAdd:
      return {
        type: "member-add",
        commitment: reader.raw(DIGEST_BYTES),
        voucher: reader.raw(DIGEST_BYTES),
        evidence: reader.bytes(2, ITEM_EVIDENCE_MAX_BYTES),
      }
    case TAG.memberRemove: {
      const term = reader.u32()
      const commitment = reader.raw(DIGEST_BYTES)
      return { type: "member-remove", term, commitment, approvals: readApprovals(reader) }
    }
    case TAG.validators: {
      const term = reader.u32()
      const add = Array.from({ length: readCount(reader) }, () => ({
        keys: {
          ed25519: reader.raw(ED25519_PUBLIC_BYTES),
          mlDsa65: reader.raw(ML_DSA_65_PUBLIC_BYTES),
          slhDsa: reader.raw(SLH_DSA_PUBLIC_BYTES),
        },
        possession: reader.bytes(2, SIGNATURE_MAX_BYTES),
      }))
      const remove = Array.from({ length: readCount(reader) }, () =>
        reader.raw(ED25519_PUBLIC_BYTES),
      )
      return { type: "validators", term, add, remove, approvals: readApprovals(reader) }
    }
    case TAG.tick:
      return { type: "tick", period: reader.u32() }
    default:
      throw new CryptoError("BAD_ENCODING", `no item has tag ${tag}`)
  }
}

export function encodeItem(item: Item): Bytes {
  const writer = new Writer()
  writeItem(writer, item)
  return writer.finish()
}

/** Throws CryptoError BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeItem(bytes: Bytes): Item {
  const reader = new Reader(bytes)
  const item = readItem(reader)
  reader.done()
  return item
}

/** What an item is known by: an envelope's own id, a hash of the encoding for everything else. 32 bytes. */
export const itemId = (item: Item): Bytes =>
  item.type === "envelope" ? item.id : primitives.sha3_256(ITEM_DOMAIN, encodeItem(item))

/** What an item uses up besides itself, if anything: at most one item with it is ever ordered. */
export function spendOf(item: Item): Bytes | undefined {
  if (item.type === "envelope") return item.spend
  if (item.type === "member-add") return item.voucher
  return undefined
}

/** Digest D of a batch. It names neither a view nor a parent, so a batch keeps its digest when it is proposed again. */
export const batchDigest = (bytes: Bytes): Bytes => primitives.sha3_256(BATCH_DOMAIN, bytes)

/** Makes a batch of at most BLOCK_ITEMS_MAX items. */
export function batchOf(items: readonly Item[]): Batch {
  assert(items.length <= BLOCK_ITEMS_MAX, "a batch is not longer than a block")
  const writer = new Writer().u16(items.length)
  for (const item of items) writeItem(writer, item)
  const bytes = writer.finish()
  assert(bytes.length <= BATCH_MAX_BYTES, "a batch fits its limit")
  return { items, bytes, digest: batchDigest(bytes) }
}

/** Throws CryptoError BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeBatch(bytes: Bytes): Batch {
  if (bytes.length > BATCH_MAX_BYTES) throw new CryptoError("TOO_LARGE", "a batch over its limit")
  const reader = new Reader(bytes)
  const count = reader.u16()
  if (count > BLOCK_ITEMS_MAX) throw new CryptoError("TOO_LARGE", `a batch of ${count} items`)
  const items: Item[] = []
  for (let i = 0; i < count; i++) items.push(readItem(reader))
  reader.done()
  return { items, bytes, digest: batchDigest(bytes) }
}

/** Section 4.4's null request: a block that orders nothing, the same everywhere. */
export const NULL_BATCH: Batch = batchOf([])

export const isNull = (digest: Bytes): boolean =>
  digest === NULL_BATCH.digest || keyOf(digest) === keyOf(NULL_BATCH.digest)

/** Whether two envelopes' items say the same, without working out keys for them. */
export function isSameEnvelope(a: Item, b: Item): boolean {
  if (a.type !== "envelope" || b.type !== "envelope") return false
  if (!equal(a.id, b.id) || !equal(a.spend, b.spend)) return false
  return a.root === undefined || b.root === undefined ? a.root === b.root : equal(a.root, b.root)
}

/** Whether two items have one encoding. */
export const sameItem = (a: Item, b: Item): boolean =>
  a === b ||
  (a.type === "envelope" && b.type === "envelope"
    ? isSameEnvelope(a, b)
    : equal(encodeItem(a), encodeItem(b)))
