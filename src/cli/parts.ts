/**
 * The two big things a command may need, each loaded only when it does: a node of its own, and the screen. Passed in rather
 * than imported, so that the commands' tests run as real processes in front of a small node.
 */
import type { Api } from "../node/api/types.ts"

export interface NodeOptions {
  readonly dataDir: string
  readonly socketPath: string
  readonly listen?: string[]
  readonly bootstrap?: string[]
  readonly ticket?: string
  readonly testnet?: boolean
  readonly mdns?: boolean
  readonly ephemeral?: boolean
  readonly postQuantum?: "preferred" | "required"
  readonly passphrase?: Uint8Array
  readonly log: (line: string) => void
}

export interface RunningNode {
  readonly api: Api
  stop(): Promise<void>
}

export interface TuiOptions {
  /** Who this profile is called by, for the title. */
  readonly profile: string
}

export interface Parts {
  startNode(options: NodeOptions): Promise<RunningNode>
  runTui(api: Promise<Api>, options: TuiOptions): Promise<void>
}
