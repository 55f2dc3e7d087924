/**
 * Where a message stands in its thread (DESIGN §10): where the ledger put it, and what has no place there yet stands behind all that has,
 * by Lamport clock, then id, which is the same at everybody who has the same messages. 22 bytes that sort as the thread reads:
 *
 *   0x40 · height 6 · envelope's number in its block 2 · text's number in its payload 2 · first 11 of its id
 *   0x80 · Lamport clock 6 · first 15 of its id
 *   0x00 … a message of before the ledger's order was kept: Lamport clock 6 · id 16
 *
 * It is a key in the store, where it must sort and so cannot be blinded: nothing in it may be computed from an address.
 */
import { type Bytes, concat, Writer } from "../crypto/bytes.ts"
import { writeLamport } from "./said.ts"

export const POSITION_BYTES = 22
const ORDERED = 0x40
const UNORDERED = 0x80

/** Where the ledger put a message. */
export interface MessagePlace {
  readonly height: number
  /** Of the envelope that completed it, in its block. */
  readonly index: number
  /** Of the message among those of its payload. */
  readonly part: number
}

export interface Placed {
  /** 16 bytes. */
  readonly id: Bytes
  readonly lamport: number
  /** `none` while the ledger has not ordered it, or there is none; `former`: kept by a program that did not ask. */
  readonly place: MessagePlace | "none" | "former"
}

export function positionOf({ id, lamport, place }: Placed): Bytes {
  if (place === "former") return concat(writeLamport(new Writer(), lamport).finish(), id)
  if (place === "none")
    return writeLamport(new Writer().u8(UNORDERED), lamport).raw(id.subarray(0, 15)).finish()
  const { height, index, part } = place
  const at = new Writer()
    .u8(ORDERED)
    .u16(Math.floor(height / 2 ** 32))
    .u32(height % 2 ** 32)
  return at
    .u16(Math.min(index, 0xffff))
    .u16(Math.min(part, 0xffff))
    .raw(id.subarray(0, 11))
    .finish()
}

/** It stands where the ledger put it, or where an earlier program did: it will not move. */
export const isSettled = ({ place }: Pick<Placed, "place">): boolean => place !== "none"
