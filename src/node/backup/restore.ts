/**
 * Brings a profile back from a backup. The whole file is read and checked first, every chunk and every record; only then is anything
 * written, into a folder of its own, which takes the profile's name when it is whole. Nothing of the peer that made the backup goes on
 * here as it was: channels are read and not written into any more, and everybody is introduced afresh (PROTOCOL.md, Backups).
 */
import { randomBytes } from "node:crypto"
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises"
import { dirname, join } from "node:path"
import { primitives } from "#primitives"
import { type Channel, NO_WAY_BACK } from "../../chat/channel.ts"
import type { Address } from "../../crypto/address.ts"
import {
  BACKUP_HEADER_BYTES,
  type BackupHeader,
  decodeBackupHeader,
  openBackup,
  SEALED_CHUNK_BYTES,
} from "../../crypto/backup.ts"
import { type AboutBackup, type BackupRecord, BackupRecords } from "../../crypto/backup-records.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { addressOfRoots } from "../../crypto/identity.ts"
import { KEEP_UNUSED_MS } from "../../crypto/one-time.ts"
import {
  namedVault,
  openVault,
  passphraseBytes,
  sealRecord,
  VAULT_KEY_BYTES,
} from "../../crypto/keyfile.ts"
import { AddressBook } from "../network/address-book.ts"
import { ApiError } from "../api/errors.ts"
import { syncDirectory } from "./backup.ts"
import { ChatRecords } from "../chat/records.ts"
import { systemClock } from "../clock.ts"
import { fileError } from "../files/file-errors.ts"
import { heavy } from "../heavy.ts"
import { provenBlock } from "../ledger/proof.ts"
import { keepGenesis } from "../mesh/genesis.ts"
import { type Mesh, meshFrom } from "../mesh/mesh.ts"
import { packageHash, type Restored } from "../identity/restored.ts"
import { Sealed } from "../store/sealed.ts"
import { sealedShelf } from "../store/sealed-store.ts"
import { openStore, type Store, type Write } from "../store/store.ts"
import { protectedKeyfile } from "../identity/vault.ts"
import { writeWhole } from "../store/whole-file.ts"
import { namingWrite } from "../identity/vault-naming.ts"

/** From something that can be read once only: more does not belong into memory. */
const PIPED_BYTES_MAX = 1024 * 1024 * 1024
const BATCH_BYTES = 1024 * 1024

/** Sealed chunks from the first to the last, as often as one likes. */
type Chunks = () => AsyncIterable<{ readonly sealed: Bytes; readonly isLast: boolean }>

export interface OpenedBackup {
  readonly about: AboutBackup
  readonly mesh: Mesh
  readonly proof: ReturnType<typeof provenBlock> | undefined
  /** Private records and peers, checked again on the way. Throws as `openBackupFile` does. */
  records(): AsyncIterable<BackupRecord>
  close(): Promise<void>
}

export interface OpenBackupOptions {
  /** `-` for standard input. */
  readonly path: string
  readonly passphrase: string
  readonly signal?: AbortSignal
}

/** Reads the file from its begin to its end, and keeps it open. Throws ApiError BAD_FILE, BAD_BACKUP, WRONG_PASSPHRASE, STORE_NEWER. */
export async function openBackupFile(options: OpenBackupOptions): Promise<OpenedBackup> {
  const { path, passphrase, signal } = options
  const file = await open(path === "-" ? "/dev/stdin" : path, "r").catch((error: unknown) => {
    throw fileError(error)
  })
  try {
    const { header, chunks } = await source(file)
    const job = { job: "stretch", passphrase: passphraseBytes(passphrase) } as const
    const stretched = await heavy({ ...job, salt: header.salt, cost: header.cost }, signal)
    const records = () => recordsIn(header, stretched, chunks)
    const first = await checked(records)
    return { ...first, records, close: () => file.close() }
  } catch (error) {
    await file.close()
    throw backupError(error)
  }
}

