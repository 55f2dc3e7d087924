/**
 * Files in chat: sealed into a blob and brought to keepers first, spoken of in a message once others can read it; fetched when somebody
 * asks for it, and saved where they say. What was begun goes on after a restart of either side, from the chunks that are there.
 */
import { basename, isAbsolute } from "node:path"
import { primitives } from "#primitives"
import { MESSAGE_ID_BYTES, TEXT_BYTES_MAX } from "../../chat/content.ts"
import { type FileNote, safeName } from "../../chat/file.ts"
import { SNIFFED_BYTES, sniffed } from "../../chat/file-type.ts"
import { type Bytes, concat, fromHex, toHex, utf8 } from "../../crypto/bytes.ts"
import { chunkCount } from "../../crypto/blob.ts"
import { CodedError } from "../../crypto/errors.ts"
import { ApiError, asApiError } from "../api/errors.ts"
import type { FileView, Message, Params, Preview, Transfer } from "../api/types.ts"
import { BlobError, type Blobs, GET_BYTES_MAX } from "../blobs/blobs.ts"
import type { Clock } from "../clock.ts"
import type { FileRecords, Save, Upload } from "./file-records.ts"
import { FileError, mayBeSaved, openSource, saveFile } from "./file-save.ts"
import { decodeImage } from "./image.ts"
import { Transfers } from "./transfers.ts"

/** Largest file that is sent or saved: 1 GiB. */
export const FILE_BYTES_MAX = 2 ** 30
/** An image that is not here by then is not shown. */
const PREVIEW_TIMEOUT_MS = 60_000
/** Files listed at once. */
export const LISTED_MAX = 500
/** Times a file is fetched anew because chunks went while it was saved. */
const SAVE_TRIES = 3

/** A message that brings a file. */
export interface FileMessage {
  readonly message: Message
  readonly file: FileNote
}

/** Chat as files see it. */
export interface FileChat {
  /** Who that is, and in which thread. Throws ApiError when they may not be written to. */
  addressee(to: string): { readonly to: string; readonly thread: string }
  sendFile(to: string, text: string, id: Bytes, file: FileNote): Promise<Message>
  fileOf(id: Bytes): Promise<FileMessage | undefined>
  /** The newest first. */
  files(thread: string | undefined, limit: number): Promise<readonly FileMessage[]>
}

export interface FilesParts {
  readonly blobs: Blobs
  readonly chat: FileChat
  readonly records: FileRecords
  readonly clock: Clock
  readonly onTransfer: (transfer: Transfer) => void
  /** Something failed that no caller waits for. */
  readonly onFault: (error: unknown) => void
}

const STOPPED = new ApiError("STOPPING", "the node is stopping")
const CANCELLED = new ApiError("CANCELLED", "called off")

export class Files {
  readonly #parts: FilesParts
  readonly #transfers: Transfers
  readonly #running = new Set<Promise<void>>()
  readonly #stop = new AbortController()

  private constructor(parts: FilesParts) {
    this.#parts = parts
    this.#transfers = new Transfers(parts.clock, parts.onTransfer)
  }

  /** Goes on with what was begun. */
  static async open(parts: FilesParts): Promise<Files> {
    const files = new Files(parts)
    for (const upload of await parts.records.uploads()) files.#resumeUpload(upload)
    for (const save of await parts.records.saves()) await files.#resumeSave(save)
    return files
  }

