/**
 * How a command gets hold of a node: the running one through its socket, or, when none runs, one of its own for as long as the
 * command takes. A locked vault is opened on the way when the passphrase is given or can be asked for.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { connectApi } from "../node/api/client.ts"
import { ApiError } from "../node/api/errors.ts"
import type { Api } from "../node/api/types.ts"
import type { Context } from "./context.ts"
import { CliError } from "./failure.ts"
import { passphrase } from "./secret.ts"

/** How long a profile may be held by a process that does not answer yet (another one starting or ending). */
const BUSY_TIMEOUT_MS = 15_000
const BUSY_RETRY_MS = 100

export interface Attached {
  readonly api: Api
  /** Whether the node is this command's own and ends with it. */
  readonly own: boolean
}

const hasCode = (error: unknown, ...codes: readonly string[]) =>
  error instanceof ApiError && codes.includes(error.code)

/** For what changes a profile's files under a node. Throws ApiError BUSY while one runs. */
export async function mustBeIdle(socketPath: string, signal: AbortSignal): Promise<void> {
  try {
    await (await connectApi(socketPath, { signal })).close()
  } catch (error) {
    if (hasCode(error, "GONE")) return
    throw error
  }
  throw new ApiError("BUSY", "a node runs for this profile", {
    hint: "stop it first: `sotto node stop`",
  })
}

/** The running node, or CliError OFFLINE. */
export async function withRunningNode<T>(
  context: Context,
  use: (api: Api) => Promise<T>,
): Promise<T> {
  let api: Api
  try {
    api = await connectApi(context.places.socketPath, { signal: context.signal })
  } catch (error) {
    if (!hasCode(error, "GONE")) throw error
    throw new CliError(
      "OFFLINE",
      `no node runs for the profile ${context.places.profile}`,
      "start one with `sotto node`",
    )
  }
  try {
    return await use(api)
  } finally {
    await api.close()
  }
}

/**
 * The running node, or an own one. The node found may be another command's, about to end: then `use` is done again with the
 * next, so it must be harmless to repeat. `once` for what is not. `offline`: an own one needs no network, because `use` only reads.
 */
export async function withNode<T>(
  context: Context,
  use: (attached: Attached) => Promise<T>,
  { once = false, offline = false } = {},
): Promise<T> {
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (;;) {
    const { attached, release } = await attach(context, offline)
    try {
      return await use(attached)
    } catch (error) {
      const left = !attached.own && hasCode(error, "GONE", "STOPPING")
      if (!left || once || performance.now() > deadline) throw error
    } finally {
      await release()
    }
  }
}

/** As `withNode`, with the vault open: asks for the passphrase when it is locked. */
export function withIdentity<T>(
  context: Context,
  use: (attached: Attached) => Promise<T>,
  options: { offline?: boolean } = {},
): Promise<T> {
  const opened = async (attached: Attached) => {
    try {
      return await use(attached)
    } catch (error) {
      if (!hasCode(error, "LOCKED")) throw error
      await unlock(context, attached.api, error)
      return use(attached)
    }
  }
  return withNode(context, opened, options)
}

async function unlock(context: Context, api: Api, locked: unknown): Promise<void> {
  let typed: string
  try {
    typed = await passphrase(context)
  } catch (error) {
    // "Locked" says more than "nobody can be asked".
    throw error instanceof CliError && error.code === "NO_INPUT" ? locked : error
  }
  await api.call("unlock", { passphrase: typed }, { signal: context.signal })
}

async function attach(
  context: Context,
  offline: boolean,
): Promise<{ attached: Attached; release: () => Promise<void> }> {
  const { socketPath } = context.places
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (;;) {
    try {
      const api = await connectApi(socketPath, { signal: context.signal })
      return { attached: { api, own: false }, release: () => api.close() }
    } catch (error) {
      if (!hasCode(error, "GONE")) throw error
    }
    try {
      const node = await context.parts.startNode({
        ...context.home,
        offline,
        // gone in a moment: nobody should leave anything with it
        keeper: "none",
        log: () => undefined,
      })
      return { attached: { api: node.api, own: true }, release: () => node.stop() }
    } catch (error) {
      // Somebody else holds the profile: another node that is coming up, or a command about to end.
      if (!hasCode(error, "BUSY", "STOPPING") || performance.now() > deadline) throw error
    }
    await sleep(BUSY_RETRY_MS, undefined, { signal: context.signal })
  }
}
