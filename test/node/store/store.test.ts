import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test, type TestContext } from "node:test"
import { Reader, utf8, Writer } from "../../../src/crypto/bytes.ts"
import { storeError, StoreError, type StoreErrorCode } from "../../../src/node/store/errors.ts"
import type { Migration } from "../../../src/node/store/migrations.ts"
import {
  type Entry,
  openMemoryStore,
  openStore,
  type Range,
  type Store,
  type Table,
  TABLES,
} from "../../../src/node/store/store.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const key = (n: number) => new Writer().u64(n).finish()
const all = async (store: Store, table: Table, range?: Range): Promise<Entry[]> => {
  const out: Entry[] = []
  for await (const entry of store.range(table, range)) out.push(entry)
  return out
}
const refused = (code: StoreErrorCode) => (error: unknown) =>
  error instanceof StoreError && error.code === code

const VARIANTS = {
  "on the disk": (t: TestContext) => openStore(temporaryDirectory(t)),
  "in memory": () => openMemoryStore(),
}

for (const [name, open] of Object.entries(VARIANTS))
  describe(`a store ${name}`, () => {
    const opened = async (t: TestContext) => {
      const store = await open(t)
      t.after(() => store.close())
      return store
    }

    test("gives back what was written, by table", async (t) => {
      const store = await opened(t)
      await store.batch(TABLES.map((table) => ({ table, key: key(1), value: utf8(table) })))
      for (const table of TABLES) {
        assert.deepEqual(await store.get(table, key(1)), utf8(table))
        assert.deepEqual(store.peek(table, key(1)), utf8(table))
        assert.equal((await all(store, table)).length, 1, "tables do not see each other's keys")
      }
      assert.equal(await store.get("tags", key(2)), undefined)
      assert.equal(store.peek("tags", key(2)), undefined)
    })

    test("keeps empty keys' neighbours and empty values apart from nothing", async (t) => {
      const store = await opened(t)
      await store.batch([{ table: "tags", key: key(0), value: new Uint8Array(0) }])
      assert.equal((await store.get("tags", key(0)))?.length, 0)
      assert.equal(store.peek("tags", key(0))?.length, 0)
    })

    test("a batch deletes and writes across tables", async (t) => {
      const store = await opened(t)
      await store.batch([{ table: "mesh", key: key(1), value: utf8("old") }])
      await store.batch(
        [
          { table: "mesh", key: key(1), value: undefined },
          { table: "sealed", key: key(1), value: utf8("new") },
        ],
        { sync: true },
      )
      assert.deepEqual(await store.getMany("mesh", [key(1)]), [undefined])
      assert.deepEqual(await store.getMany("sealed", [key(2), key(1)]), [undefined, utf8("new")])
    })

    test("ranges are in byte order, bounded and reversible", async (t) => {
      const store = await opened(t)
      const numbers = [300, 2, 65_536, 1, 255]
      await store.batch(numbers.map((n) => ({ table: "arrival", key: key(n), value: key(n) })))
      const read = async (range?: Range) =>
        (await all(store, "arrival", range)).map(([k]) => new Reader(k).u64())
      assert.deepEqual(await read(), [1, 2, 255, 300, 65_536])
      assert.deepEqual(await read({ gt: key(2), lte: key(300) }), [255, 300])
      assert.deepEqual(await read({ gte: key(2), lt: key(300) }), [2, 255])
      assert.deepEqual(await read({ reverse: true, limit: 2 }), [65_536, 300])
    })

    test("what it is given may be written over afterwards", async (t) => {
      const store = await opened(t)
      const value = utf8("value")
      await store.batch([{ table: "sealed", key: key(1), value }])
      value.fill(0)
      assert.deepEqual(await store.get("sealed", key(1)), utf8("value"))
    })

    test("after it was closed every call says so", async (t) => {
      const store = await opened(t)
      await store.close()
      await store.close()
      await assert.rejects(store.get("mesh", key(1)), refused("STORE_CLOSED"))
      await assert.rejects(store.getMany("mesh", [key(1)]), refused("STORE_CLOSED"))
      await assert.rejects(all(store, "mesh"), refused("STORE_CLOSED"))
      await assert.rejects(
        store.batch([{ table: "mesh", key: key(1), value: key(1) }]),
        refused("STORE_CLOSED"),
      )
      assert.throws(() => store.peek("mesh", key(1)), refused("STORE_CLOSED"))
    })
  })

describe("a store on the disk", () => {
  test("is there again after it was closed, under the same id", async (t) => {
    const directory = temporaryDirectory(t)
    const first = await openStore(directory)
    await first.batch([{ table: "sealed", key: key(1), value: utf8("kept") }])
    await first.close()
    const second = await openStore(directory)
    assert.deepEqual(await second.get("sealed", key(1)), utf8("kept"))
    assert.deepEqual(second.id, first.id)
    await second.close()
  })

  test("every new store has another id", async () => {
    const [a, b] = [await openMemoryStore(), await openMemoryStore()]
    assert.notDeepEqual(a.id, b.id)
    await Promise.all([a.close(), b.close()])
  })

  test("only its owner may look into its directory", async (t) => {
    const directory = join(temporaryDirectory(t), "store")
    await (await openStore(directory)).close()
    assert.equal(statSync(directory).mode & 0o777, 0o700)
  })

  test("BUSY while it is open elsewhere", async (t) => {
    const directory = temporaryDirectory(t)
    const store = await openStore(directory)
    await assert.rejects(openStore(directory), refused("BUSY"))
    await store.close()
    await (await openStore(directory)).close()
  })

  test("STORE_DAMAGED when its files are not what was written", async (t) => {
    const directory = temporaryDirectory(t)
    await (await openStore(directory)).close()
    for (const name of readdirSync(directory))
      if (name.startsWith("MANIFEST")) writeFileSync(join(directory, name), "damage")
    await assert.rejects(openStore(directory), refused("STORE_DAMAGED"))
  })
})