  async stop(): Promise<void> {
    this.#stop.abort(STOPPED)
    this.#transfers.cancelAll(STOPPED)
    await Promise.all(this.#running)
  }

  transfers(): Transfer[] {
    return this.#transfers.list()
  }

  cancel(id: string): void {
    if (!this.#transfers.cancel(id, CANCELLED))
      throw new ApiError("UNKNOWN_MESSAGE", "no file of this id is on its way")
  }

  /** Resolves once the file is sealed: from then on it needs neither the file nor the caller. Throws ApiError, FileError, BlobError. */
  async send({ to, path, text = "", id }: Params<"files.send">): Promise<Transfer> {
    if (!isAbsolute(path)) throw new ApiError("BAD_PARAMS", "the path of a file begins with /")
    if (utf8(text).length > TEXT_BYTES_MAX)
      throw new ApiError("MESSAGE_TOO_LONG", `a message holds ${TEXT_BYTES_MAX} bytes`)
    const messageId = id === undefined ? primitives.randomBytes(MESSAGE_ID_BYTES) : idFrom(id)
    const name = toHex(messageId)
    const known = this.#transfers.of(name)
    if (this.#transfers.isMoving(name) && known !== undefined) return known
    this.#mustHaveRoom()
    const addressee = this.#parts.chat.addressee(to)
    const source = await openSource(path, FILE_BYTES_MAX)
    const called = safeName(basename(path))
    const start = { id: name, thread: addressee.thread, name: called, size: source.size }
    const signal = this.#transfers.begin({ ...start, direction: "up", state: "sealing" })
    try {
      const { ref, type } = await this.#seal(name, source.pieces, signal)
      const file = { name: called, type, ref }
      const upload = { id: messageId, to: addressee.to, text, file, sent: false }
      await this.#parts.records.putUpload(upload)
      this.#run(name, () => this.#upload(upload, signal, false))
    } catch (error) {
      this.#failed(name, error)
      throw error
    } finally {
      await source.close()
    }
    return this.#transfers.of(name) as Transfer
  }

  async #seal(name: string, pieces: AsyncIterable<Bytes>, signal: AbortSignal) {
    let head: Bytes = new Uint8Array(0)
    let done = 0
    const { blobs } = this.#parts
    const transfers = this.#transfers
    async function* seen() {
      for await (const piece of pieces) {
        if (head.length < SNIFFED_BYTES) head = concat(head, piece).slice(0, SNIFFED_BYTES)
        yield piece
        done += piece.length
        transfers.progress(name, "sealing", done)
      }
    }
    const ref = await blobs.seal(seen(), signal)
    return { ref, type: sniffed(head) }
  }

  #resumeUpload(upload: Upload): void {
    const id = toHex(upload.id)
    const { name, ref } = upload.file
    // to whom it goes may be gone by now: that is said when it fails
    const thread = threadIn(() => this.#parts.chat.addressee(upload.to).thread)
    const start = { id, thread, name: safeName(name), size: ref.size }
    const signal = this.#transfers.begin({ ...start, direction: "up", state: "uploading" })
    this.#run(id, () => this.#upload(upload, signal, true))
  }

  async #upload(upload: Upload, signal: AbortSignal, resumed: boolean): Promise<void> {
    const { blobs, records, chat } = this.#parts
    const { id, to, text, file } = upload
    let sending: Promise<void> | undefined
    const send = async () => {
      await chat.sendFile(to, text, id, file)
      await records.putUpload({ ...upload, sent: true })
    }
    try {
      await blobs.upload(file.ref, {
        signal,
        resumed,
        onProgress: (copies, total) => {
          const done = total === 0 ? 0 : Math.floor((file.ref.size * copies) / total)
          this.#transfers.progress(toHex(id), "uploading", done)
        },
        onReadable: () => {
          if (!upload.sent) sending = send()
          // looked at below; until then a failure must not count as unhandled
          sending?.catch(() => undefined)
        },
      })
      await sending
      await records.delUpload(id)
      this.#transfers.end(toHex(id), {})
    } catch (error) {
      await sending?.catch(() => undefined)
      // after a restart it goes on; anything else would only fail again
      if (error !== STOPPED) await records.delUpload(id)
      throw error
    }
  }

  /** Resolves when it is under way; the transfer tells the rest. Throws ApiError UNKNOWN_MESSAGE or NOT_A_FILE, FileError. */
  async save(params: Params<"files.save">): Promise<Transfer> {
    const { directory, overwrite = false } = params
    if (!isAbsolute(directory))
      throw new ApiError("BAD_PARAMS", "the path of a folder begins with /")
    const { message, file } = await this.#fileOf(params.id)
    if (file.ref.size > FILE_BYTES_MAX)
      throw new FileError("FILE_TOO_LARGE", `a file of ${file.ref.size} bytes`)
    const id = fromHex(message.id)
    const save = { id, directory, name: safeName(params.name ?? file.name), overwrite }
    await mayBeSaved({ ...save, mark: message.id })
    if (this.#transfers.isMoving(message.id))
      throw new ApiError("BUSY", "this file is on its way already")
    this.#mustHaveRoom()
    await this.#parts.records.putSave(save)
    this.#beginSave(save, message.thread, file)
    return this.#transfers.of(message.id) as Transfer
  }

  async #resumeSave(save: Save): Promise<void> {
    const found = await this.#parts.chat.fileOf(save.id)
    if (found === undefined) await this.#parts.records.delSave(save.id)
    else if (!this.#transfers.isMoving(found.message.id))
      this.#beginSave(save, found.message.thread, found.file)
  }

  #beginSave(save: Save, thread: string, file: FileNote): void {
    const start = { id: toHex(save.id), thread, name: save.name, size: file.ref.size }
    const signal = this.#transfers.begin({ ...start, direction: "down", state: "downloading" })
    this.#run(start.id, () => this.#save(save, file, signal))
  }

  async #save(save: Save, file: FileNote, signal: AbortSignal): Promise<void> {
    const { records } = this.#parts
    try {
      const path = await this.#fetchAndWrite(save, file, signal)
      await records.delSave(save.id)
      this.#transfers.end(toHex(save.id), { path })
    } catch (error) {
      if (error !== STOPPED) await records.delSave(save.id)
      throw error
    }
  }

