/**
 * What two peers say on `/sotto/sync/1`: one request frame, one reply frame a stream. Every request names the mesh. Canonical bytes, big-endian:
 *
 *   request   kind 1, mesh id 32, then
 *     1 ids       store id 16, after 8, limit 2: the ids that arrived at that store after this sequence number
 *     2 fetch     count 1, ids 32 each: the envelopes themselves
 *     3 genesis   nothing: the genesis that hashes to the mesh id
 *     4 peers     nothing: some other peers of the mesh
 *     5 news      store id 16, last 8: "my store has grown by sync; gossip may not have told you"
 *     6 blocks    after 8, limit 1: blocks of the ledger above this height, with their certificates
 *   reply     status 1 (0 = done, 1 = of another mesh), then for the kinds above
 *     1           store id 16, last 8, next 8, count 2, ids 32 each; `next` is where the following page starts
 *     2           count 1, each: 0, or 1 and 4096 bytes; in the order asked for
 *     3           length 4, genesis
 *     4           count 1, each: count 1, multiaddrs of length 2
 *     5           nothing
 *     6           count 1, each: length 4, block; in order of height
 */
import { type Bytes, Reader, Writer } from "../../crypto/bytes.ts"
import { ENVELOPE_BYTES } from "../../crypto/envelope.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { GENESIS_BYTES_MAX } from "../../crypto/genesis.ts"
import { atMost, done, flag, repliesOf } from "../transport/stream-replies.ts"

export const STORE_ID_BYTES = 16
/** Ids in one page: 128 KiB. */
export const PAGE_IDS_MAX = 4096
/** Envelopes in one reply: 256 KiB. */
export const FETCH_MAX = 64
export const PEERS_MAX = 16
export const BLOCKS_MAX = 64
/** After the first block no more are added once a reply would exceed this. */
export const BLOCKS_BYTES_MAX = 512 * 1024
/** One block: a full batch, and the certificate of the largest validator set. */
export const BLOCK_BYTES_MAX = 768 * 1024
export const ADDRESSES_PER_PEER_MAX = 8
const ADDRESS_BYTES_MAX = 256

export const REQUEST_BYTES_MAX = 1 + 32 + 1 + FETCH_MAX * 32
export const REPLY_BYTES_MAX = Math.max(
  64 + PAGE_IDS_MAX * 32,
  64 + FETCH_MAX * (ENVELOPE_BYTES + 1),
  64 + GENESIS_BYTES_MAX,
  64 + BLOCKS_MAX * 4 + Math.max(BLOCKS_BYTES_MAX, BLOCK_BYTES_MAX),
)

/** A place in the arrival order of one store. */
export interface Cursor {
  /** 16 bytes; zeros when the store is not known yet. */
  readonly storeId: Bytes
  /** 0 is before everything. */
  readonly after: number
}

export type SyncRequest = { readonly meshId: Bytes } & (
  | { readonly kind: "ids"; readonly cursor: Cursor; readonly limit: number }
  | { readonly kind: "fetch"; readonly ids: readonly Bytes[] }
  | { readonly kind: "genesis" }
  | { readonly kind: "peers" }
  | { readonly kind: "news"; readonly storeId: Bytes; readonly last: number }
  | { readonly kind: "blocks"; readonly after: number; readonly limit: number }
)

export interface IdsPage {
  readonly storeId: Bytes
  /** Newest sequence number there. */
  readonly last: number
  readonly next: number
  readonly ids: readonly Bytes[]
}

/** In place of an answer: this peer belongs to another mesh. */
export type Refusal = "OTHER_MESH"
const REPLIES = repliesOf<Refusal>(["OTHER_MESH"])

const KINDS = ["ids", "fetch", "genesis", "peers", "news", "blocks"] as const

export function encodeRequest(request: SyncRequest): Bytes {
  const out = new Writer().u8(KINDS.indexOf(request.kind) + 1).raw(request.meshId)
  switch (request.kind) {
    case "ids":
      return out.raw(request.cursor.storeId).u64(request.cursor.after).u16(request.limit).finish()
    case "fetch":
      out.u8(request.ids.length)
      for (const id of request.ids) out.raw(id)
      return out.finish()
    case "news":
      return out.raw(request.storeId).u64(request.last).finish()
    case "blocks":
      return out.u64(request.after).u8(request.limit).finish()
    case "genesis":
    case "peers":
      return out.finish()
  }
}