async function source(file: FileHandle): Promise<{ header: BackupHeader; chunks: Chunks }> {
  const stat = await file.stat()
  const whole = stat.isFile() ? undefined : await piped(file)
  const size = whole?.length ?? stat.size
  const read = async (at: number, length: number): Promise<Bytes> => {
    if (whole !== undefined) return whole.subarray(at, at + length)
    const bytes = new Uint8Array(length)
    let had = 0
    while (had < length) {
      const { bytesRead } = await file.read(bytes, had, length - had, at + had)
      if (bytesRead === 0) break
      had += bytesRead
    }
    return bytes.subarray(0, had)
  }
  const header = decodeBackupHeader(await read(0, Math.min(size, BACKUP_HEADER_BYTES)))
  async function* chunks() {
    for (let at = BACKUP_HEADER_BYTES; at < size || at === BACKUP_HEADER_BYTES;) {
      const isLast = size - at <= SEALED_CHUNK_BYTES
      yield { sealed: await read(at, Math.min(SEALED_CHUNK_BYTES, size - at)), isLast }
      at += SEALED_CHUNK_BYTES
    }
  }
  return { header, chunks }
}

async function piped(file: FileHandle): Promise<Bytes> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > PIPED_BYTES_MAX) throw new CryptoError("TOO_LARGE", "a backup too large for a pipe")
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

async function* recordsIn(
  header: BackupHeader,
  stretched: Bytes,
  chunks: Chunks,
): AsyncIterable<BackupRecord> {
  const opener = openBackup(header, stretched)
  const records = new BackupRecords()
  for await (const { sealed, isLast } of chunks()) yield* records.add(opener.open(sealed, isLast))
  records.end()
}

/** Goes through all of it once. */
async function checked(
  records: () => AsyncIterable<BackupRecord>,
): Promise<Pick<OpenedBackup, "about" | "mesh" | "proof">> {
  let about: AboutBackup | undefined
  for await (const record of records()) if (record.kind === "about") about = record
  if (about === undefined) throw new CryptoError("BAD_LENGTH", "a backup of nothing")
  const mesh = meshFrom(about.genesis)
  const proof = about.block.length === 0 ? undefined : provenBlock(mesh, about.block)
  return { about, mesh, proof }
}

/** Everything that is wrong with the bytes is one thing to a person: it is no backup that can be used. */
function backupError(error: unknown): Error {
  if (!(error instanceof CryptoError)) return fileError(error)
  if (error.code === "WRONG_PASSPHRASE")
    return new ApiError("WRONG_PASSPHRASE", "the passphrase does not open the backup", {
      cause: error,
      hint: "try again; if you are sure of it, the begin of the file is altered. Nothing was changed",
    })
  if (error.code === "BAD_VERSION")
    return new ApiError("STORE_NEWER", "the backup was written by another version", {
      cause: error,
    })
  return new ApiError("BAD_BACKUP", "the file is no whole backup: altered, or cut off", {
    cause: error,
  })
}

/** A vault of its own for what comes out of a backup, and the key behind it. */
export interface RestoredInto {
  readonly vaultKey: Bytes
  readonly address: Address
  readonly name: string
  readonly restored: Restored
}

/** Writes the backup into a store that holds nothing yet. Throws ApiError BAD_BACKUP, StoreError. */
export async function restoreInto(store: Store, backup: OpenedBackup): Promise<RestoredInto> {
  const { about, mesh } = backup
  if (about.schema > store.schema)
    throw new ApiError("STORE_NEWER", "the backup was written by a newer version")
  const vaultKey = primitives.randomBytes(VAULT_KEY_BYTES)
  const own = openVault(vaultKey)
  const vault = namedVault(own, about.naming)
  const book = await AddressBook.open(store)
  let writes: Write[] = [namingWrite(own, about.naming)]
  let bytes = 0
  for await (const record of backup.records()) {
    if (record.kind === "peer") await book.remember(record.peer, record.addresses)
    if (record.kind !== "private") continue
    const { key, plaintext } = record
    writes.push({ table: "sealed", key, value: sealRecord(vault, key, plaintext) })
    bytes += plaintext.length
    if (bytes < BATCH_BYTES) continue
    await store.batch(writes)
    writes = []
    bytes = 0
  }
  await store.batch(writes)
  const moved = await moveIn(new ChatRecords(new Sealed(vault, sealedShelf(store))), backup)
  await keepGenesis(store, mesh.bytes)
  return { vaultKey, ...moved }
}

