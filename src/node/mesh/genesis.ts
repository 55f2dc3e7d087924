/**
 * The genesis of the mesh that a store belongs to: kept in it, never replaced by another, and fetched by someone who joins and
 * has nothing but its hash. What a peer hands out is believed only because it hashes to the mesh id of the ticket.
 */
import { type Bytes, equal, utf8 } from "../../crypto/bytes.ts"
import { CodedError, CryptoError } from "../../crypto/errors.ts"
import { decodeGenesis, meshIdOf } from "../../crypto/genesis.ts"
import { newPeerKey } from "../transport/peer-key.ts"
import type { Store } from "../store/store.ts"
import { StoreError } from "../store/errors.ts"
import { Streams } from "../transport/streams.ts"
import { decodeGenesisReply } from "../mailbox/sync-messages.ts"
import { ask } from "../mailbox/sync-round.ts"
import { startTransport, type Transport, type TransportOptions } from "../transport/transport.ts"

export type MeshErrorCode =
  /** The store belongs to another mesh. */
  | "OTHER_MESH"
  /** Nobody at the given addresses could be reached, or nobody had the genesis. */
  | "NO_GENESIS"

export class MeshError extends CodedError<MeshErrorCode> {}

const KEY = utf8("genesis")
const FETCH_DEADLINE_MS = 30_000

/** The stored genesis; `undefined` in a store that belongs to no mesh yet. Throws StoreError. */
export async function storedGenesis(store: Store): Promise<Bytes | undefined> {
  const bytes = await store.get("mesh", KEY)
  if (bytes === undefined) return undefined
  try {
    decodeGenesis(bytes)
    return bytes
  } catch (cause) {
    throw new StoreError("STORE_DAMAGED", "the stored genesis is damaged", { cause })
  }
}

/** Makes the store one of this mesh, durably. Throws MeshError OTHER_MESH, StoreError, CryptoError for what is no genesis. */
export async function keepGenesis(store: Store, genesis: Bytes): Promise<void> {
  decodeGenesis(genesis)
  const stored = await store.get("mesh", KEY)
  if (stored === undefined)
    await store.batch([{ table: "mesh", key: KEY, value: genesis }], { sync: true })
  else if (!equal(stored, genesis))
    throw new MeshError("OTHER_MESH", "the store belongs to another mesh")
}

export interface FetchGenesisOptions extends Pick<TransportOptions, "postQuantum"> {
  /** 32 bytes: the hash that the ticket names. */
  readonly meshId: Bytes
  /** Multiaddrs, tried in turn. */
  readonly addresses: readonly string[]
  readonly signal?: AbortSignal
}

/** Asks the peers at these addresses, under a peer id that exists for this question only. Throws MeshError NO_GENESIS. */
export async function fetchGenesis(options: FetchGenesisOptions): Promise<Bytes> {
  const { meshId, addresses, postQuantum = "preferred" } = options
  const deadline = AbortSignal.timeout(FETCH_DEADLINE_MS)
  const signal =
    options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal])
  const key = await newPeerKey()
  const transport = await startTransport({ key, listen: [], topics: [], postQuantum })
  const streams = new Streams(transport.libp2p, () => undefined)
  let cause: unknown
  try {
    for (const one of byPeer(addresses)) {
      try {
        return await genesisFrom(one, { meshId, transport, streams, signal })
      } catch (error) {
        cause = error
        if (signal.aborted) break
      }
    }
    throw new MeshError("NO_GENESIS", "nobody at the given addresses has the genesis", { cause })
  } finally {
    await streams.stop()
    await transport.stop()
  }
}

interface Asking {
  readonly meshId: Bytes
  readonly transport: Transport
  readonly streams: Streams
  readonly signal: AbortSignal
}

/** The addresses of each peer together: one that answers will do. */
const byPeer = (addresses: readonly string[]): readonly (readonly string[])[] => [
  ...Map.groupBy(addresses, (address) => {
    const at = address.lastIndexOf("/p2p/")
    return at === -1 ? address : address.slice(at)
  }).values(),
]

async function genesisFrom(
  addresses: readonly string[],
  { meshId, transport, streams, signal }: Asking,
) {
  const peer = await transport.dial(addresses, signal)
  const question = { kind: "genesis" } as const
  const genesis = await ask({ peer, meshId, streams, signal }, question, decodeGenesisReply)
  if (!equal(meshIdOf(genesis), meshId))
    throw new CryptoError("BAD_SIGNATURE", "a genesis of another mesh")
  decodeGenesis(genesis)
  return genesis
}
