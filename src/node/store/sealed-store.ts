/** The `sealed` table of the store, as private records see it. */
import type { SealedShelf } from "./sealed.ts"
import type { Store } from "./store.ts"

export function sealedShelf(store: Store): SealedShelf {
  return {
    // at once: a record costs some microseconds to look up, and more to have looked up by another thread
    get: (key) => new Promise((resolve) => resolve(store.peek("sealed", key))),
    getMany: (keys) => store.getMany("sealed", keys),
    write: (ops, { sync }) =>
      store.batch(
        ops.map((op) => ({
          table: "sealed",
          key: op.key,
          value: op.type === "put" ? op.value : undefined,
        })),
        { sync },
      ),
    compact: ({ gte, lt }) => store.compact("sealed", gte, lt),
    async range({ gte, lt }, { reverse, limit }) {
      const rows: { key: Uint8Array; value: Uint8Array }[] = []
      for await (const [key, value] of store.range("sealed", { gte, lt, reverse, limit }))
        rows.push({ key, value })
      return rows
    },
  }
}