  async #fetchAndWrite(save: Save, { ref }: FileNote, signal: AbortSignal): Promise<string> {
    const id = toHex(save.id)
    const { blobs } = this.#parts
    const transfers = this.#transfers
    async function* pieces() {
      let done = 0
      for await (const piece of blobs.read(ref)) {
        signal.throwIfAborted()
        yield piece
        done += piece.length
        transfers.progress(id, "saving", done)
      }
    }
    const total = chunkCount(ref.size)
    for (let tries = 1; ; tries++) {
      await blobs.fetch(ref, {
        signal,
        onProgress: (chunks) => {
          const done = Math.floor((ref.size * Math.min(chunks, total)) / total)
          transfers.progress(id, "downloading", done)
        },
      })
      try {
        return await saveFile({ ...save, mark: id }, pieces())
      } catch (error) {
        const gone = error instanceof BlobError && error.code === "BLOB_MISSING"
        if (!gone || tries >= SAVE_TRIES) throw error
      }
    }
  }

  async list({ thread, limit = LISTED_MAX }: Params<"files.list">): Promise<FileView[]> {
    const found = await this.#parts.chat.files(thread, Math.min(Math.max(1, limit), LISTED_MAX))
    return found.map(({ message, file }) => ({
      id: message.id,
      thread: message.thread,
      author: message.author,
      mine: message.mine,
      sentAtMs: message.sentAtMs,
      name: safeName(file.name),
      size: file.ref.size,
      type: file.type,
    }))
  }

  /** The image in a file, at most so large. Throws ApiError, BlobError, ImageError. */
  async preview({ id, width, height }: Params<"files.preview">): Promise<Preview> {
    const { file } = await this.#fileOf(id)
    if (file.ref.size > GET_BYTES_MAX)
      throw new FileError("FILE_TOO_LARGE", "an image that is shown has at most 16 MiB")
    const timeout = AbortSignal.timeout(PREVIEW_TIMEOUT_MS)
    const signal = AbortSignal.any([this.#stop.signal, timeout])
    const bytes = await this.#parts.blobs.get(file.ref, signal).catch((error: unknown) => {
      if (!timeout.aborted) throw error
      throw new BlobError("BLOB_MISSING", "nobody who is there has this file", { cause: error })
    })
    const { rgb, ...size } = await decodeImage(bytes, { width, height }, signal)
    return { ...size, rgb: Buffer.from(rgb).toString("base64") }
  }

  async #fileOf(id: string): Promise<FileMessage> {
    const found = await this.#parts.chat.fileOf(idFrom(id))
    if (found === undefined) throw new ApiError("NOT_A_FILE", "no message of this id brings a file")
    return found
  }

  #mustHaveRoom(): void {
    if (this.#stop.signal.aborted) throw STOPPED
    if (this.#transfers.isFull)
      throw new ApiError("QUEUE_FULL", "as many files as may be are on their way")
  }

  #run(id: string, work: () => Promise<void>): void {
    const running = work()
      .catch((error: unknown) => this.#failed(id, error))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  #failed(id: string, error: unknown): void {
    const { code } = asApiError(error)
    this.#transfers.end(id, { failure: code })
    if (!(error instanceof CodedError)) this.#parts.onFault(error)
  }
}

function idFrom(text: string): Bytes {
  if (!/^[0-9a-f]{32}$/.test(text))
    throw new ApiError("BAD_PARAMS", "a message id is 32 hexadecimal digits")
  return fromHex(text)
}

function threadIn(find: () => string): string {
  try {
    return find()
  } catch (error) {
    if (error instanceof ApiError) return ""
    throw error
  }
}