/** Throws CryptoError. */
export function decodeRequest(bytes: Bytes): SyncRequest {
  const read = new Reader(bytes)
  const kind = KINDS[read.u8() - 1]
  if (kind === undefined) throw new CryptoError("BAD_ENCODING", "unknown request")
  const meshId = read.raw(32)
  const request = { meshId, ...requestFields(kind, read) }
  read.done()
  return request
}

function requestFields(kind: (typeof KINDS)[number], read: Reader) {
  switch (kind) {
    case "ids": {
      const cursor = { storeId: read.raw(STORE_ID_BYTES), after: read.u64() }
      return { kind, cursor, limit: atMost(read.u16(), PAGE_IDS_MAX) }
    }
    case "fetch": {
      const count = atMost(read.u8(), FETCH_MAX)
      return { kind, ids: Array.from({ length: count }, () => read.raw(32)) }
    }
    case "news":
      return { kind, storeId: read.raw(STORE_ID_BYTES), last: read.u64() }
    case "blocks":
      return { kind, after: read.u64(), limit: atMost(read.u8(), BLOCKS_MAX) }
    case "genesis":
    case "peers":
      return { kind }
  }
}

export const encodeRefusal = REPLIES.encodeRefusal

export const encodeNothing = (): Bytes => done().finish()

export function encodePage({ storeId, last, next, ids }: IdsPage): Bytes {
  const out = done().raw(storeId).u64(last).u64(next).u16(ids.length)
  for (const id of ids) out.raw(id)
  return out.finish()
}

export function encodeEnvelopes(envelopes: readonly (Bytes | undefined)[]): Bytes {
  const out = done().u8(envelopes.length)
  for (const envelope of envelopes) {
    if (envelope === undefined) out.u8(0)
    else out.u8(1).raw(envelope)
  }
  return out.finish()
}

export const encodeGenesisReply = (genesis: Bytes): Bytes => done().bytes(genesis, 4).finish()

export function encodePeers(peers: readonly (readonly string[])[]): Bytes {
  const out = done().u8(peers.length)
  for (const addresses of peers) {
    out.u8(addresses.length)
    for (const address of addresses) out.text(address, 2)
  }
  return out.finish()
}

export function encodeBlocks(blocks: readonly Bytes[]): Bytes {
  const out = done().u8(blocks.length)
  for (const block of blocks) out.bytes(block, 4)
  return out.finish()
}

export const decodeNothing = (bytes: Bytes): null | Refusal => REPLIES.decode(bytes, () => null)

export const decodePage = (bytes: Bytes): IdsPage | Refusal =>
  REPLIES.decode(bytes, (read) => {
    const storeId = read.raw(STORE_ID_BYTES)
    const [last, next] = [read.u64(), read.u64()]
    const count = atMost(read.u16(), PAGE_IDS_MAX)
    return { storeId, last, next, ids: Array.from({ length: count }, () => read.raw(32)) }
  })

export const decodeEnvelopes = (bytes: Bytes): readonly (Bytes | undefined)[] | Refusal =>
  REPLIES.decode(bytes, (read) =>
    Array.from({ length: atMost(read.u8(), FETCH_MAX) }, () =>
      flag(read.u8()) ? read.raw(ENVELOPE_BYTES) : undefined,
    ),
  )

export const decodeGenesisReply = (bytes: Bytes): Bytes | Refusal =>
  REPLIES.decode(bytes, (read) => read.bytes(4, GENESIS_BYTES_MAX))

export const decodePeers = (bytes: Bytes): readonly (readonly string[])[] | Refusal =>
  REPLIES.decode(bytes, (read) =>
    Array.from({ length: atMost(read.u8(), PEERS_MAX) }, () =>
      Array.from({ length: atMost(read.u8(), ADDRESSES_PER_PEER_MAX) }, () =>
        read.text(2, ADDRESS_BYTES_MAX),
      ),
    ),
  )

/** Encoded blocks; what they say is for the ledger to judge. */
export const decodeBlocks = (bytes: Bytes): readonly Bytes[] | Refusal =>
  REPLIES.decode(bytes, (read) =>
    Array.from({ length: atMost(read.u8(), BLOCKS_MAX) }, () => read.bytes(4, BLOCK_BYTES_MAX)),
  )
