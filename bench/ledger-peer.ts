/**
 * One peer of the ledger benchmark, in a process of its own: the store, the network and the ledger of the program, composed as `sotto node`
 * does it. Only the mailbox is left out: ids come from the parent and count as stored and admitted. Every block that is on disk is told to
 * the parent with the last four bytes of the ids it applied, which is where the parent put their numbers.
 *
 * It speaks with its parent over the IPC channel: `Order` in, `Word` out.
 */
import { join } from "node:path"
import { ENVELOPE_BYTES } from "../src/crypto/envelope.ts"
import { POW_KIND } from "../src/crypto/pow.ts"
import type { BlockRecord, Item } from "../src/consensus/types.ts"
import { MeshLedger } from "../src/node/ledger/ledger.ts"
import type { StoredListener } from "../src/node/mailbox/mailbox.ts"
import { meshFrom } from "../src/node/mesh/mesh.ts"
import { startNetwork } from "../src/node/network/network.ts"
import type { Network } from "../src/node/network/parts.ts"
import { peerKeyAt } from "../src/node/transport/peer-key.ts"
import { openStore } from "../src/node/store/store.ts"
import { validatorFrom } from "../src/node/ledger/validator-keys.ts"
import { misbehaving } from "./ledger-byzantine.ts"
import { ID_BYTES, onIds, type Order, type PeerPlan, tailsOf, type Word } from "./ledger-words.ts"

const LOOK_EVERY_MS = 50
const say = (word: Word) => process.send?.(word)
const fail = (error: unknown) => {
  process.stderr.write(`ledger peer: ${String(error)}\n`)
  process.exit(1)
}

/** Tells the parent of every block once it is on disk. */
function reportBlocks({ chain }: MeshLedger): void {
  const keep = chain.keep.bind(chain)
  chain.keep = async (blocks, stable, options) => {
    await keep(blocks, stable, options)
    for (const { record, applied } of blocks) say(blockWord(record, applied))
  }
}

const blockWord = ({ height, certificate }: BlockRecord, applied: readonly Item[]): Word => {
  const { term, view } = certificate
  return { type: "block", height, term, view, tails: tailsOf(applied) }
}

/** What stands for every envelope: paid for by work, and only looked at for that. */
const ENVELOPE = new Uint8Array(ENVELOPE_BYTES).fill(POW_KIND, 0, 1)

const entryOf = (seq: number, id: Uint8Array) => ({ seq, id, bytes: ENVELOPE })

/** The network with ids from the parent in place of what its mailbox stores. */
function withDoor(network: Network, streams: Network["streams"]) {
  let stored: StoredListener = () => undefined
  /** What came, as a mailbox would keep it: the ledger looks through it again when its pool was full. */
  const kept: Uint8Array[] = []
  const mailbox = {
    onStored: (listener: StoredListener) => {
      stored = listener
      return () => undefined
    },
    entriesAfter: (after: number, limit: number) =>
      Promise.resolve(kept.slice(after, after + limit).map((id, i) => entryOf(after + i + 1, id))),
    knows: () => true,
    getMany: (ids: readonly Uint8Array[]) => Promise.resolve(ids.map(() => ENVELOPE)),
  }
  const door = { streams, mailbox, fetch: () => Promise.resolve() }
  return {
    network: new Proxy(network, {
      get(target, name) {
        if (Object.hasOwn(door, name)) return door[name as keyof typeof door]
        const value: unknown = Reflect.get(target, name)
        return typeof value === "function" ? (value.bind(target) as unknown) : value
      },
    }),
    admit(ids: Uint8Array): void {
      for (let at = 0; at < ids.length; at += ID_BYTES) {
        const id = ids.subarray(at, at + ID_BYTES)
        stored(entryOf(kept.push(id), id))
      }
    },
  }
}

async function start(plan: PeerPlan): Promise<(ids: Uint8Array) => void> {
  const { directory, listen, bootstrap, behaviour } = plan
  const genesis = new Uint8Array(plan.genesis)
  const validator = plan.secrets && validatorFrom(plan.secrets)
  const store = await openStore(join(directory, "store"))
  const ledger = await MeshLedger.open({
    store,
    mesh: meshFrom(genesis),
    directory: join(directory, "ledger"),
    newMark: join(directory, "validator.new"),
    validator: () => validator,
    onChange: () => undefined,
    note: (line) => process.stderr.write(`${line}\n`),
    onFault: fail,
  })
  if (ledger === undefined) throw new Error("a mesh without validators has no ledger")
  reportBlocks(ledger)
  const network = await startNetwork({
    store,
    genesis,
    bootstrap,
    key: await peerKeyAt(join(directory, "peer.key")),
    listen: [listen],
    ipColocationWeight: 0,
    topics: ledger.topics(),
    blocks: (after, limit) => ledger.served(after, limit),
    onFault: fail,
  })
  const streams = misbehaving(behaviour, network.streams, validator, ledger.rules.meshId)
  const door = withDoor(network, streams)
  await ledger.join(door.network)
  say({ type: "ready", addresses: network.addresses(), height: ledger.height })
  let links = -1
  setInterval(() => {
    const now = ledger.status().linked ?? network.peers().length
    if (now !== links) say({ type: "linked", links: now })
    links = now
  }, LOOK_EVERY_MS).unref()
  process.once("SIGTERM", () => {
    const stop = async () => {
      await ledger.stop()
      await network.stop()
      await store.close()
      process.exit(0)
    }
    stop().catch(fail)
  })
  return (ids) => door.admit(ids)
}

process.on("message", (order: Order) => {
  if (order.type === "stop") process.kill(process.pid, "SIGTERM")
  else start(order.plan).then(onIds, fail)
})
// whoever started this process has gone
process.on("disconnect", () => process.exit(0))
