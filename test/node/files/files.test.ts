/** Files between two: blobs over real libp2p, a third peer that keeps chunks, messages that simply arrive. With real people: test/e2e. */
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test, type TestContext } from "node:test"
import { deflateRawSync } from "node:zlib"
import { safeName } from "../../../src/chat/file.ts"
import { newBlobKey } from "../../../src/crypto/blob.ts"
import { fromHex } from "../../../src/crypto/bytes.ts"
import { CodedError } from "../../../src/crypto/errors.ts"
import type { ApiErrorCode } from "../../../src/node/api/types.ts"
import { FILE_BYTES_MAX } from "../../../src/node/files/files.ts"
import { blobPeer, type BlobPeer } from "../../helpers/blob-peers.ts"
import { testMesh, type TestMesh } from "../../helpers/envelopes.ts"
import { type Sender, sender, SharedThread } from "../../helpers/file-peers.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"
import { until } from "../../helpers/wait.ts"

const failing = (code: ApiErrorCode) => (error: unknown) => {
  assert(error instanceof CodedError, String(error))
  assert.equal(error.code, code)
  return true
}

interface World {
  readonly mesh: TestMesh
  readonly keeper: BlobPeer
  readonly alice: Sender
  readonly bob: Sender
  readonly chat: SharedThread
}

/** Neither of the two keeps anything for others, a third peer does. */
async function world(t: TestContext): Promise<World> {
  const mesh = testMesh()
  const chat = new SharedThread()
  const keeper = await blobPeer(t, mesh)
  const alice = await sender(t, mesh, chat, { bootstrap: keeper.addresses() })
  const bob = await sender(t, mesh, chat, { bootstrap: keeper.addresses() })
  return { mesh, keeper, alice, bob, chat }
}

const send = (from: Sender, path: string, text?: string) =>
  from.files.send({ to: "friend", path, ...(text === undefined ? {} : { text }) })

async function sent(from: Sender, name: string, bytes: Uint8Array): Promise<string> {
  const { id } = await send(from, from.file(name, bytes))
  assert.deepEqual((await from.ended(id)).failure, null)
  return id
}

