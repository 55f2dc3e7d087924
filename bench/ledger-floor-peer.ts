/**
 * The floor under the ledger: the normal case and nothing else, in a process of its own. Primary 0 for ever, plain TCP, no view change, no
 * terms, no state, no repair. What is left is what the protocol costs whoever writes it: the same batches, the same hybrid signatures made
 * and checked (votes that come after a quorum are not), the same records and the guard synced before a vote leaves, a block synced before
 * it is told. It is no ledger: one process that is slow or lies stops it.
 *
 * It speaks with its parent as ledger-peer.ts does.
 */
import { once } from "node:events"
import { constants, type FileHandle, open } from "node:fs/promises"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { blockHash } from "../src/consensus/block.ts"
import { certificateOf } from "../src/consensus/certificate.ts"
import { decodeMessage, encodeBlockRecord, encodeMessage } from "../src/consensus/codec.ts"
import { hybridScheme, type Sign } from "../src/consensus/hybrid.ts"
import { batchOf, keyOf } from "../src/consensus/item.ts"
import { BLOCK_ITEMS_MAX, PIPELINE_SLOTS } from "../src/consensus/limits.ts"
import {
  appendRecord,
  encodeGuard,
  encodeLogRecord,
  type LogEnd,
  logStart,
} from "../src/consensus/log.ts"
import { votePreimage } from "../src/consensus/preimage.ts"
import { type ValidatorSet, validatorSet } from "../src/consensus/quorum.ts"
import type { Batch, BlockRecord, Item, LogRecord, Vote, VoteType } from "../src/consensus/types.ts"
import { type Bytes, concat, Writer } from "../src/crypto/bytes.ts"
import { ledgerRules, workItem } from "../src/node/ledger/rules.ts"
import { meshFrom } from "../src/node/mesh/mesh.ts"
import { validatorFrom } from "../src/node/ledger/validator-keys.ts"
import { ID_BYTES, onIds, type Order, type PeerPlan, tailsOf, type Word } from "./ledger-words.ts"

const PRIMARY = 0
/** As in consensus/propose.ts: an eighth of a full batch, and as much as is under way. */
const BESIDE_ITEMS_MIN = BLOCK_ITEMS_MAX / 8
const NO_STATE = new Uint8Array(32)
const SYNCED = constants.O_WRONLY | constants.O_CREAT | constants.O_DSYNC

const say = (word: Word) => process.send?.(word)
const fail = (error: unknown) => {
  process.stderr.write(`floor peer: ${String(error)}\n`)
  process.exit(1)
}

interface Slot {
  batch?: Batch
  proposal?: Vote
  prepared?: boolean
  readonly prepares: Vote<"prepare">[]
  readonly commits: Vote<"commit">[]
  committed?: boolean
}

/** Group-committed: what came while one sync was under way goes into the next. */
class Disk {
  readonly #files: readonly [FileHandle, FileHandle, FileHandle]
  #end: LogEnd
  #records: Bytes[] = []
  #blocks: Bytes[] = []
  #then: (() => void)[] = []
  #busy = false

  constructor(files: readonly [FileHandle, FileHandle, FileHandle], meshId: Bytes) {
    this.#files = files
    this.#end = logStart(meshId, 0)
  }

