/**
 * Opening the chat of somebody with a thousand contacts: each is a channel whose next 32 tags are expected. From the store on the disk to
 * the map that recognises their envelopes; what the map takes; and the longest time that the event loop was held up meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { primitives as p } from "#primitives"
import { openChannel } from "../src/chat/channel.ts"
import { added } from "../src/chat/contact.ts"
import { newThread } from "../src/chat/thread.ts"
import { addressFromBytes } from "../src/crypto/address.ts"
import { openVault } from "../src/crypto/keyfile.ts"
import { addMembers, createGroup, createKeyPackage } from "../src/crypto/session.ts"
import { ChatBook } from "../src/node/chat/book.ts"
import { ChatRecords } from "../src/node/chat/records.ts"
import { Sealed } from "../src/node/store/sealed.ts"
import { sealedShelf } from "../src/node/store/sealed-store.ts"
import { openStore } from "../src/node/store/store.ts"
import { TagMap } from "../src/node/chat/tag-map.ts"
import { type Bench, median, type Result } from "./bench.ts"
import { watchLoop } from "./loop-hold.ts"

const CONTACTS = 1_000
const RUNS = 5

export const tagsBench: Bench = { name: "tags", run }

const me = addressFromBytes(p.randomBytes(64))

async function run(): Promise<Result[]> {
  const dataDir = mkdtempSync(join(tmpdir(), "sotto-bench-"))
  const vault = openVault(p.randomBytes(32))
  const open = async () => {
    const store = await openStore(join(dataDir, "store"))
    return { store, records: new ChatRecords(new Sealed(vault, sealedShelf(store))) }
  }
  try {
    const { store, records } = await open()
    for (let i = 0; i < CONTACTS; i++) await befriend(records)
    await store.close()
    const [build, delays]: [number[], number[]] = [[], []]
    let size = 0
    for (let i = 0; i <= RUNS; i++) {
      const { store, records } = await open()
      const book = new ChatBook({ me, records, emit: () => undefined })
      const loop = watchLoop()
      const began = performance.now()
      await book.load()
      const elapsed = performance.now() - began
      const held = loop.stop()
      if (i === 0) size = mapSize(book)
      else {
        build.push(elapsed)
        delays.push(held)
      }
      await store.close()
    }
    return [
      { metric: "tags.build_ms", value: median(build), unit: "ms", runs: RUNS },
      { metric: "tags.loop_max_ms", value: median(delays), unit: "ms", runs: RUNS },
      { metric: "tags.map_mib", value: size, unit: "MiB", runs: 1 },
    ]
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function befriend(records: ChatRecords): Promise<void> {
  const [own, theirs] = [p.randomBytes(64), p.randomBytes(64)]
  const joining = await createKeyPackage({
    identity: theirs,
    signatureSeed: p.ed25519.generate(),
    lastResort: true,
    notAfterSeconds: 2 ** 33,
  })
  const alone = await createGroup({
    groupId: p.randomBytes(16),
    identity: own,
    signatureSeed: p.ed25519.generate(),
  })
  const { next } = await addMembers(alone, [joining.public], Math.floor(Date.now() / 1000))
  const peer = addressFromBytes(theirs)
  const channel = await openChannel(next, { peer, theirName: "", trusted: true })
  const thread = newThread(me, peer)
  const contact = added(undefined, peer, `friend ${peer.slice(-6)}`)
  const puts = [
    records.putContact(contact),
    records.putThread(thread),
    ...records.channels.put(channel).ops,
  ]
  await records.write(puts, { sync: false })
}

/** What a map of the same channels takes, in MiB; exact where the garbage can be collected by hand (`node --expose-gc`). */
function mapSize(book: ChatBook): number {
  const used = () => {
    global.gc?.()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = used()
  const map = new TagMap()
  for (const channel of book.channels.values()) map.follow(channel)
  const after = used()
  if (map.size !== CONTACTS * 32) throw new Error(`${map.size} tags`)
  return (after - before) / 2 ** 20
}
