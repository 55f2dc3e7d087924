/**
 * The outside of a backup file: a header that a passphrase opens, then chunks sealed one by one, in the manner of age
 * (C2SP/age, "Payload"): whoever reads it notices every altered, missing, repeated or added byte before using any that follow.
 *
 *   "sotto-backup/1\n" 15 · memory KiB 4 · passes 1 · lanes 1 · salt 16 · nonce 12 · AES-256-GCM(file key) 48
 *   chunks: AES-256-GCM of 65,536 bytes each, the last of 1 to 65,536 (0 only where it is the first); nonce: index 11 · last? 1
 *
 * Argon2id stretches the passphrase, elsewhere (a worker). What the chunks hold, backup-records.ts says.
 */
import { primitives } from "#primitives"
import { type Bytes, concat, equal, exactly, Reader, utf8, Writer } from "./bytes.ts"
import { assert, CryptoError } from "./errors.ts"
import { derive, domain } from "./kdf.ts"
import { checkCost, type Stretching } from "./keyfile.ts"

const MAGIC = utf8("sotto-backup/1\n")
const MAGIC_ANY_VERSION = utf8("sotto-backup/")
const TAG_BYTES = 16
const NONCE_BYTES = 12
const FILE_KEY_BYTES = 32
const SALT_BYTES = 16

/** Plaintext of a chunk that is not the last. */
export const CHUNK_BYTES = 65_536
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
export const BACKUP_HEADER_BYTES =
  MAGIC.length + 6 + SALT_BYTES + NONCE_BYTES + FILE_KEY_BYTES + TAG_BYTES

export interface BackupHeader extends Stretching {
  readonly nonce: Bytes
  /** The file key, wrapped: 48 bytes. */
  readonly wrapped: Bytes
}

const stretchingBytes = ({ cost, salt }: Stretching) =>
  new Writer().raw(MAGIC).u32(cost.memoryKiB).u8(cost.passes).u8(cost.lanes).raw(salt).finish()

/** Whether these bytes begin as a backup does, of whatever version. */
export const looksLikeBackup = (bytes: Bytes): boolean =>
  equal(bytes.subarray(0, MAGIC_ANY_VERSION.length), MAGIC_ANY_VERSION)

/** `bytes`: BACKUP_HEADER_BYTES. Throws CryptoError BAD_ENCODING (no backup, or impossible cost), BAD_VERSION, BAD_LENGTH. */
export function decodeBackupHeader(bytes: Bytes): BackupHeader {
  const read = new Reader(bytes)
  if (!looksLikeBackup(bytes)) throw new CryptoError("BAD_ENCODING", "not a backup of sotto")
  if (!equal(read.raw(MAGIC.length), MAGIC))
    throw new CryptoError("BAD_VERSION", "a backup of another version")
  const cost = { memoryKiB: read.u32(), passes: read.u8(), lanes: read.u8() }
  checkCost(cost)
  const salt = read.raw(SALT_BYTES)
  const nonce = read.raw(NONCE_BYTES)
  const wrapped = read.raw(FILE_KEY_BYTES + TAG_BYTES)
  read.done()
  return { cost, salt, nonce, wrapped }
}

/** `stretched`: the 32 bytes that Argon2id gave. Throws CryptoError WRONG_PASSPHRASE (or the header was altered: the two look alike). */
export function openBackup(header: BackupHeader, stretched: Bytes): BackupOpener {
  const associated = concat(domain("backup header"), stretchingBytes(header))
  const fileKey = primitives.aesGcmOpen(stretched, header.nonce, header.wrapped, associated)
  if (fileKey === undefined)
    throw new CryptoError("WRONG_PASSPHRASE", "the passphrase does not open the backup")
  return new BackupOpener(payloadKey(fileKey))
}

/** A new backup: its header, and what seals its chunks. */
export function beginBackup(
  stretching: Stretching,
  stretched: Bytes,
): { readonly header: Bytes; readonly sealer: BackupSealer } {
  const fileKey = primitives.randomBytes(FILE_KEY_BYTES)
  const nonce = primitives.randomBytes(NONCE_BYTES)
  const head = stretchingBytes(stretching)
  const key = exactly(stretched, 32, "stretched passphrase")
  const associated = concat(domain("backup header"), head)
  const wrapped = primitives.aesGcmSeal(key, nonce, fileKey, associated)
  return { header: concat(head, nonce, wrapped), sealer: new BackupSealer(payloadKey(fileKey)) }
}

const payloadKey = (fileKey: Bytes) => derive("backup payload", fileKey, new Uint8Array(0), 32)

/** Eleven bytes of index, one that marks the last: a file cut between two chunks has no end. */
const chunkNonce = (index: number, isLast: boolean) =>
  new Writer()
    .raw(new Uint8Array(3))
    .u64(index)
    .u8(isLast ? 1 : 0)
    .finish()

/** Cuts what it is given into chunks and seals them. */
export class BackupSealer {
  readonly #key: Bytes
  #index = 0
  #waiting: Bytes[] = []
  #waitingBytes = 0

  constructor(key: Bytes) {
    this.#key = key
  }

  /** What is whole by now; a chunk is kept back until it is known not to be the last. */
  add(bytes: Bytes): Bytes[] {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes <= CHUNK_BYTES) return []
    let rest = concat(...this.#waiting)
    const out: Bytes[] = []
    for (; rest.length > CHUNK_BYTES; rest = rest.subarray(CHUNK_BYTES))
      out.push(this.#seal(rest.subarray(0, CHUNK_BYTES), false))
    this.#waiting = [rest]
    this.#waitingBytes = rest.length
    return out
  }

  end(): Bytes {
    return this.#seal(concat(...this.#waiting), true)
  }

  #seal(plaintext: Bytes, isLast: boolean): Bytes {
    return primitives.aesGcmSeal(this.#key, chunkNonce(this.#index++, isLast), plaintext)
  }
}

/** Opens chunks, in order. */
export class BackupOpener {
  readonly #key: Bytes
  #index = 0
  #ended = false

  constructor(key: Bytes) {
    this.#key = key
  }

  /** Throws CryptoError BAD_SIGNATURE for a chunk that is altered, out of place, or the last where it is not (and the reverse). */
  open(sealed: Bytes, isLast: boolean): Bytes {
    assert(!this.#ended, "nothing follows the last chunk")
    const index = this.#index++
    this.#ended = isLast
    const plaintext = primitives.aesGcmOpen(this.#key, chunkNonce(index, isLast), sealed)
    // [REJECT] an empty chunk behind others: the same contents would have two encodings
    if (plaintext === undefined || (plaintext.length === 0 && index > 0))
      throw new CryptoError("BAD_SIGNATURE", "the backup is altered or cut off")
    return plaintext
  }
}
