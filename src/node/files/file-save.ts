/**
 * Writing what came from others into a folder that somebody chose: under the safe name given, never over a file that is there unless
 * that was asked for, whole or not at all. The bytes go into a file of another name first, which no link can stand for, and get their
 * name in one step at the end. Nothing is ever opened or made executable.
 */
import { constants } from "node:fs"
import { link, lstat, open, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import type { Bytes } from "../../crypto/bytes.ts"
import { CodedError } from "../../crypto/errors.ts"

export type FileErrorCode =
  /** There is a file of this name, and nobody asked to replace it. */
  | "FILE_EXISTS"
  /** No such folder, or not one. */
  | "NO_FOLDER"
  /** No such file, or not a regular one, or it may not be read. */
  | "NO_FILE"
  /** The file changed while it was being read. */
  | "FILE_CHANGED"
  /** More than is sent or taken. */
  | "FILE_TOO_LARGE"
  /** The system refused: no permission, a failing disk. */
  | "FILE_FAILED"
  | "DISK_FULL"

export class FileError extends CodedError<FileErrorCode> {}

const MODE = 0o600

export interface SavePlace {
  readonly directory: string
  /** A safe name (chat/file.ts). */
  readonly name: string
  readonly overwrite: boolean
  /** Distinguishes this from other files being written there; letters and digits. */
  readonly mark: string
}

/** Throws FileError NO_FOLDER or FILE_EXISTS: what can be refused is refused before anything is fetched. */
export async function mayBeSaved({ directory, name, overwrite }: SavePlace): Promise<void> {
  const folder = await stat(directory).catch(() => undefined)
  if (folder?.isDirectory() !== true)
    throw new FileError("NO_FOLDER", "there is no such folder to save into")
  const there = await lstat(join(directory, name)).catch(() => undefined)
  if (there === undefined) return
  if (!overwrite || !there.isFile())
    throw new FileError("FILE_EXISTS", "there is something of this name already")
}

/** Writes the pieces and resolves to the path. Throws FileError, and what `pieces` throws; then nothing of it stays. */
export async function saveFile(place: SavePlace, pieces: AsyncIterable<Bytes>): Promise<string> {
  const { directory, name, overwrite, mark } = place
  await mayBeSaved(place)
  const path = join(directory, name)
  const partial = join(directory, `.sotto-${mark}.part`)
  try {
    await rm(partial, { force: true })
    const file = await open(
      partial,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      MODE,
    )
    try {
      for await (const piece of pieces) await file.writeFile(piece)
      await file.sync()
    } finally {
      await file.close()
    }
    await (overwrite ? rename(partial, path) : nameNew(partial, path))
    return path
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined)
    throw fileError(error)
  }
}

/** Gives a file its name unless that is taken, which `rename` would not notice. */
async function nameNew(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path)
    await rm(partial)
  } catch (error) {
    if (!WITHOUT_LINKS.has(codeOf(error))) throw error
    // a file system without links: claim the name, then put the file there
    await (await open(path, "wx", MODE)).close()
    await rename(partial, path)
  }
}

const WITHOUT_LINKS = new Set(["EPERM", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EMLINK"])
const CODES: ReadonlyMap<string, readonly [FileErrorCode, string]> = new Map([
  ["EEXIST", ["FILE_EXISTS", "there is something of this name already"]],
  ["ENOENT", ["NO_FOLDER", "there is no such folder to save into"]],
  ["ENOTDIR", ["NO_FOLDER", "there is no such folder to save into"]],
  ["ENOSPC", ["DISK_FULL", "there is no space left on the disk"]],
  ["EDQUOT", ["DISK_FULL", "there is no space left on the disk"]],
] as const)

const codeOf = (error: unknown) => String((error as { code?: unknown }).code)

/** The system's refusals as FileErrors; everything else as it is. */
function fileError(error: unknown): unknown {
  if (error instanceof CodedError || !(error instanceof Error && "syscall" in error)) return error
  const [code, message] = CODES.get(codeOf(error)) ?? [
    "FILE_FAILED",
    "the system refused to write the file",
  ]
  return new FileError(code, message, { cause: error })
}

export interface Source {
  readonly size: number
  /** Each piece is good until the next is asked for. Throws FileError FILE_CHANGED where the file is not as long as it was. */
  readonly pieces: AsyncIterable<Bytes>
  close(): Promise<void>
}

const READ_BYTES = 1 << 20

/** Opens a file to send. Throws FileError NO_FILE, FILE_TOO_LARGE. */
export async function openSource(path: string, bytesMax: number): Promise<Source> {
  // a pipe would block for ever, a device never end
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      throw new FileError("NO_FILE", "the file cannot be read", { cause })
    },
  )
  try {
    const about = await file.stat()
    if (!about.isFile()) throw new FileError("NO_FILE", "that is not a file")
    if (about.size > bytesMax)
      throw new FileError(
        "FILE_TOO_LARGE",
        `a file of ${about.size} bytes; at most ${bytesMax} are sent`,
      )
    const { size } = about
    async function* pieces() {
      const buffer = new Uint8Array(READ_BYTES)
      let at = 0
      while (at <= size) {
        const { bytesRead } = await file.read(buffer, 0, READ_BYTES, at)
        if (bytesRead === 0) break
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
      if (at !== size) throw new FileError("FILE_CHANGED", "the file changed while it was read")
    }
    return { size, pieces: pieces(), close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}
