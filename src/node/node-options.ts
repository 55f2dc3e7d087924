import type { KeeperRole } from "./blob-messages.ts"

/** What a node is told when it starts; node.ts composes it from there. */
export interface NodeOptions {
  readonly dataDir: string
  readonly socketPath: string
  /** For `Status`; the name of the profile's directory when not given. */
  readonly profile?: string
  /** Multiaddrs; default: TCP and WebSockets on every interface, at ports the system picks once (listen-ports.ts). */
  readonly listen?: readonly string[]
  /** Peers to keep a connection to, besides those of the ticket and those met before. */
  readonly bootstrap?: readonly string[]
  /** Joins this mesh when the profile has none. */
  readonly ticket?: string
  /** Many peers on one machine: no penalty for sharing an address, no LAN discovery. */
  readonly testnet?: boolean
  readonly mdns?: boolean
  /** Nothing is written; the identity is gone at the end. */
  readonly ephemeral?: boolean
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
