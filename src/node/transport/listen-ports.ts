/**
 * Where to listen when nobody said where: on every interface, at the ports that the system picked the first time. A ticket handed out
 * yesterday should still lead somewhere today. A port that somebody else has taken meanwhile is given up for a new one.
 */
import { fromUtf8, utf8 } from "../../crypto/bytes.ts"
import type { Store } from "../store/store.ts"
import { TransportError } from "./transport.ts"

const KEY = utf8("listen ports")
const ANY_PORT = 0

interface Ports {
  readonly tcp: number
  readonly webSocket: number
}

const everywhere = ({ tcp, webSocket }: Ports) => [
  `/ip4/0.0.0.0/tcp/${tcp}`,
  `/ip4/0.0.0.0/tcp/${webSocket}/ws`,
]

/** Starts what listens; `wanted` as it is, otherwise at the ports of the last time. Remembers those it got. */
export async function listening<T extends { addresses(): readonly string[] }>(
  store: Store,
  wanted: readonly string[] | undefined,
  start: (listen: readonly string[]) => Promise<T>,
): Promise<T> {
  if (wanted !== undefined) return start(wanted)
  const before = await remembered(store)
  const started = await startAt(before, start)
  const now = portsIn(started.addresses())
  if (now !== undefined && (now.tcp !== before?.tcp || now.webSocket !== before.webSocket))
    await store.batch([{ table: "mesh", key: KEY, value: utf8(`${now.tcp} ${now.webSocket}`) }])
  return started
}

async function startAt<T>(
  before: Ports | undefined,
  start: (listen: readonly string[]) => Promise<T>,
): Promise<T> {
  const anywhere = everywhere({ tcp: ANY_PORT, webSocket: ANY_PORT })
  if (before === undefined) return start(anywhere)
  try {
    return await start(everywhere(before))
  } catch (error) {
    if (error instanceof TransportError && error.code === "LISTEN_FAILED") return start(anywhere)
    throw error
  }
}

async function remembered(store: Store): Promise<Ports | undefined> {
  const bytes = await store.get("mesh", KEY)
  const [, tcp, webSocket] = /^(\d{1,5}) (\d{1,5})$/.exec(bytes ? fromUtf8(bytes) : "") ?? []
  return tcp === undefined || webSocket === undefined
    ? undefined
    : { tcp: Number(tcp), webSocket: Number(webSocket) }
}

function portsIn(addresses: readonly string[]): Ports | undefined {
  const port = (pattern: RegExp) =>
    addresses.map((address) => pattern.exec(address)?.[1]).find((found) => found !== undefined)
  const tcp = port(/^\/ip4\/[^/]+\/tcp\/(\d+)\/p2p\//)
  const webSocket = port(/^\/ip4\/[^/]+\/tcp\/(\d+)\/ws\//)
  return tcp === undefined || webSocket === undefined
    ? undefined
    : { tcp: Number(tcp), webSocket: Number(webSocket) }
}
