/**
 * Which mesh a profile belongs to: founding one, reading tickets and making them. A profile belongs to one mesh
 * for good; another mesh is another profile.
 */
import { primitives } from "#primitives"
import { keysAreDistinct } from "../../consensus/quorum.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import {
  decodeGenesis,
  encodeGenesis,
  type Genesis,
  type GenesisValidator,
  type MeshPolicy,
  meshIdOf,
} from "../../crypto/genesis.ts"
import { decodeTicket, encodeTicket, type Ticket, TICKET_PEERS_MAX } from "../../crypto/ticket.ts"
import { ApiError } from "../api/errors.ts"
import type { Status } from "../api/types.ts"
import { isRelayed } from "../transport/relays.ts"
import { fetchGenesis, MeshError } from "./genesis.ts"

/** Work for one envelope until a member's proof takes its place: 16,384 hashes on average, some 7 ms of one core. */
export const POW_BITS = 14

export interface Mesh {
  readonly genesis: Genesis
  readonly bytes: Bytes
  /** 32 bytes. */
  readonly meshId: Bytes
}

export function meshFrom(bytes: Bytes): Mesh {
  return { genesis: decodeGenesis(bytes), bytes, meshId: meshIdOf(bytes) }
}

/** What the status says of it. */
export const meshView = ({ genesis, meshId }: Mesh): NonNullable<Status["mesh"]> => ({
  name: genesis.name,
  meshId: toHex(meshId),
  validators: genesis.validators.length,
})

export interface Founding {
  /** POW_BITS when not given. */
  readonly powBits?: number
  /** None: its envelopes are not ordered by a ledger. */
  readonly validators?: readonly GenesisValidator[]
  /** `invited` when not given. */
  readonly policy?: MeshPolicy
  /** PERIOD_SECONDS when not given. */
  readonly periodSeconds?: number
}

/** A new mesh. Throws ApiError BAD_PARAMS. */
export function foundMesh(name: string, founding: Founding = {}): Mesh {
  const { powBits = POW_BITS, validators = [], ...rest } = founding
  const distinct = keysAreDistinct(
    validators.map(({ ed25519, mlDsa65, slhDsaSha2 }) => ({
      ed25519,
      mlDsa65,
      slhDsa: slhDsaSha2,
    })),
  )
  if (!distinct) throw new ApiError("BAD_PARAMS", "a validator may be named once")
  try {
    const salt = primitives.randomBytes(32)
    return meshFrom(encodeGenesis({ name, salt, powBits, validators, ...rest }))
  } catch (cause) {
    if (cause instanceof CryptoError)
      throw new ApiError("BAD_PARAMS", "a mesh's name has 1 to 64 bytes", { cause })
    throw cause
  }
}

/** A code as somebody pasted or scanned it: QR codes carry capitals, mail breaks lines. Bech32 allows one case or the other. */
export function typedCode(text: string): string {
  const whole = text.replace(/\s+/g, "")
  return whole === whole.toUpperCase() ? whole.toLowerCase() : whole
}

const FETCH_DEADLINE_MS = 20_000

/** The mesh that a ticket is for, asked for at the ticket's addresses. Throws ApiError UNREACHABLE. */
export async function fetchMesh(
  { meshId, peers: addresses }: Pick<Ticket, "meshId" | "peers">,
  { postQuantum, signal }: { postQuantum: "preferred" | "required"; signal: AbortSignal },
): Promise<Mesh> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(FETCH_DEADLINE_MS)])
  try {
    return meshFrom(await fetchGenesis({ meshId, addresses, postQuantum, signal: within }))
  } catch (cause) {
    if (!(cause instanceof MeshError)) throw cause
    throw new ApiError("UNREACHABLE", "nobody at the ticket's addresses answered", { cause })
  }
}

/** Throws ApiError BAD_TICKET. */
export function readTicket(text: string): Ticket {
  try {
    return decodeTicket(typedCode(text))
  } catch (cause) {
    if (cause instanceof CryptoError)
      throw new ApiError("BAD_TICKET", "that is not a whole invite ticket", { cause })
    throw cause
  }
}

/** Throws ApiError OTHER_MESH. */
export function mustBeOf(mesh: Mesh, ticket: Ticket): void {
  if (!equal(mesh.meshId, ticket.meshId))
    throw new ApiError("OTHER_MESH", "the ticket is for another mesh than this profile's")
}

/** A peer on this machine is no use to others, so it is named only when there is nothing else to name. */
export function ticketFor(
  mesh: Mesh,
  addresses: readonly string[],
  inviter: NonNullable<Ticket["inviter"]> | null,
  voucher?: Bytes,
): string {
  const reachable = addresses.filter((address) => !isLoopback(address))
  const peers = reachable.length > 0 ? reachable : addresses
  const about = {
    ...(inviter === null ? {} : { inviter }),
    ...(voucher === undefined ? {} : { voucher }),
  }
  return encodeTicket({ meshId: mesh.meshId, peers: mostUseful(peers), ...about })
}

/** A relay has more than one address, and not every one leads to it from everywhere. */
const TICKET_RELAYED_MAX = 4

/** Ways over a relay are long and would be left out first: who has them may have nothing else that works. */
function mostUseful(addresses: readonly string[]): readonly string[] {
  const relayed = shortestFirst(addresses.filter(isRelayed)).slice(0, TICKET_RELAYED_MAX)
  const direct = shortestFirst(addresses.filter((address) => !isRelayed(address)))
  return [...direct.slice(0, TICKET_PEERS_MAX - relayed.length), ...relayed]
}

const isLoopback = (address: string) => /^\/ip4\/127\.|^\/ip6\/::1\//.test(address)
/** TCP before WebSockets over TCP, so that the ones that are left out are those that matter least. */
const shortestFirst = (addresses: readonly string[]) =>
  [...addresses].sort((a, b) => a.length - b.length)
