/**
 * A profile with 100,000 messages: from opening its store, in a process that has the program loaded, to the last 50 of its thread through
 * the API, the network included. The profile is written directly, as the chat would have. The floor is the bare LevelDB: the same
 * store opened, and as many records of the same size read from its end.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { primitives } from "#primitives"
import { added } from "../src/chat/contact.ts"
import { PLAIN } from "../src/chat/message.ts"
import { newThread } from "../src/chat/thread.ts"
import { encodeAddress } from "../src/crypto/address.ts"
import { openVault } from "../src/crypto/keyfile.ts"
import { ChatRecords } from "../src/node/chat-records.ts"
import { startNode } from "../src/node/node.ts"
import { Sealed } from "../src/node/sealed.ts"
import { sealedShelf } from "../src/node/sealed-store.ts"
import { openStore } from "../src/node/store.ts"
import { readKeyfile } from "../src/node/vault.ts"
import { type Bench, median, type Result } from "./bench.ts"

const MESSAGES = 100_000
const TOGETHER = 1_000
const TEXT_BYTES = 256
const SHOWN = 50
const RUNS = 9

export const historyBench: Bench = { name: "history", run }

async function run(): Promise<Result[]> {
  const dataDir = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  try {
    const thread = await fill(dataDir)
    const cold: number[] = []
    const floor: number[] = []
    for (let i = 0; i <= RUNS; i++) {
      const [program, bare] = [await lastMessages(dataDir, thread), await lastRecords(dataDir)]
      // the first is for warming up
      if (i === 0) continue
      cold.push(program)
      floor.push(bare)
    }
    return [
      { metric: "history.cold100k_ms", value: median(cold), unit: "ms", runs: RUNS },
      { metric: "floor.level_ms", value: median(floor), unit: "ms", runs: RUNS },
    ]
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** Without listening and without a LAN to look at: what is measured is the profile. */
const options = (dataDir: string) => ({
  dataDir,
  socketPath: join(dataDir, "node.sock"),
  listen: [],
  testnet: true,
  log: () => undefined,
})

/** Makes the profile; returns the thread's name. */
async function fill(dataDir: string): Promise<string> {
  const node = await startNode(options(dataDir))
  const { address: me } = await node.api.call("profile.create", { name: "me", passphrase: null })
  await node.stop()
  const keyfile = await readKeyfile(join(dataDir, "vault"))
  if (keyfile?.mode !== "unprotected") throw new Error("the profile has an open vault")
  const store = await openStore(join(dataDir, "store"))
  const records = new ChatRecords(new Sealed(openVault(keyfile.vaultKey), sealedShelf(store)))
  const root = () => primitives.randomBytes(32)
  const peer = encodeAddress({ ed25519Root: root(), slhDsaRootHash: root() })
  const owner = { ...newThread(me as typeof peer, peer), lamport: MESSAGES }
  await records.write(
    [records.putContact(added(undefined, peer, "friend")), records.putThread(owner)],
    { sync: true },
  )
  for (let at = 0; at < MESSAGES; at += TOGETHER) {
    const ops = Array.from({ length: TOGETHER }, (_, i) => {
      const mine = i % 2 === 0
      const about = { delivery: "delivered", late: false, mine, audience: 0, awaited: [] } as const
      const id = primitives.randomBytes(16)
      const lamport = at + i + 1
      const said = { lamport, sentAtMs: lamport, text: `${lamport} `.padEnd(TEXT_BYTES, "x") }
      return records.putMessage(owner.id, {
        ...PLAIN,
        id,
        author: mine ? (me as typeof peer) : peer,
        ...said,
        ...about,
      })
    })
    await records.write(ops.flat(), { sync: at + TOGETHER === MESSAGES })
  }
  await store.close()
  return "friend"
}

async function lastMessages(dataDir: string, thread: string): Promise<number> {
  const began = performance.now()
  const node = await startNode(options(dataDir))
  const { messages } = await node.api.call("messages.page", { thread, limit: SHOWN })
  const elapsed = performance.now() - began
  await node.stop()
  if (messages.at(-1)?.text.startsWith(`${MESSAGES} `) !== true || messages.length !== SHOWN)
    throw new Error("these are not the last messages")
  return elapsed
}

async function lastRecords(dataDir: string): Promise<number> {
  const began = performance.now()
  const store = await openStore(join(dataDir, "store"))
  let found = 0
  for await (const [, value] of store.range("sealed", { reverse: true, limit: SHOWN }))
    found += value.length
  const elapsed = performance.now() - began
  await store.close()
  if (found === 0) throw new Error("there are no records")
  return elapsed
}
