/**
 * The two big things a command may need, each loaded only when it does: a node of its own, and the screen. Passed in rather
 * than imported, so that the commands' tests run as real processes in front of a small node.
 */
import type { Api } from "../node/api/types.ts"
import type { RunningNode } from "../node/node.ts"
import type { NodeOptions } from "../node/node-options.ts"
import type { Mode } from "../tui/mode.ts"

export type { NodeOptions, RunningNode }

export interface ChatOptions {
  /** What first run proposes as a name. */
  readonly userName: string
}

export interface Parts {
  startNode(options: NodeOptions): Promise<RunningNode>
  /** Resolves with the exit code once the person has left. */
  runChat(mode: Mode, api: Promise<Api>, options: ChatOptions): Promise<number>
}
