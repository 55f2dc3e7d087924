/**
 * Serves an `Api` on a Unix socket (wire.ts says how it speaks). The socket lies in a directory only its owner may enter
 * (0700), is itself 0600, and appears under its name only once it listens: its appearance is readiness. A socket that a dead
 * process left behind is replaced; one that answers is BUSY. Owning the profile is the store's lock, not this socket.
 */
import { chmodSync, lstatSync, mkdirSync, renameSync, statSync, unlinkSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { dirname, join } from "node:path"
import { Connection, CONNECTION_LIMITS, type ConnectionLimits } from "./connection.ts"
import { ApiError } from "./errors.ts"
import type { Api } from "./types.ts"
import { closingLine } from "./wire.ts"

/** Connections at once; the next one is told BUSY and closed. */
export const CONNECTIONS_MAX = 64
/** How long `stop` waits for calls under way. */
const DRAIN_TIMEOUT_MS = 2_000
/** How long a socket found in place may take to show that somebody is behind it. */
const PROBE_TIMEOUT_MS = 1_000

export interface ServeOptions {
  /** Undefined: there is no socket, and `adopt` is the only way in. */
  readonly socketPath: string | undefined
  readonly api: Api
  readonly log?: (line: string) => void
  readonly limits?: Partial<ConnectionLimits>
}

export interface ApiServer {
  /** Serves somebody who is connected already: the other end of an inherited descriptor. */
  adopt(socket: Socket): void
  /** Takes no more connections, lets calls under way finish (2 s), tells everybody STOPPING. Nothing is left afterwards. */
  stop(): Promise<void>
}

/** Throws ApiError BUSY when another process serves this socket. Errors of the file system come as Node gives them. */
export async function serveApi(options: ServeOptions): Promise<ApiServer> {
  const { socketPath, api, log = () => undefined } = options
  const limits = { ...CONNECTION_LIMITS, ...options.limits }
  const connections = new Set<Connection>()
  const adopt = (socket: Socket) => {
    if (connections.size >= CONNECTIONS_MAX) {
      turnAway(socket)
      return
    }
    const connection = new Connection({ socket, api, limits, log })
    connections.add(connection)
    void connection.ended.then(() => connections.delete(connection))
  }
  const close = socketPath === undefined ? undefined : await listenAt(socketPath, adopt)
  let stopping: Promise<void> | null = null
  return { adopt, stop: () => (stopping ??= stop(connections, close)) }
}

async function stop(connections: Set<Connection>, close: (() => Promise<void>) | undefined) {
  const closed = close?.()
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), DRAIN_TIMEOUT_MS)
  await Promise.all(
    [...connections].map(async (connection) => {
      await connection.drained(deadline.signal)
      connection.close("STOPPING")
      await connection.ended
    }),
  )
  clearTimeout(timer)
  await closed
}

function turnAway(socket: Socket): void {
  socket.on("error", () => undefined)
  socket.end(closingLine("BUSY"), () => socket.destroy())
}

/** Listens under a temporary name, then takes the real one in one step. Returns what ends it. */
async function listenAt(
  socketPath: string,
  adopt: (socket: Socket) => void,
): Promise<() => Promise<void>> {
  const server = createServer({ allowHalfOpen: true }, adopt)
  const directory = dirname(socketPath)
  ownDirectory(directory)
  if (await answers(socketPath))
    throw new ApiError("BUSY", "another node serves this profile already")
  // Shorter than the real name, which is known to fit: a socket path holds about a hundred bytes.
  const temporary = join(directory, `.${process.pid.toString(36)}`)
  remove(temporary)
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(temporary, () => {
      server.off("error", reject)
      resolve()
    })
  })
  chmodSync(temporary, 0o600)
  const { ino } = statSync(temporary)
  renameSync(temporary, socketPath)
  return () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    removeOwn(socketPath, ino)
    return closed
  }
}

/** Makes the directory, or takes it back from group and others. Throws when it belongs to somebody else. */
function ownDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const stat = lstatSync(path)
  if (!stat.isDirectory() || stat.uid !== process.getuid?.())
    throw new ApiError("INTERNAL", `${path} is not a directory of this user`, {
      hint: "choose another place with --data",
    })
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700)
}

/** Whether a living process accepts connections at this path. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    const settle = (alive: boolean) => {
      clearTimeout(timer)
      probe.destroy()
      resolve(alive)
    }
    // A process too busy to accept within a second is alive.
    const timer = setTimeout(() => settle(true), PROBE_TIMEOUT_MS)
    probe.once("connect", () => settle(true))
    probe.once("error", (error: NodeJS.ErrnoException) =>
      settle(error.code !== "ENOENT" && error.code !== "ECONNREFUSED"),
    )
  })
}

/** Removes the socket's name unless another process has taken it meanwhile. */
function removeOwn(path: string, inode: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.ino === inode) remove(path)
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
  }
}
