/** People who send files, without what chat needs besides: blobs over real libp2p, and messages that simply arrive. */
import { PLAIN_MESSAGE } from "./plain-views.ts"
import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { primitives } from "#primitives"
import type { FileNote } from "../../src/chat/file.ts"
import { type Bytes, equal, toHex } from "../../src/crypto/bytes.ts"
import { openVault } from "../../src/crypto/keyfile.ts"
import { ApiError } from "../../src/node/api/errors.ts"
import type { Message, Transfer } from "../../src/node/api/types.ts"
import { systemClock } from "../../src/node/clock.ts"
import { FileRecords } from "../../src/node/files/file-records.ts"
import { type FileChat, type FileMessage, Files } from "../../src/node/files/files.ts"
import { Sealed } from "../../src/node/store/sealed.ts"
import { sealedShelf } from "../../src/node/store/sealed-store.ts"
import { blobPeer, type BlobPeer, type BlobPeerOptions } from "./blob-peers.ts"
import type { TestMesh } from "./envelopes.ts"
import { temporaryDirectory } from "./temporary.ts"

export const THREAD = "ab".repeat(16)

/** One conversation that everybody in the test is in: what is sent is there at once. */
export class SharedThread implements FileChat {
  readonly sent: FileMessage[] = []

  addressee(to: string) {
    if (to !== "friend") throw new ApiError("UNKNOWN_CONTACT", "nobody of that name or address")
    return { to, thread: THREAD }
  }

  sendFile(_to: string, text: string, id: Bytes, file: FileNote): Promise<Message> {
    const message: Message = {
      ...PLAIN_MESSAGE,
      id: toHex(id),
      thread: THREAD,
      author: "sotto1friend",
      authorName: "friend",
      mine: false,
      text,
      sentAtMs: 1,
      state: "gossiped",
      failure: null,
      position: String(this.sent.length),
    }
    if (this.sent.every((each) => each.message.id !== message.id)) this.sent.push({ message, file })
    return Promise.resolve(message)
  }

  fileOf(id: Bytes): Promise<FileMessage | undefined> {
    return Promise.resolve(
      this.sent.find(({ message }) => equal(Buffer.from(message.id, "hex"), id)),
    )
  }

  files(): Promise<readonly FileMessage[]> {
    return Promise.resolve(this.sent.toReversed())
  }
}

/** One peer with files; `restart` ends its transfers and begins them again from what it wrote down. */
export class Sender {
  readonly peer: BlobPeer
  readonly folder: string
  readonly told: Transfer[] = []
  readonly #chat: FileChat
  readonly #records: FileRecords
  #files: Files | undefined

  constructor(t: TestContext, peer: BlobPeer, chat: FileChat) {
    this.peer = peer
    this.folder = temporaryDirectory(t)
    this.#chat = chat
    const sealed = new Sealed(openVault(primitives.randomBytes(32)), sealedShelf(peer.store))
    this.#records = new FileRecords(sealed)
    t.after(() => this.stop())
  }

  get files(): Files {
    assert(this.#files !== undefined)
    return this.#files
  }

  async start(): Promise<this> {
    this.#files = await Files.open({
      blobs: this.peer.blobs,
      chat: this.#chat,
      records: this.#records,
      clock: systemClock,
      onTransfer: (transfer) => this.told.push(transfer),
      onFault: (error) => {
        throw error
      },
    })
    return this
  }

  async stop(): Promise<void> {
    await this.#files?.stop()
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Writes a file to send and gives its path. */
  file(name: string, bytes: Uint8Array): string {
    const path = join(this.folder, name)
    writeFileSync(path, bytes)
    return path
  }

  /** The transfer once it has ended. */
  async ended(id: string): Promise<Transfer> {
    for (;;) {
      const found = this.files.transfers().find((transfer) => transfer.id === id)
      if (found?.state === "done" || found?.state === "failed") return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

export async function sender(
  t: TestContext,
  mesh: TestMesh,
  chat: FileChat,
  options: BlobPeerOptions = {},
): Promise<Sender> {
  const peer = await blobPeer(t, mesh, { role: "none", ...options })
  return await new Sender(t, peer, chat).start()
}
