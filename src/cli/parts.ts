/**
 * The two big things a command may need, each loaded only when it does: a node of its own, and the screen. Passed in rather
 * than imported, so that the commands' tests run as real processes in front of a small node.
 */
import type { Api } from "../node/api/types.ts"
import type { Mode } from "../tui/mode.ts"

export interface NodeOptions {
  readonly dataDir: string
  readonly socketPath: string
  /** What `status` calls the profile; by its directory when it was not chosen by name. */
  readonly profile?: string
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

export interface ChatOptions {
  /** What first run proposes as a name. */
  readonly userName: string
}

export interface Parts {
  startNode(options: NodeOptions): Promise<RunningNode>
  /** Resolves with the exit code once the person has left. */
  runChat(mode: Mode, api: Promise<Api>, options: ChatOptions): Promise<number>
}
