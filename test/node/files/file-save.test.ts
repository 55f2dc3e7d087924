import assert from "node:assert/strict"
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { type Bytes, utf8 } from "../../../src/crypto/bytes.ts"
import {
  FileError,
  type FileErrorCode,
  openSource,
  saveFile,
} from "../../../src/node/files/file-save.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const failing = (code: FileErrorCode) => (error: unknown) => {
  assert(error instanceof FileError, String(error))
  assert.equal(error.code, code)
  return true
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream that has everything at hand
async function* pieces(...texts: readonly string[]): AsyncGenerator<Bytes> {
  yield* texts.map(utf8)
}
// eslint-disable-next-line @typescript-eslint/require-await -- as above
async function* broken(): AsyncGenerator<Bytes> {
  yield utf8("half of it")
  throw new Error("no more")
}

const place = (directory: string, change = {}) => ({
  directory,
  name: "a.txt",
  overwrite: false,
  mark: "0123",
  ...change,
})

describe("saving a file", () => {
  test("writes all pieces under the name, for nobody else to read, and not executable", async (t) => {
    const directory = temporaryDirectory(t)
    const path = await saveFile(place(directory), pieces("one ", "two"))
    assert.equal(path, join(directory, "a.txt"))
    assert.equal(readFileSync(path, "utf8"), "one two")
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(directory), ["a.txt"])
  })

  test("overwrites nothing unless asked to, and then a plain file only", async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, "a.txt"), "mine")
    await assert.rejects(saveFile(place(directory), pieces("theirs")), failing("FILE_EXISTS"))
    assert.equal(readFileSync(join(directory, "a.txt"), "utf8"), "mine")
    await saveFile(place(directory, { overwrite: true }), pieces("theirs"))
    assert.equal(readFileSync(join(directory, "a.txt"), "utf8"), "theirs")
    mkdirSync(join(directory, "folder"))
    symlinkSync(join(directory, "a.txt"), join(directory, "link"))
    for (const name of ["folder", "link"])
      await assert.rejects(
        saveFile(place(directory, { name, overwrite: true }), pieces("x")),
        failing("FILE_EXISTS"),
      )
    assert.equal(readFileSync(join(directory, "a.txt"), "utf8"), "theirs")
  })

  test("does not overwrite what came while it was being written", async (t) => {
    const directory = temporaryDirectory(t)
    async function* slow() {
      yield* pieces("theirs")
      writeFileSync(join(directory, "a.txt"), "mine")
    }
    await assert.rejects(saveFile(place(directory), slow()), failing("FILE_EXISTS"))
    assert.equal(readFileSync(join(directory, "a.txt"), "utf8"), "mine")
    assert.deepEqual(readdirSync(directory), ["a.txt"])
  })

  test("follows no link that somebody put where it writes", async (t) => {
    const directory = temporaryDirectory(t)
    const victim = join(temporaryDirectory(t), "victim")
    writeFileSync(victim, "precious")
    symlinkSync(victim, join(directory, ".sotto-0123.part"))
    await saveFile(place(directory), pieces("x"))
    linkSync(victim, join(directory, ".sotto-4567.part"))
    await saveFile(place(directory, { name: "b", mark: "4567" }), pieces("x"))
    assert.equal(readFileSync(victim, "utf8"), "precious")
  })

  test("leaves nothing of what did not come whole", async (t) => {
    const directory = temporaryDirectory(t)
    await assert.rejects(saveFile(place(directory), broken()), /no more/)
    assert.deepEqual(readdirSync(directory), [])
  })

  test("says that there is no such folder", async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, "plain"), "")
    for (const folder of ["none", "plain"])
      await assert.rejects(
        saveFile(place(join(directory, folder)), pieces("x")),
        failing("NO_FOLDER"),
      )
  })
})

describe("reading a file to send", () => {
  test("gives its bytes", async (t) => {
    const path = join(temporaryDirectory(t), "a")
    writeFileSync(path, Buffer.alloc(2_500_000, 7))
    const source = await openSource(path, 3_000_000)
    let length = 0
    for await (const piece of source.pieces) length += piece.length
    await source.close()
    assert.deepEqual([source.size, length], [2_500_000, 2_500_000])
  })

  test("takes no folder, device, missing or too large file", async (t) => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, "large"), Buffer.alloc(11))
    const refused: readonly (readonly [string, FileErrorCode])[] = [
      [directory, "NO_FILE"],
      ["/dev/zero", "NO_FILE"],
      [join(directory, "none"), "NO_FILE"],
      [join(directory, "large"), "FILE_TOO_LARGE"],
    ]
    for (const [path, code] of refused) await assert.rejects(openSource(path, 10), failing(code))
  })

  test("notices a file that grows or shrinks meanwhile", async (t) => {
    const path = join(temporaryDirectory(t), "a")
    for (const change of ["longer, much", ""]) {
      writeFileSync(path, "four")
      const source = await openSource(path, 100)
      writeFileSync(path, change)
      const read = async () => {
        for await (const piece of source.pieces) assert(piece.length >= 0)
      }
      await assert.rejects(read(), failing("FILE_CHANGED"))
      await source.close()
    }
  })
})