describe("the schema", () => {
  const copyTags: Migration = {
    what: "copy tags to sealed",
    async *run(store) {
      for await (const [k, value] of store.range("tags")) yield [{ table: "sealed", key: k, value }]
    },
  }
  const never: Migration = {
    what: "fail half way",
    async *run() {
      yield [{ table: "sealed", key: key(9), value: key(9) }]
      await Promise.reject(new Error("power cut"))
    },
  }
  const withTags = async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const store = await openStore(directory, { migrations: [] })
    await store.batch([{ table: "tags", key: key(1), value: utf8("one") }])
    await store.close()
    return directory
  }

  test("an old store is led to the new schema, once", async (t) => {
    const directory = await withTags(t)
    const store = await openStore(directory, { migrations: [copyTags] })
    assert.deepEqual(await store.get("sealed", key(1)), utf8("one"))
    await store.batch([{ table: "sealed", key: key(1), value: undefined }])
    await store.close()
    const again = await openStore(directory, { migrations: [copyTags] })
    assert.equal(await again.get("sealed", key(1)), undefined, "a step is not repeated")
    await again.close()
  })

  test("an interrupted migration starts over and comes to the same end", async (t) => {
    const directory = await withTags(t)
    await assert.rejects(openStore(directory, { migrations: [copyTags, never] }))
    const store = await openStore(directory, { migrations: [copyTags, copyTags] })
    assert.deepEqual(await store.get("sealed", key(1)), utf8("one"))
    await store.close()
  })

  test("STORE_NEWER for a store that a later program wrote, which is left as it is", async (t) => {
    const directory = await withTags(t)
    await (await openStore(directory, { migrations: [copyTags] })).close()
    await assert.rejects(openStore(directory, { migrations: [] }), refused("STORE_NEWER"))
    await (await openStore(directory, { migrations: [copyTags] })).close()
  })
})

describe("the world fails", () => {
  test("the system's refusals become codes that a person can act on", () => {
    const level = (code: string, message: string) =>
      Object.assign(new Error("Database failed"), {
        code: "LEVEL_DATABASE_NOT_OPEN",
        cause: Object.assign(new Error(message), { code }),
      })
    const codes: [unknown, StoreErrorCode][] = [
      [level("LEVEL_IO_ERROR", "IO error: 000005.log: No space left on device"), "DISK_FULL"],
      [level("LEVEL_IO_ERROR", "IO error: 000005.log: Disk quota exceeded"), "DISK_FULL"],
      [level("LEVEL_LOCKED", "IO error: lock LOCK: Resource temporarily unavailable"), "BUSY"],
      [level("LEVEL_CORRUPTION", "Corruption: bad record length"), "STORE_DAMAGED"],
      [level("LEVEL_IO_ERROR", "IO error: CURRENT: Input/output error"), "STORE_FAILED"],
      [Object.assign(new Error("mkdir"), { code: "ENOSPC" }), "DISK_FULL"],
      [Object.assign(new Error("mkdir"), { code: "EACCES" }), "STORE_FAILED"],
      ["not even an error", "STORE_FAILED"],
    ]
    for (const [error, code] of codes) assert.equal(storeError(error).code, code)
  })

  /** Runs the writer under a shell's limits; resolves to what it wrote until it ended. */
  async function write(directory: string, how: { limit?: string; killAfter?: number }) {
    const program = new URL("../../helpers/store-writer.js", import.meta.url).pathname
    const shell = `${how.limit ?? ":"}; exec "$0" "$@"`
    const args = ["-c", shell, process.execPath, program, directory]
    const child = spawn("sh", args, { stdio: ["ignore", "pipe", "inherit"] })
    let said = ""
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      said += text
      if (said.split("\n").length > (how.killAfter ?? Infinity)) child.kill("SIGKILL")
    })
    await once(child, "close")
    return said.split("\n").filter((line) => line !== "")
  }

  /** What the writer promises: batch n is the value n in every table under the keys n·10 to n·10+9. */
  async function wholeBatches(store: Store): Promise<number[]> {
    const found = new Map<number, number>()
    for (const table of TABLES)
      for (const [, value] of await all(store, table)) {
        const n = new Reader(value).u64()
        found.set(n, (found.get(n) ?? 0) + 1)
      }
    for (const [n, count] of found)
      assert.equal(count, 10 * TABLES.length, `batch ${n} is there in part`)
    return [...found.keys()].sort((a, b) => a - b)
  }

  test("killed in the middle of writing: reopens to whole batches, none of the finished ones lost", async (t) => {
    const directory = temporaryDirectory(t)
    for (const killAfter of [5, 40, 150]) {
      const finished = (await write(directory, { killAfter })).map(Number)
      const store = await openStore(directory)
      const present = await wholeBatches(store)
      const newest = Math.max(...finished)
      assert.deepEqual(
        present.slice(0, newest),
        Array.from({ length: newest }, (_, i) => i + 1),
        "every batch that was said to be stored is there",
      )
      await store.close()
    }
  })

  test("DISK_FULL: says so, and what was stored before is intact", async (t) => {
    const directory = temporaryDirectory(t)
    // a file size limit of 256 KiB stands in for a full disk
    const said = await write(directory, { limit: "ulimit -f 512" })
    assert.equal(said.at(-1), "DISK_FULL")
    const store = await openStore(directory)
    const present = await wholeBatches(store)
    assert(present.length >= Number(said.at(-2)), "what was stored before is there")
    await store.close()
  })
})