/** Makes of the other peer's records this one's: see restored.ts, and `retired` in chat/channel.ts. Throws ApiError BAD_BACKUP. */
export async function moveIn(
  records: ChatRecords,
  { about, proof }: { about: Pick<AboutBackup, "period">; proof: OpenedBackup["proof"] },
): Promise<Omit<RestoredInto, "vaultKey">> {
  const identity = await records.identity()
  if (identity === undefined) throw new ApiError("BAD_BACKUP", "the backup holds no identity")
  const oneTime = await records.oneTimePackages()
  const lateMs = systemClock.nowMs() + KEEP_UNUSED_MS
  const restored: Restored = {
    height: proof?.height ?? 0,
    hash: proof?.hash ?? new Uint8Array(32),
    standing: proof === undefined || proof.certified ? "certified" : "unchecked",
    period: about.period,
    packages: [identity, ...identity.old]
      .flatMap(({ lastResort, composite }) => [lastResort, composite?.lastResort])
      .filter((each) => each !== undefined)
      .concat(oneTime)
      .map((each) => packageHash(each.public)),
  }
  const channels = await records.channels.all()
  await records.write(
    [
      ...channels.flatMap((channel) => records.channels.put(retired(channel)).ops),
      // Whoever was given one of these gets through; keepers are told to drop the others.
      ...oneTime.map((each) =>
        records.putOneTime({ ...each, epoch: 0, destroyAtMs: each.destroyAtMs ?? lateMs }),
      ),
      records.delPackageBook(),
      // arrival numbers of the other store
      records.putCursor(0),
      records.putRestored(restored),
    ],
    { sync: true },
  )
  return { address: addressOfRoots(identity.roots), name: identity.name, restored }
}

/**
 * Read only, and in a group to be let in anew. What we wanted of it may have come about since, and what the other peer gave out to come
 * back by it may have used.
 */
function retired(channel: Channel): Channel {
  const { group } = channel
  if (group === null) return { ...channel, retired: true }
  const way = { ...NO_WAY_BACK, returned: group.way.returned }
  return { ...channel, retired: true, group: { ...group, wishes: [{ kind: "return" }], way } }
}

export interface RestoreOptions extends OpenBackupOptions {
  /** The profile's folder; it must hold no profile yet. */
  readonly dataDir: string
  /** `checking` the file, then `writing`. */
  readonly progress: (what: "checking" | "writing") => void
}

/**
 * Restores into a folder. The profile is sealed under the backup's passphrase. Throws ApiError ALREADY_EXISTS and what `openBackupFile`
 * throws; then nothing has changed.
 */
export async function restoreProfile(
  options: RestoreOptions,
): Promise<Omit<RestoredInto, "vaultKey">> {
  const { dataDir, passphrase, progress, signal } = options
  await mustBeFree(dataDir)
  progress("checking")
  const backup = await openBackupFile(options)
  const parent = dirname(dataDir)
  const building = join(parent, `.restoring-${randomBytes(6).toString("hex")}`)
  try {
    progress("writing")
    await mkdir(building, { recursive: true, mode: 0o700 })
    const store = await openStore(join(building, "store"))
    let into: RestoredInto
    try {
      into = await restoreInto(store, backup)
    } finally {
      await store.close()
    }
    const { vaultKey, ...about } = into
    await writeWhole(join(building, "vault"), await protectedKeyfile(vaultKey, passphrase, signal))
    await mustBeFree(dataDir)
    await rename(building, dataDir)
    await syncDirectory(parent)
    return about
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    throw backupError(error)
  } finally {
    await backup.close()
  }
}

/** Nothing there but, at most, what an ended node left: an empty folder for its socket. Throws ApiError ALREADY_EXISTS. */
async function mustBeFree(dataDir: string): Promise<void> {
  try {
    const found = await readdir(dataDir)
    if (found.length === 1 && found[0] === "run") await rmdir(join(dataDir, "run"))
    if (found.length === 0 || (found.length === 1 && found[0] === "run")) return
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === "ENOENT") return
    if (code !== "ENOTEMPTY" && code !== "ENOTDIR") throw fileError(error)
  }
  throw new ApiError("ALREADY_EXISTS", "there is a profile already where this one would go", {
    hint: "restore into another: `sotto --profile NAME restore FILE`",
  })
}
