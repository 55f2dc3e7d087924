/**
 * Writes a backup (crypto/backup.ts): the identity with its contacts, threads and history, whatever other private records there are, the
 * mesh's genesis, peers worth calling, and the block up to which all that is complete. Not in it: envelopes (the mesh has them), the peer
 * key and a validator's keys (a second peer must not be taken for the first).
 *
 * The file appears under its name when it is whole, or not at all. Private records are read from one snapshot of the store.
 */
import { randomBytes } from "node:crypto"
import { lstat, open, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { type BackupSealer, beginBackup } from "../../crypto/backup.ts"
import { type BackupRecord, encodeBackupRecord } from "../../crypto/backup-records.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { newStretching, openRecord, passphraseBytes, type Vault } from "../../crypto/keyfile.ts"
import { AddressBook } from "../network/address-book.ts"
import { ApiError } from "../api/errors.ts"
import { fileError } from "../files/file-errors.ts"
import { heavy } from "../heavy.ts"
import type { Store } from "../store/store.ts"
import { checkPassphrase } from "../identity/vault.ts"
import { NAMING_KEY_BYTES } from "../identity/vault-naming.ts"

/** Told after so many records. */
const PROGRESS_EVERY = 5_000

export interface BackupSource {
  readonly store: Store
  /** As its records are named. */
  readonly vault: Vault
  readonly genesis: Bytes
  /** Encoded block up to which everything ordered was read; undefined where nothing is ordered. */
  readonly block: Bytes | undefined
  readonly period: number
}

export interface BackupOptions {
  /** Absolute. */
  readonly path: string
  readonly passphrase: string
  /** Whether a file that is there may be replaced. */
  readonly replace: boolean
  readonly progress: (records: number) => void
  readonly signal?: AbortSignal
}

export interface BackupMade {
  /** Of the file. */
  readonly bytes: number
  readonly records: number
  /** Private records that did not open: they are not in the backup. */
  readonly damaged: number
}

/** Throws ApiError WEAK_PASSPHRASE, ALREADY_EXISTS, BAD_FILE, DISK_FULL, and StoreError. */
export async function writeBackup(
  source: BackupSource,
  options: BackupOptions,
): Promise<BackupMade> {
  const { path, passphrase, replace, signal } = options
  checkPassphrase(passphrase)
  if (!replace && (await exists(path)))
    throw new ApiError("ALREADY_EXISTS", "there is a file of that name already")
  const stretching = newStretching()
  const stretched = await heavy(
    { job: "stretch", passphrase: passphraseBytes(passphrase), ...stretching },
    signal,
  )
  const { header, sealer } = beginBackup(stretching, stretched)
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 100)}.${randomBytes(6).toString("hex")}`,
  )
  try {
    const made = await written(temporary, header, sealer, recordsOf(source, options))
    await rename(temporary, path)
    await syncDirectory(dirname(path))
    return made
  } catch (error) {
    await rm(temporary, { force: true })
    throw fileError(error)
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false
    throw fileError(error)
  }
}

interface Found {
  /** Undefined stands for one that did not open. */
  readonly record: BackupRecord | undefined
}

async function* recordsOf(
  { store, vault, genesis, block, period }: BackupSource,
  { progress, signal }: BackupOptions,
): AsyncIterable<Found> {
  const { naming } = vault
  const about = { kind: "about", schema: store.schema, genesis, naming, period } as const
  yield { record: { ...about, block: block ?? new Uint8Array(0) } }
  let count = 0
  for await (const [key, sealed] of store.range("sealed")) {
    signal?.throwIfAborted()
    if (++count % PROGRESS_EVERY === 0) progress(count)
    if (key.length > NAMING_KEY_BYTES) yield { record: opened(vault, key, sealed) }
  }
  for (const [peer, addresses] of (await AddressBook.open(store)).entries())
    yield { record: { kind: "peer", peer, addresses } }
}

function opened(vault: Vault, key: Bytes, sealed: Bytes): BackupRecord | undefined {
  try {
    return { kind: "private", key, plaintext: openRecord(vault, key, sealed) }
  } catch (error) {
    if (error instanceof CryptoError) return undefined
    throw error
  }
}

async function written(
  path: string,
  header: Bytes,
  sealer: BackupSealer,
  found: AsyncIterable<Found>,
): Promise<BackupMade> {
  const file = await open(path, "wx", 0o600)
  try {
    let [bytes, records, damaged] = [0, 0, 0]
    const put = async (chunk: Bytes) => {
      await file.writeFile(chunk)
      bytes += chunk.length
    }
    await put(header)
    for await (const { record } of found) {
      if (record === undefined) damaged++
      else {
        records++
        for (const chunk of sealer.add(encodeBackupRecord(record))) await put(chunk)
      }
    }
    await put(sealer.end())
    await file.sync()
    return { bytes, records, damaged }
  } finally {
    await file.close()
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
