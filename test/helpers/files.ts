/** Looking at a directory from outside, as whoever copied it would. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join, relative } from "node:path"
import { sha3_256 } from "@noble/hashes/sha3.js"
import { type Bytes, toHex } from "../../src/crypto/bytes.ts"
import type { Store, Table } from "../../src/node/store/store.ts"

/** Every file below a directory, by its path in it. Sockets are no files. */
export function filesIn(directory: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) files.set(relative(directory, path), readFileSync(path))
  }
  return files
}

/** Permissions as in `chmod`, of everything below a directory and of itself (""). */
export function modesIn(directory: string): Map<string, number> {
  const modes = new Map([["", statSync(directory).mode & 0o777]])
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    modes.set(relative(directory, path), statSync(path).mode & 0o777)
  }
  return modes
}

export async function rowsOf(store: Store, table: Table): Promise<[key: Bytes, value: Bytes][]> {
  const rows: [Bytes, Bytes][] = []
  for await (const [key, value] of store.range(table)) rows.push([key.slice(), value.slice()])
  return rows
}

/** One hash over all rows of a table. */
export async function hashOf(store: Store, table: Table): Promise<string> {
  const hash = sha3_256.create()
  for (const row of await rowsOf(store, table))
    for (const bytes of row) hash.update(new Uint8Array([bytes.length & 255])).update(bytes)
  return toHex(hash.digest())
}
