/** What a channel holds (held.ts) as the vault keeps it, inside the channel's record. Throws a coded error when that is damaged. */
import { addressBytes, addressFromBytes } from "../crypto/address.ts"
import { BLOB_REF_BYTES, decodeBlobRef, encodeBlobRef } from "../crypto/blob.ts"
import type { Bytes, Reader, Writer } from "../crypto/bytes.ts"
import { decodeState, encodeState } from "../crypto/session.ts"
import type { Channel } from "./channel.ts"
import type { FarPart, FarPast, HeldCommit, HeldConfirmation, OwnCommit, Place } from "./held.ts"
import { readWish, writeWish } from "./wishes.ts"

export function writeHeld(out: Writer, { envelope, leaf, own, payload, far }: HeldCommit): void {
  out.raw(envelope).u32(leaf).bytes(payload, 4)
  out.u8(far === null ? 0 : 1)
  if (far !== null) writePlace(out.raw(encodeBlobRef(far.ref)), far.ordered)
  out.u8(own === null ? 0 : 1)
  if (own === null) return
  out.bytes(encodeState(own.next), 4).bytes(own.welcome, 4).u16(own.invited.length)
  for (const address of own.invited) out.raw(addressBytes(address))
  out
    .u8(own.renews ? 1 : 0)
    .u64(own.madeAtMs)
    .u16(own.grants.length)
  for (const wish of own.grants) writeWish(out, wish)
}

/** `hasFar`: the record is of a program that knew commits in blobs. */
export function readHeld(read: Reader, max: number, hasFar: boolean): HeldCommit {
  const envelope = read.raw(32)
  const leaf = read.u32()
  const payload = read.bytes(4, max)
  const far = hasFar && read.u8() === 1 ? readFar(read) : null
  const own = read.u8() === 0 ? null : readOwn(read, max)
  return { envelope, leaf, own, payload, far }
}

const readRef = (read: Reader) => decodeBlobRef(read.raw(BLOB_REF_BYTES))

const readFar = (read: Reader): FarPart => ({ ref: readRef(read), ordered: readPlace(read) })

function readOwn(read: Reader, max: number): OwnCommit {
  const next = decodeState(read.bytes(4, max))
  const welcome = read.bytes(4, max)
  const invited = Array.from({ length: read.u16() }, () => addressFromBytes(read.raw(64)))
  const renews = read.u8() === 1
  const madeAtMs = read.u64()
  const grants = Array.from({ length: read.u16() }, () => readWish(read))
  return { next, welcome, invited, grants, renews, madeAtMs }
}

function writePlace(out: Writer, place: Place | null): void {
  out.u8(place === null ? 0 : 1)
  if (place !== null) out.u64(place.height).u32(place.index)
}

const readPlace = (read: Reader): Place | null =>
  read.u8() === 0 ? null : { height: read.u64(), index: read.u32() }

export function writeConfirmations(
  out: Writer,
  { confirmations, farPast }: Pick<Channel, "confirmations" | "farPast">,
): void {
  out.u16(confirmations.length)
  for (const { envelope, leaf, commit, ordered } of confirmations)
    writePlace(out.raw(envelope).u32(leaf).raw(commit), ordered)
  out.u8(farPast.length)
  for (const { envelope, ref } of farPast) out.raw(envelope).raw(encodeBlobRef(ref))
}

export function readConfirmations(read: Reader): Pick<Channel, "confirmations" | "farPast"> {
  const confirmations = Array.from({ length: read.u16() }, (): HeldConfirmation => ({
    envelope: read.raw(32),
    leaf: read.u32(),
    commit: read.raw(32),
    ordered: readPlace(read),
  }))
  const farPast = Array.from({ length: read.u8() }, (): FarPast => {
    const envelope: Bytes = read.raw(32)
    return { envelope, ref: readRef(read) }
  })
  return { confirmations, farPast }
}
