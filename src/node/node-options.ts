import type { KeeperRole } from "./blobs/messages.ts"

/** What a node is told when it starts; node.ts composes it from there. */
import type { Socket } from "node:net"
import type { ReachedBy } from "./network/reachability.ts"

/** Envelopes, and texts, of a peer that keeps everything in memory: 40 MiB of the one and a few of the other. */
export const EPHEMERAL_MESSAGES_MAX = 10_000

export interface NodeOptions {
  readonly dataDir: string
  /** Where commands and screens find this node; undefined: nowhere. */
  readonly socketPath: string | undefined
  /** A connected socket to serve besides, inherited from whoever started this process. */
  readonly apiSocket?: Socket
  /** For `Status`; the name of the profile's directory when not given. */
  readonly profile?: string
  /** Multiaddrs; default: TCP and WebSockets on every interface, at ports the system picks once (listen-ports.ts). */
  readonly listen?: readonly string[]
  /** Peers to keep a connection to, besides those of the ticket and those met before. */
  readonly bootstrap?: readonly string[]
  /** Multiaddrs to tell others besides those of the interfaces. */
  readonly announce?: readonly string[]
  /** Joins this mesh when the profile has none. */
  readonly ticket?: string
  /** Many peers on one machine: no penalty for sharing an address, no LAN discovery. */
  readonly testnet?: boolean
  readonly mdns?: boolean
  /** Nothing is written; the identity is gone at the end. */
  readonly ephemeral?: boolean
  /** With `ephemeral`: a backup (`-`: standard input) to live from; the first `unlock` takes its passphrase. */
  readonly backup?: string
  /** No network, no socket: for a command that only reads what is there, or backs it up. */
  readonly offline?: boolean
  /** Most envelopes and most texts kept; the oldest go. Default: EPHEMERAL_MESSAGES_MAX in memory; on disk the shelf's own limit. */
  readonly messagesMax?: number
  /** Serve as a relay, within the limits of relays.ts. */
  readonly relay?: boolean
  /** How others get here: over a relay only when nobody calls directly (`auto`, the default), always, or never. */
  readonly reachedBy?: ReachedBy
  readonly postQuantum?: "preferred" | "required"
  /** UTF-8. Opens the vault at the start. */
  readonly passphrase?: Uint8Array
  /** What it does with others' chunks; `casual` when not given. */
  readonly keeper?: KeeperRole
  /** Chunks of 256 KiB that it keeps, and for how many days. */
  readonly chunksMax?: number
  readonly chunkDays?: number
  readonly log: (line: string) => void
}

/** Undefined: no limit but the shelf's. */
export const messagesMaxOf = ({ ephemeral, messagesMax }: NodeOptions): number | undefined =>
  messagesMax ?? (ephemeral === true ? EPHEMERAL_MESSAGES_MAX : undefined)
