/**
 * The chain: heights, terms, and what a block hash B covers. A block names its parent, its batch by digest D and the state
 * after it. Neither view nor time: whoever gets the same items in the same order gets the same B.
 */
import { Writer } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { primitives } from "#primitives"

const BLOCK_DOMAIN = new Writer().text("sotto/block/1", 1).finish()
const START_DOMAIN = new Writer().text("sotto/ledger-start/1", 1).finish()

export interface BlockHeader {
  readonly height: number
  readonly parent: Bytes
  /** D of the batch. */
  readonly digest: Bytes
  readonly stateRoot: Bytes
}

/** B, 32 bytes. */
export const blockHash = (meshId: Bytes, header: BlockHeader): Bytes =>
  primitives.sha3_256(
    new Writer()
      .raw(BLOCK_DOMAIN)
      .raw(meshId)
      .u64(header.height)
      .raw(header.parent)
      .raw(header.digest)
      .raw(header.stateRoot)
      .finish(),
  )

/** What the first block names as its parent. */
export const startHash = (meshId: Bytes, stateRoot: Bytes): Bytes =>
  primitives.sha3_256(START_DOMAIN, meshId, stateRoot)

/** Heights 1 to K are term 0, and so on. */
export const termOf = (height: number, termHeights: number): number =>
  Math.floor((height - 1) / termHeights)

/** The height just below a term: its low watermark h. */
export const lowMark = (term: number, termHeights: number): number => term * termHeights

/** The last height of a term: its high watermark H. */
export const highMark = (term: number, termHeights: number): number => (term + 1) * termHeights

/** Section 4.2: "the sequence number in the pre-prepare is between a low water mark, h, and a high water mark, H". */
export const inWindow = (height: number, term: number, termHeights: number): boolean =>
  height > lowMark(term, termHeights) && height <= highMark(term, termHeights)
