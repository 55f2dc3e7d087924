/**
 * A process of its own that writes numbered batches into a store until it is killed or refused: batch n puts the value n under ten keys
 * of every table. Says each number once its batch is stored, and the error's code at the end.
 */
import { writeSync } from "node:fs"
import { Writer } from "../../src/crypto/bytes.ts"
import { StoreError } from "../../src/node/store/errors.ts"
import { openStore, TABLES } from "../../src/node/store/store.ts"

const say = (what: string | number) => writeSync(1, `${what}\n`)

const store = await openStore(process.argv[2] ?? "")
let first = 1
for await (const [, value] of store.range("arrival", { reverse: true, limit: 1 }))
  first = Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0)) + 1

try {
  for (let n = first; ; n++) {
    const value = new Writer().u64(n).raw(new Uint8Array(92)).finish()
    await store.batch(
      TABLES.flatMap((table) =>
        Array.from({ length: 10 }, (_, i) => ({
          table,
          key: new Writer().u64(n * 10 + i).finish(),
          value,
        })),
      ),
      { sync: n % 2 === 0 },
    )
    say(n)
  }
} catch (error) {
  say(error instanceof StoreError ? error.code : String(error))
  process.exit(1)
}
