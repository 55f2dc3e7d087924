/**
 * Hosts from which somebody was cut off. Whoever is cut off comes again as somebody else for the price of a key, and greeting them (a TLS
 * handshake, certificates, identify) costs a peer more than a hundred envelopes that it refuses. So for a while such a host gets one
 * connection a second, decided before anything is read from it. Connections that stand, and those that this peer makes, are not
 * touched; honest peers behind the same router come in one after the other. Knows neither peers nor what they did (rejections.ts).
 */

/** A host that nobody was cut off from for so long is like any other. */
export const COOLING_OFF_MS = 60_000
/** Until then, the shortest time between two connections from it. */
export const BETWEEN_CONNECTIONS_MS = 1_000
/** Hosts remembered; of more, the one whose last offence is longest ago is like any other. */
export const HOSTS_MAX = 1_024

interface Host {
  readonly offendedMs: number
  /** When the last connection was let in, or cut. */
  lastMs: number
}

export class CoolingOff {
  readonly #hosts = new Map<string, Host>()
  readonly #nowMs: () => number

  /** `nowMs`: a clock that never goes back, in milliseconds. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /** Somebody who was connected from this multiaddr was cut off. */
  offended(address: string): void {
    const host = hostOf(address)
    if (host === undefined) return
    const nowMs = this.#nowMs()
    this.#hosts.delete(host)
    this.#hosts.set(host, { offendedMs: nowMs, lastMs: nowMs })
    if (this.#hosts.size <= HOSTS_MAX) return
    for (const oldest of this.#hosts.keys()) {
      this.#hosts.delete(oldest)
      return
    }
  }

  /** Whether a connection from this multiaddr is taken now; if so, it counts. */
  letsIn(address: string): boolean {
    const host = hostOf(address)
    const known = host === undefined ? undefined : this.#hosts.get(host)
    if (host === undefined || known === undefined) return true
    const nowMs = this.#nowMs()
    if (nowMs - known.offendedMs >= COOLING_OFF_MS) {
      this.#hosts.delete(host)
      return true
    }
    if (nowMs - known.lastMs < BETWEEN_CONNECTIONS_MS) return false
    known.lastMs = nowMs
    return true
  }
}

const RELAYED = "/p2p-circuit"
/** Whoever has one address of IPv6 has at least the 2^64 beside it. */
const IPV6_GROUPS = 4

/** What stands for whoever calls; undefined where the address is another's, as over a relay. */
function hostOf(address: string): string | undefined {
  if (address.includes(RELAYED)) return undefined
  const [, kind, host] = address.split("/")
  if (kind === "ip4") return host
  return kind === "ip6" && host !== undefined ? networkOf(host) : undefined
}

/** The first 64 bits of an IPv6 address, without leading zeros. */
function networkOf(host: string): string {
  const [head = "", tail] = host.split("::")
  const groups = (text: string) => (text === "" ? [] : text.split(":"))
  const [before, after] = [groups(head), groups(tail ?? "")]
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const all = [...before, ...new Array<string>(missing).fill("0"), ...after]
  return all
    .slice(0, IPV6_GROUPS)
    .map((group) => parseInt(group, 16).toString(16))
    .join(":")
}
