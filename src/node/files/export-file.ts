/**
 * A message in a file that anybody can check, who need not be in its thread nor in its mesh: who wrote it (chat/authorship.ts), and where
 * the ledger put it (consensus/place.ts). Bytes in, verdict out; nothing is asked of anybody.
 *
 *   file  "sotto-export/1\n" 15 · genesis (length 4) · authorship · ordered 1 (0 or 1) · place proof, if ordered
 *
 * Whether the mesh is the one somebody means, and the address the person they mean, no file can say: the verdict names both for comparison.
 */
import { type Attributed, type AuthorshipFault, judgeAuthorship } from "../../chat/authorship.ts"
import { type Authorship, readAuthorship, writeAuthorship } from "../../chat/authorship.ts"
import { hybridScheme } from "../../consensus/hybrid.ts"
import {
  judgePlaces,
  type Placed,
  type PlaceFault,
  type PlaceProof,
  readPlaces,
  writePlaces,
} from "../../consensus/place.ts"
import { type Bytes, equal, Reader, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { decodeGenesis, type Genesis, GENESIS_BYTES_MAX, meshIdOf } from "../../crypto/genesis.ts"
import { ledgerRules } from "../ledger/rules.ts"

const HEAD = utf8("sotto-export/1\n")
/** A file that is larger is not read. One of a mesh of four validators has about 70 KB. */
export const EXPORT_BYTES_MAX = 16 * 1024 * 1024

export interface MessageExport {
  readonly genesis: Bytes
  readonly authorship: Authorship
  /** Null in one that says who wrote it, and not when. */
  readonly places: PlaceProof | null
}

export type ExportFault =
  /** No such file, or not a whole one. */
  | "NOT_AN_EXPORT"
  /** Of a later version of the format. */
  | "NEWER_EXPORT"
  | AuthorshipFault
  | PlaceFault

export interface ExportVerdict extends Attributed {
  readonly genesis: Genesis
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly order: ShownOrder | null
}

export interface ShownOrder extends Placed {
  /** Height by which all of its envelopes were ordered: that of a message of one envelope is `height`. */
  readonly wholeAt: number
  readonly signatures: number
  readonly validators: number
  readonly quorum: number
}

/** Throws CryptoError TOO_LARGE. */
export function encodeExport({ genesis, authorship, places }: MessageExport): Bytes {
  const out = writeAuthorship(new Writer().raw(HEAD).bytes(genesis, 4), authorship)
  out.u8(places === null ? 0 : 1)
  if (places !== null) writePlaces(out, places)
  const bytes = out.finish()
  if (bytes.length > EXPORT_BYTES_MAX)
    throw new CryptoError("TOO_LARGE", `an export of ${bytes.length} bytes`)
  return bytes
}

/** Form alone. Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeExport(bytes: Bytes): MessageExport {
  if (bytes.length > EXPORT_BYTES_MAX) throw new CryptoError("TOO_LARGE", "export")
  const read = new Reader(bytes)
  const head = read.raw(HEAD.length)
  if (!equal(head, HEAD))
    throw new CryptoError(isOther(head) ? "BAD_VERSION" : "BAD_ENCODING", "export")
  const genesis = read.bytes(4, GENESIS_BYTES_MAX)
  const authorship = readAuthorship(read)
  const ordered = read.u8()
  if (ordered > 1) throw new CryptoError("BAD_ENCODING", "ordered or not")
  const places = ordered === 1 ? readPlaces(read) : null
  read.done()
  return { genesis, authorship, places }
}

const isOther = (head: Bytes): boolean => equal(head.subarray(0, 13), HEAD.subarray(0, 13))

/** Checks the whole file, every signature in it. Never throws for what is in it. */
export async function verifyExport(
  bytes: Bytes,
): Promise<ExportVerdict | { readonly ok: false; readonly code: ExportFault }> {
  const no = (code: ExportFault) => ({ ok: false, code }) as const
  let shown: MessageExport
  let genesis: Genesis
  try {
    shown = decodeExport(bytes)
    genesis = decodeGenesis(shown.genesis)
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error
    return no(error.code === "BAD_VERSION" ? "NEWER_EXPORT" : "NOT_AN_EXPORT")
  }
  const meshId = meshIdOf(shown.genesis)
  const attributed = await judgeAuthorship(meshId, shown.authorship)
  if (!attributed.ok) return attributed
  if (shown.places === null) return { ...attributed, genesis, meshId, order: null }
  const rules = ledgerRules({ genesis, meshId })
  const placed = judgePlaces(rules, shown.places, attributed.envelopes, hybridScheme())
  if (!placed.ok) return placed
  const { places, signatures, validators, quorum } = placed
  const last = places.at(-1)
  if (last === undefined) return no("NOT_ORDERED")
  const wholeAt = Math.max(...places.map(({ height }) => height))
  const order = { ...last, wholeAt, signatures, validators, quorum }
  return { ...attributed, genesis, meshId, order }
}
