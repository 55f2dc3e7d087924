/**
 * What an owner remembers of one day's pools over a restart: which keepers hold packages that go with the present card, and how many each
 * of them was given that day. Without it (a new day, a restored profile) whatever keepers have is void. In the vault.
 *
 *   version 1 · epoch 4 · sequence of the card 8 · for each way of signing: count 1, each: (length 1) peer id · given 1 · holds 1
 */
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { type Signing, SIGNINGS } from "../../crypto/session.ts"
import { flag } from "../transport/stream-replies.ts"

const VERSION = 1

export interface Given {
  /** Packages of this day, over all. */
  readonly count: number
  /** What it has goes with the present card. */
  readonly holds: boolean
}

export interface PackageBook {
  readonly epoch: number
  /** Of the card that the packages go with. */
  readonly sequence: number
  /** By peer id, for each way of signing. */
  readonly given: Readonly<Record<Signing, ReadonlyMap<string, Given>>>
}

/** The book to go on with: another day begins a new one, another card makes void what keepers have. */
export function bookFor(
  before: PackageBook | undefined,
  { epoch, sequence }: Pick<PackageBook, "epoch" | "sequence">,
): PackageBook {
  if (before?.epoch !== epoch)
    return { epoch, sequence, given: { ed25519: new Map(), composite: new Map() } }
  if (before.sequence === sequence) return before
  const voided = (signing: Signing) =>
    new Map(
      Array.from(before.given[signing], ([peer, { count }]) => [peer, { count, holds: false }]),
    )
  return { epoch, sequence, given: { ed25519: voided("ed25519"), composite: voided("composite") } }
}

/** The same after a keeper was given some more. */
export function noted(
  book: PackageBook,
  signing: Signing,
  peer: string,
  count: number,
): PackageBook {
  const before = book.given[signing].get(peer)?.count ?? 0
  const entry: Given = { count: before + count, holds: true }
  return {
    ...book,
    given: { ...book.given, [signing]: new Map([...book.given[signing], [peer, entry]]) },
  }
}

/** Packages of this day that were given away so far. */
export const givenIn = (book: PackageBook, signing: Signing): number =>
  Array.from(book.given[signing].values()).reduce((sum, { count }) => sum + count, 0)

export function encodeBook({ epoch, sequence, given }: PackageBook): Bytes {
  const out = new Writer().u8(VERSION).u32(epoch).u64(sequence)
  for (const signing of SIGNINGS) {
    out.u8(given[signing].size)
    for (const [peer, { count, holds }] of given[signing])
      out
        .text(peer, 1)
        .u8(count)
        .u8(holds ? 1 : 0)
  }
  return out.finish()
}

/** Throws CryptoError. */
export function decodeBook(bytes: Bytes): PackageBook {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "record of packages given")
  const [epoch, sequence] = [read.u32(), read.u64()]
  const keepers = () =>
    new Map(
      Array.from({ length: read.u8() }, (): [string, Given] => [
        read.text(1, 255),
        { count: read.u8(), holds: flag(read.u8()) },
      ]),
    )
  const given = { ed25519: keepers(), composite: keepers() }
  read.done()
  return { epoch, sequence, given }
}
