/**
 * Invite ticket: what a newcomer needs to find a mesh and, where the inviter wants it, the inviter (DESIGN §8).
 * `sotto-invite1…` is bech32m of: version 1, flags 1, mesh id 32, [inviter: address 64, name: length 1 + UTF-8], [voucher: length 1 +
 * bytes], number of peers 1, each: its /p2p component as a binary multiaddr (length 1, may be empty), number of addresses 1, each a binary
 * multiaddr without the /p2p component (length 1). It holds the mesh's hash only: the genesis itself is fetched from one of the
 * addresses and checked against it. A ticket without a voucher is no secret, but who reads it learns these addresses.
 */
import { multiaddr } from "@multiformats/multiaddr"
import { bech32m } from "@scure/base"
import { type Address, addressBytes, addressFromBytes } from "./address.ts"
import { type Bytes, exactly, Reader, Writer } from "./bytes.ts"
import { CryptoError } from "./errors.ts"
import { NAME_BYTES_MAX } from "./identity.ts"

export const TICKET_PREFIX = "sotto-invite"
const VERSION = 1
const HAS_INVITER = 1
const HAS_VOUCHER = 2
export const TICKET_PEERS_MAX = 8
const VOUCHER_BYTES_MAX = 200
/** Longest ticket accepted before it is decoded. */
export const TICKET_CHARACTERS_MAX = 5000

export interface Ticket {
  /** 32 bytes. */
  readonly meshId: Bytes
  /** Multiaddrs as text, at most TICKET_PEERS_MAX of at most 255 bytes each. */
  readonly peers: readonly string[]
  /** Who invites, and what they call themselves (at most NAME_BYTES_MAX bytes of UTF-8; may be empty). */
  readonly inviter?: { readonly address: Address; readonly name: string }
  /** One-time, opaque here; at most 200 bytes. */
  readonly voucher?: Bytes
}

export function encodeTicket({ meshId, peers, inviter, voucher }: Ticket): string {
  const flags =
    (inviter === undefined ? 0 : HAS_INVITER) | (voucher === undefined ? 0 : HAS_VOUCHER)
  const out = new Writer()
    .u8(VERSION)
    .u8(flags)
    .raw(exactly(meshId, 32, "mesh id"))
  if (inviter !== undefined) out.raw(addressBytes(inviter.address)).text(inviter.name, 1)
  if (voucher !== undefined) out.bytes(voucher, 1)
  const named = peers.slice(0, TICKET_PEERS_MAX)
  const byPeer = Map.groupBy(named, (peer) => splitPeer(peer).peer)
  out.u8(byPeer.size)
  for (const [peer, addresses] of byPeer) {
    out.bytes(binary(peer), 1).u8(addresses.length)
    for (const address of addresses) out.bytes(binary(splitPeer(address).address), 1)
  }
  return bech32m.encode(TICKET_PREFIX, bech32m.toWords(out.finish()), false)
}

export function looksLikeTicket(text: string): boolean {
  return text.startsWith(`${TICKET_PREFIX}1`)
}

/** Throws CryptoError BAD_ENCODING, BAD_VERSION, BAD_LENGTH or TOO_LARGE. */
export function decodeTicket(text: string): Ticket {
  if (text.length > TICKET_CHARACTERS_MAX) throw new CryptoError("TOO_LARGE", "ticket too long")
  if (!looksLikeTicket(text)) throw new CryptoError("BAD_ENCODING", "not an invite ticket")
  const read = new Reader(decodeText(text))
  const version = read.u8()
  if (version !== VERSION) throw new CryptoError("BAD_VERSION", `ticket version ${version}`)
  const flags = read.u8()
  if ((flags & ~(HAS_INVITER | HAS_VOUCHER)) !== 0)
    throw new CryptoError("BAD_ENCODING", "unknown ticket flags")
  const meshId = read.raw(32)
  const inviter = (flags & HAS_INVITER) === 0 ? {} : { inviter: readInviter(read) }
  const voucher = (flags & HAS_VOUCHER) === 0 ? {} : { voucher: read.bytes(1, VOUCHER_BYTES_MAX) }
  const peers = readPeers(read)
  read.done()
  const ticket: Ticket = { meshId, peers, ...inviter, ...voucher }
  if (encodeTicket(ticket) !== text) throw new CryptoError("BAD_ENCODING", "ticket not canonical")
  return ticket
}

function readPeers(read: Reader): string[] {
  const peers: string[] = []
  for (let left = read.u8(); left > 0; left--) {
    const peer = readable(read.bytes(1, 255))
    const count = read.u8()
    for (let i = 0; i < count; i++) {
      if (peers.length === TICKET_PEERS_MAX)
        throw new CryptoError("TOO_LARGE", "ticket of too many addresses")
      peers.push(readable(read.bytes(1, 255)) + peer)
    }
  }
  return peers
}

/** `/ip4/…/tcp/…/p2p/ID` → its address and its `/p2p/ID`, which is the same for all addresses of one peer. */
function splitPeer(multiaddrText: string): { address: string; peer: string } {
  const at = multiaddrText.lastIndexOf("/p2p/")
  return at === -1
    ? { address: multiaddrText, peer: "" }
    : { address: multiaddrText.slice(0, at), peer: multiaddrText.slice(at) }
}

const binary = (address: string): Bytes =>
  address === "" ? new Uint8Array(0) : multiaddr(address).bytes

function readable(bytes: Bytes): string {
  if (bytes.length === 0) return ""
  try {
    return multiaddr(bytes).toString()
  } catch (cause) {
    throw new CryptoError("BAD_ENCODING", "a ticket's address is none", { cause })
  }
}

function readInviter(read: Reader) {
  const address = addressFromBytes(read.raw(64))
  return { address, name: read.text(1, NAME_BYTES_MAX) }
}

function decodeText(text: string): Bytes {
  try {
    const { prefix, words } = bech32m.decode(text as `${string}1${string}`, false)
    if (prefix === TICKET_PREFIX && text === text.toLowerCase()) return bech32m.fromWords(words)
  } catch (cause) {
    throw new CryptoError("BAD_ENCODING", "not a ticket: mistyped or cut off", { cause })
  }
  throw new CryptoError("BAD_ENCODING", "not a ticket in its canonical form")
}