  log(...records: LogRecord[]): void {
    for (const record of records) {
      const { bytes, end } = appendRecord(this.#end, encodeLogRecord(record))
      this.#records.push(bytes)
      this.#end = end
    }
  }

  block(record: BlockRecord): void {
    this.#blocks.push(encodeBlockRecord(record))
  }

  /** Once everything so far is on the disk. */
  then(work: () => void): void {
    this.#then.push(work)
    if (!this.#busy) this.#sync().catch(fail)
  }

  async #sync(): Promise<void> {
    this.#busy = true
    while (this.#then.length > 0) {
      await new Promise((resolve) => setImmediate(resolve))
      const [log, guard, blocks] = this.#files
      const works = this.#then.splice(0)
      const records = this.#records.splice(0)
      const stored = this.#blocks.splice(0)
      const end = encodeGuard({ term: 0, end: this.#end })
      if (stored.length > 0) await blocks.write(concat(...stored))
      if (records.length > 0) {
        await log.write(concat(...records))
        await guard.write(end, 0, end.length, 0)
      }
      for (const work of works) work()
    }
    this.#busy = false
  }
}

class FloorPeer {
  readonly #set: ValidatorSet
  readonly #me: number
  readonly #sign: Sign
  readonly #meshId: Bytes
  readonly #disk: Disk
  readonly #scheme = hybridScheme()
  readonly #sockets = new Set<Socket>()
  readonly #slots = new Map<number, Slot>()
  /** Admitted and not ordered, by id; `fresh` are those that no proposal names. */
  readonly #known = new Map<string, Item>()
  #fresh: Item[] = []
  #proposed = 0
  #executed = 0
  #tip: Bytes = NO_STATE

  constructor(set: ValidatorSet, me: number, sign: Sign, meshId: Bytes, disk: Disk) {
    this.#set = set
    this.#me = me
    this.#sign = sign
    this.#meshId = meshId
    this.#disk = disk
  }

  link(socket: Socket): void {
    socket.setNoDelay(true)
    this.#sockets.add(socket)
    say({ type: "linked", links: this.#sockets.size })
    socket.on("error", () => undefined)
    socket.on("close", () => this.#sockets.delete(socket))
    let unread: Buffer = Buffer.alloc(0)
    socket.on("data", (chunk: Buffer) => {
      unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
      while (unread.length >= 4 && unread.length >= 4 + unread.readUInt32BE(0)) {
        const length = unread.readUInt32BE(0)
        this.#hear(decodeMessage(new Uint8Array(unread.subarray(4, 4 + length))) as Vote)
        unread = unread.subarray(4 + length)
      }
    })
  }

  admit(ids: Uint8Array): void {
    for (let at = 0; at < ids.length; at += ID_BYTES) {
      const item = workItem(ids.slice(at, at + ID_BYTES))
      this.#known.set(keyOf(item.id), item)
      if (this.#me === PRIMARY) this.#fresh.push(item)
    }
    if (this.#me === PRIMARY) this.#propose()
    else for (const [height, slot] of this.#slots) this.#prepare(height, slot)
  }

  #slot(height: number): Slot {
    const slot = this.#slots.get(height) ?? { prepares: [], commits: [] }
    this.#slots.set(height, slot)
    return slot
  }

  #vote<T extends VoteType>(type: T, height: number, digest: Bytes): Vote<T> {
    const fields = { type, term: 0, view: 0, height, digest, signer: this.#me }
    return { ...fields, signature: this.#sign(votePreimage(this.#meshId, fields)) }
  }

  #send(vote: Vote): void {
    const frame = new Writer().bytes(encodeMessage(vote), 4).finish()
    this.#disk.then(() => {
      for (const socket of this.#sockets) socket.write(frame)
    })
  }

  #hear(vote: Vote & { readonly batch?: Batch }): void {
    const { type, height, signer } = vote
    const slot = this.#slot(height)
    if (height <= this.#executed || (type === "prepare" && slot.prepared === true)) return
    const keys = this.#set.members[signer]
    const signed = votePreimage(this.#meshId, vote)
    if (keys === undefined || !this.#scheme.verify(keys, signed, vote.signature))
      return fail(new Error("a bad signature"))
    if (type === "pre-prepare" && vote.batch !== undefined) {
      slot.batch = vote.batch
      slot.proposal = vote
      this.#prepare(height, slot)
    } else if (type === "prepare") slot.prepares.push(vote as Vote<"prepare">)
    else slot.commits.push(vote as Vote<"commit">)
    this.#goOn(height, slot)
  }

  /** A block is not larger than what waits when the one before is decided; the same rule as the ledger's. */
  #propose(): void {
    for (;;) {
      const inFlight = this.#proposed - this.#executed
      const beside = Math.max(BESIDE_ITEMS_MIN, this.#known.size - this.#fresh.length)
      const wanted = inFlight === 0 ? 1 : Math.min(BLOCK_ITEMS_MAX, beside)
      if (inFlight >= PIPELINE_SLOTS || this.#fresh.length < wanted) return
      const height = ++this.#proposed
      const batch = batchOf(this.#fresh.splice(0, BLOCK_ITEMS_MAX))
      const vote = this.#vote("pre-prepare", height, batch.digest)
      const slot = this.#slot(height)
      slot.batch = batch
      slot.proposal = vote
      this.#disk.log({ kind: "proposal", message: { ...vote, batch } })
      this.#send({ ...vote, batch } as Vote)
    }
  }

  #prepare(height: number, { proposal, batch, prepares }: Slot): void {
    if (proposal === undefined || batch === undefined) return
    if (prepares.some(({ signer }) => signer === this.#me)) return
    if (!batch.items.every(({ id }: Item & { readonly id?: Bytes }) => id && this.#has(id))) return
    const vote = this.#vote("prepare", height, proposal.digest)
    prepares.push(vote)
    this.#disk.log({ kind: "proposal", message: { ...proposal, batch } } as LogRecord)
    this.#disk.log({ kind: "vote", message: vote })
    this.#send(vote)
  }

  #has(id: Bytes): boolean {
    return this.#known.has(keyOf(id))
  }

  #goOn(height: number, slot: Slot): void {
    if (slot.batch !== undefined && slot.prepares.length >= this.#set.quorum - 1)
      slot.prepared = true
    for (let next = height; next === this.#executed + 1 && this.#decide(next); next++);
    if (this.#me === PRIMARY) this.#propose()
  }

  /** COMMITs, and executes once a quorum has. */
  #decide(height: number): boolean {
    const slot = this.#slots.get(height)
    const { batch, proposal } = slot ?? {}
    if (slot?.prepared !== true || batch === undefined || proposal === undefined) return false
    const parent = this.#tip
    const hash = blockHash(this.#meshId, {
      height,
      parent,
      digest: batch.digest,
      stateRoot: NO_STATE,
    })
    if (slot.committed !== true) {
      slot.committed = true
      const vote = this.#vote("commit", height, hash)
      const { digest, signature } = proposal
      const proof = { height, view: 0, digest, proposal: signature, prepares: slot.prepares }
      this.#disk.log({ kind: "prepared", proof }, { kind: "vote", message: vote })
      slot.commits.push(vote)
      this.#send(vote)
    }
    if (slot.commits.length < this.#set.quorum) return false
    this.#tip = hash
    this.#executed = height
    this.#slots.delete(height)
    for (const { id } of batch.items as readonly { readonly id: Bytes }[])
      this.#known.delete(keyOf(id))
    const certificate = certificateOf(slot.commits)
    this.#disk.block({ height, parent, stateRoot: NO_STATE, batch, certificate })
    const tails = tailsOf(batch.items)
    this.#disk.then(() => say({ type: "block", height, term: 0, view: 0, tails }))
    return true
  }
}

async function start(plan: PeerPlan): Promise<FloorPeer> {
  const { directory, genesis, secrets, bootstrap } = plan
  if (secrets === undefined) throw new Error("only validators")
  const { keys, sign } = validatorFrom(secrets)
  const { meshId, validators } = ledgerRules(meshFrom(new Uint8Array(genesis)))
  const set = validatorSet(validators)
  const me = set.members.findIndex(({ ed25519 }) => keyOf(ed25519) === keyOf(keys.ed25519))
  const files = await Promise.all([
    open(join(directory, "log"), SYNCED | constants.O_APPEND),
    open(join(directory, "guard"), SYNCED),
    open(join(directory, "blocks"), SYNCED | constants.O_APPEND),
  ])
  const peer = new FloorPeer(set, me, sign, meshId, new Disk(files, meshId))
  const server = createServer((socket) => peer.link(socket)).listen(0, "127.0.0.1")
  await once(server, "listening")
  for (const port of bootstrap) {
    const socket = connect(Number(port), "127.0.0.1")
    await once(socket, "connect")
    peer.link(socket)
  }
  say({ type: "ready", addresses: [String((server.address() as AddressInfo).port)], height: 0 })
  return peer
}

process.on("message", (order: Order) => {
  if (order.type === "stop") process.exit(0)
  else start(order.plan).then((peer) => onIds((ids) => peer.admit(ids)), fail)
})
// whoever started this process has gone
process.on("disconnect", () => process.exit(0))