describe("a file", () => {
  test("is spoken of when its keepers have it, and is saved as it was", async (t) => {
    const { alice, bob, chat, keeper } = await world(t)
    const bytes = randomBytes(900_000)
    const { id } = await send(alice, alice.file("notes & drafts.bin", bytes), "the notes")
    assert.equal((await alice.ended(id)).state, "done")
    assert.equal(keeper.shelf.count, 5)
    assert.deepEqual(
      chat.sent.map(({ message, file }) => [message.id, message.text, file.name, file.type]),
      [[id, "the notes", "notes & drafts.bin", "application/octet-stream"]],
    )
    const [view] = await bob.files.list({})
    assert.deepEqual([view?.id, view?.name, view?.size], [id, "notes & drafts.bin", 900_000])
    const there = temporaryDirectory(t)
    await bob.files.save({ id, directory: there })
    const { path, state } = await bob.ended(id)
    assert.deepEqual([state, path], ["done", join(there, "notes & drafts.bin")])
    assert.deepEqual(readFileSync(path ?? ""), bytes)

    await assert.rejects(bob.files.save({ id, directory: there }), failing("FILE_EXISTS"))
    await bob.files.save({ id, directory: there, name: "../other" })
    assert.equal((await bob.ended(id)).path, join(there, "other"))
    assert.deepEqual(readdirSync(there).sort(), ["notes & drafts.bin", "other"])
  })

  test("tells how far it is, from reading to done", async (t) => {
    const { alice, bob } = await world(t)
    const id = await sent(alice, "a", randomBytes(3_000_000))
    const up = alice.told.map(({ state }) => state)
    assert.deepEqual([...new Set(up)], ["sealing", "uploading", "done"])
    await bob.files.save({ id, directory: bob.folder })
    await bob.ended(id)
    const down = bob.told.filter((transfer) => transfer.id === id)
    assert.deepEqual(
      [...new Set(down.map(({ state }) => state))],
      ["downloading", "saving", "done"],
    )
    for (const { done, size, state } of down) {
      assert(done >= 0 && done <= size)
      if (state === "done") assert.equal(done, size)
    }
  })

  test("can be saved when its sender is gone", async (t) => {
    const { alice, bob } = await world(t)
    const bytes = randomBytes(600_000)
    const id = await sent(alice, "a", bytes)
    await alice.stop()
    await alice.peer.stop()
    await bob.files.save({ id, directory: bob.folder })
    assert.deepEqual(readFileSync((await bob.ended(id)).path ?? ""), bytes)
  })

  test("waits for keepers, also over a restart, and is spoken of only then", async (t) => {
    const mesh = testMesh()
    const chat = new SharedThread()
    const alice = await sender(t, mesh, chat)
    const bytes = randomBytes(700_000)
    const { id } = await send(alice, alice.file("a", bytes))
    await alice.restart()
    assert.deepEqual(
      alice.files.transfers().map((transfer) => [transfer.id, transfer.state]),
      [[id, "uploading"]],
    )
    assert.deepEqual(chat.sent, [])
    await blobPeer(t, mesh, { bootstrap: alice.peer.addresses() })
    assert.equal((await alice.ended(id)).state, "done")
    assert.equal(chat.sent.length, 1)
    await alice.restart()
    assert.deepEqual(alice.files.transfers(), [])
  })

  test("that somebody wants saved is saved after a restart, when it can be had", async (t) => {
    const mesh = testMesh()
    const chat = new SharedThread()
    const directory = temporaryDirectory(t)
    const keeper = await blobPeer(t, mesh)
    const alice = await sender(t, mesh, chat, { bootstrap: keeper.addresses() })
    const bytes = randomBytes(500_000)
    const id = await sent(alice, "a", bytes)
    const bob = await sender(t, mesh, chat)
    await bob.files.save({ id, directory })
    await bob.restart()
    assert.deepEqual(readdirSync(directory), [])
    bob.peer.reach(keeper.addresses())
    assert.deepEqual(readFileSync((await bob.ended(id)).path ?? ""), bytes)
  })

  test("can be called off, and leaves nothing behind", async (t) => {
    const mesh = testMesh()
    const chat = new SharedThread()
    const alice = await sender(t, mesh, chat)
    const { id } = await send(alice, alice.file("a", randomBytes(300_000)))
    alice.files.cancel(id)
    assert.equal((await alice.ended(id)).failure, "CANCELLED")
    const bob = await sender(t, mesh, chat)
    const file = { name: "b", type: "", ref: { size: 9, key: newBlobKey(), root: newBlobKey() } }
    await chat.sendFile("friend", "", fromHex(id), file)
    const directory = temporaryDirectory(t)
    await bob.files.save({ id, directory })
    await assert.rejects(bob.files.save({ id, directory }), failing("BUSY"))
    bob.files.cancel(id)
    assert.equal((await bob.ended(id)).failure, "CANCELLED")
    for (const who of [alice, bob]) {
      await who.restart()
      assert.deepEqual(who.files.transfers(), [])
    }
    assert.deepEqual(readdirSync(directory), [])
  })

  test("of hostile name or content is bytes under a harmless name", async (t) => {
    const { bob, alice, chat } = await world(t)
    // 100 MB of zeros in 100 KB, as an archive says: nobody here unpacks it
    const bomb = Buffer.concat([
      Buffer.from("PK\x03\x04", "latin1"),
      Buffer.alloc(26),
      deflateRawSync(Buffer.alloc(100_000_000)),
    ])
    const names: readonly (readonly [string, string, Buffer])[] = [
      ["\u001b]0;owned\u0007\u001b[2J.zip", "]0;owned[2J.zip", bomb],
      ["../../../.ssh/authorized_keys", "authorized_keys", Buffer.from("ssh-ed25519 AAAA")],
      ["-rf \u202egpj.exe", "_-rf gpj.exe", Buffer.from("#!/bin/sh\nrm -rf ~\n")],
      [".profile", "profile", Buffer.alloc(0)],
    ]
    const directory = temporaryDirectory(t)
    for (const [i, [name, safe, bytes]] of names.entries()) {
      // an honest program sends safe names only
      const ref = await alice.peer.blobs.put(bytes, AbortSignal.timeout(30_000))
      const id = String(i).padStart(32, "0")
      await chat.sendFile("friend", "", fromHex(id), { name, type: "image/png\u001b[2J", ref })
      assert.equal((await bob.files.list({}))[0]?.name, safe)
      await bob.files.save({ id, directory })
      const { path } = await bob.ended(id)
      assert.equal(path, join(directory, safe))
      assert.deepEqual(readFileSync(path), bytes)
    }
    assert.deepEqual(readdirSync(directory).sort(), names.map(([, safe]) => safe).sort())
  })

  test("whose chunks do not fit together is said to be damaged, and nothing is left of it", async (t) => {
    const { bob, alice, chat } = await world(t)
    const ref = await alice.peer.blobs.put(randomBytes(400_000), AbortSignal.timeout(30_000))
    const id = "1".repeat(32)
    const file = { name: "a", type: "", ref: { ...ref, key: newBlobKey() } }
    await chat.sendFile("friend", "", fromHex(id), file)
    const directory = temporaryDirectory(t)
    await bob.files.save({ id, directory })
    const { state, failure } = await bob.ended(id)
    assert.deepEqual([state, failure], ["failed", "BLOB_DAMAGED"])
    assert.deepEqual(readdirSync(directory), [])
  })

  test("what cannot be sent or saved is refused at once, with a code", async (t) => {
    const mesh = testMesh()
    const chat = new SharedThread()
    const alice = await sender(t, mesh, chat)
    await assert.rejects(send(alice, join(alice.folder, "none")), failing("NO_FILE"))
    await assert.rejects(send(alice, alice.folder), failing("NO_FILE"))
    await assert.rejects(send(alice, "relative"), failing("BAD_PARAMS"))
    const path = alice.file("a", Buffer.alloc(1))
    await assert.rejects(alice.files.send({ to: "nobody", path }), failing("UNKNOWN_CONTACT"))
    const id = "2".repeat(32)
    const directory = alice.folder
    await assert.rejects(alice.files.save({ id, directory }), failing("NOT_A_FILE"))
    assert.throws(() => alice.files.cancel(id), failing("UNKNOWN_MESSAGE"))
    const ref = { size: FILE_BYTES_MAX + 1, key: newBlobKey(), root: newBlobKey() }
    await chat.sendFile("friend", "", fromHex(id), { name: safeName("a"), type: "", ref })
    await assert.rejects(alice.files.save({ id, directory }), failing("FILE_TOO_LARGE"))
    const none = join(directory, "none")
    chat.sent.length = 0
    await chat.sendFile("friend", "", fromHex(id), {
      name: "b",
      type: "",
      ref: { ...ref, size: 1 },
    })
    await assert.rejects(alice.files.save({ id, directory: none }), failing("NO_FOLDER"))
    await until("no transfer", () =>
      alice.files.transfers().every(({ state }) => state === "failed"),
    )
  })
})
