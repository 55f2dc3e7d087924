/**
 * What must not be forgotten about files when the process ends: which are being brought to their keepers, with the message that goes
 * once they are there, and which somebody wants saved where. Sealed like everything private.
 */
import { type FileNote, readFileNote, writeFileNote } from "../../chat/file.ts"
import { TEXT_BYTES_MAX } from "../../chat/content.ts"
import { type Bytes, Reader, toHex, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import type { Sealed } from "../store/sealed.ts"

const VERSION = 1
const PATH_BYTES_MAX = 8192
const NAME_BYTES_MAX = 1024

export interface Upload {
  /** Of the message, 16 bytes. */
  readonly id: Bytes
  /** To whom, as `Chat` names them: a thread or an address. */
  readonly to: string
  readonly text: string
  readonly file: FileNote
  /** The message is on its way; only copies are missing. */
  readonly sent: boolean
}

export interface Save {
  /** Of the message, 16 bytes. */
  readonly id: Bytes
  readonly directory: string
  readonly name: string
  readonly overwrite: boolean
}

export class FileRecords {
  readonly #sealed: Sealed

  constructor(sealed: Sealed) {
    this.#sealed = sealed
  }

  async uploads(): Promise<Upload[]> {
    return (await this.#sealed.list("uploads")).map(({ plaintext }) => decodeUpload(plaintext))
  }

  async putUpload(upload: Upload): Promise<void> {
    const key = this.#sealed.key("uploads", toHex(upload.id))
    await this.#sealed.write([this.#sealed.put(key, encodeUpload(upload))], { sync: true })
  }

  async delUpload(id: Bytes): Promise<void> {
    await this.#sealed.write([this.#sealed.del(this.#sealed.key("uploads", toHex(id)))], {
      sync: false,
    })
  }

  async saves(): Promise<Save[]> {
    return (await this.#sealed.list("saves")).map(({ plaintext }) => decodeSave(plaintext))
  }

  async putSave(save: Save): Promise<void> {
    const key = this.#sealed.key("saves", toHex(save.id))
    await this.#sealed.write([this.#sealed.put(key, encodeSave(save))], { sync: true })
  }

  async delSave(id: Bytes): Promise<void> {
    await this.#sealed.write([this.#sealed.del(this.#sealed.key("saves", toHex(id)))], {
      sync: false,
    })
  }
}

export function encodeUpload({ id, to, text, file, sent }: Upload): Bytes {
  const out = new Writer()
    .u8(VERSION)
    .raw(id)
    .u8(sent ? 1 : 0)
    .text(to, 2)
    .text(text, 2)
  return writeFileNote(out, file).finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeUpload(bytes: Bytes): Upload {
  const read = versioned(bytes)
  const id = read.raw(16)
  const sent = flag(read.u8())
  const to = read.text(2, NAME_BYTES_MAX)
  const text = read.text(2, TEXT_BYTES_MAX)
  const file = readFileNote(read)
  read.done()
  return { id, to, text, file, sent }
}

export function encodeSave({ id, directory, name, overwrite }: Save): Bytes {
  const out = new Writer()
    .u8(VERSION)
    .raw(id)
    .u8(overwrite ? 1 : 0)
  return out.text(directory, 2).text(name, 2).finish()
}

/** From our own sealed store. Throws CryptoError when that is damaged. */
export function decodeSave(bytes: Bytes): Save {
  const read = versioned(bytes)
  const id = read.raw(16)
  const overwrite = flag(read.u8())
  const directory = read.text(2, PATH_BYTES_MAX)
  const name = read.text(2, NAME_BYTES_MAX)
  read.done()
  return { id, directory, name, overwrite }
}

function versioned(bytes: Bytes): Reader {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "file record")
  return read
}

function flag(value: number): boolean {
  if (value > 1) throw new CryptoError("BAD_ENCODING", "a flag is 0 or 1")
  return value === 1
}
