/**
 * TLS 1.3 for libp2p, watched: which key agreement a connection really got. OpenSSL offers X25519MLKEM768 (a hybrid with ML-KEM-768)
 * and takes X25519 from a peer that has nothing better; libp2p reports only "TLS". The ServerHello (RFC 8446 §4.1.3) passes in the
 * clear and names the group in its key_share extension, so it is read on its way. Where a post-quantum group is required, a handshake
 * that ended in another one ends the connection.
 */
import {
  type ConnectionEncrypter,
  type MessageStream,
  serviceCapabilities,
} from "@libp2p/interface"
import { type TLSComponents, tls } from "@libp2p/tls"
import { type Bytes, concat } from "../../crypto/bytes.ts"

export const POST_QUANTUM_GROUP = "X25519MLKEM768"

/** IANA "TLS Supported Groups". */
const GROUPS: ReadonlyMap<number, string> = new Map([
  [0x0017, "secp256r1"],
  [0x0018, "secp384r1"],
  [0x001d, "X25519"],
  [0x11eb, "SecP256r1MLKEM768"],
  [0x11ec, POST_QUANTUM_GROUP],
  [0x11ed, "SecP384r1MLKEM1024"],
])

/** A ServerHello is below 2 KiB even with a hybrid key share; what has none by then is not one. */
const SERVER_HELLO_BYTES_MAX = 4096

type Secure = ConnectionEncrypter["secureInbound"]

/** Negotiated groups by connection: a raw connection and libp2p's `Connection` over it share their `timeline`. */
export class Handshakes {
  readonly #groups = new WeakMap<object, string>()

  /** Name of the group, for TLS connections. */
  groupOf(connection: { readonly timeline: object }): string | undefined {
    return this.#groups.get(connection.timeline)
  }

  /** TLS as libp2p has it, but watched. `required`: nothing but a post-quantum group will do. */
  encrypter(required: boolean): (components: TLSComponents) => ConnectionEncrypter {
    return (components) => {
      const inner = tls()(components)
      const watched =
        (secure: Secure, watch: (raw: MessageStream) => Watch): Secure =>
        async (raw, options) => {
          const { hello, stop } = watch(raw)
          try {
            const secured = await secure(raw, options)
            const group = serverHelloGroup(hello.bytes) ?? "unknown"
            if (required && group !== POST_QUANTUM_GROUP)
              throw new Error(`key agreement ${group} is not post-quantum`)
            this.#groups.set(raw.timeline, group)
            return secured
          } catch (error) {
            raw.abort(error instanceof Error ? error : new Error("handshake failed"))
            throw error
          } finally {
            stop()
          }
        }
      return {
        protocol: inner.protocol,
        [Symbol.toStringTag]: "@sotto/tls",
        [serviceCapabilities]: ["@libp2p/connection-encryption"],
        secureInbound: watched(inner.secureInbound.bind(inner), watchSent),
        secureOutbound: watched(inner.secureOutbound.bind(inner), watchReceived),
      } as ConnectionEncrypter
    }
  }
}

interface Watch {
  readonly hello: Collected
  readonly stop: () => void
}

/** The first bytes of one direction. */
class Collected {
  bytes: Bytes = new Uint8Array(0)

  add(data: { subarray(): Uint8Array }): void {
    if (this.bytes.length >= SERVER_HELLO_BYTES_MAX) return
    this.bytes = concat(this.bytes, data.subarray()).subarray(0, SERVER_HELLO_BYTES_MAX)
  }
}

function watchReceived(raw: MessageStream): Watch {
  const hello = new Collected()
  const onMessage = (event: { data: { subarray(): Uint8Array } }) => hello.add(event.data)
  raw.addEventListener("message", onMessage)
  return { hello, stop: () => raw.removeEventListener("message", onMessage) }
}

function watchSent(raw: MessageStream): Watch {
  const hello = new Collected()
  const send = raw.send.bind(raw)
  raw.send = (data) => {
    hello.add(data)
    return send(data)
  }
  return { hello, stop: () => void (raw.send = send) }
}

/** The group named by the ServerHello at the start of `bytes` (TLS records as sent); `undefined` when there is none. */
export function serverHelloGroup(bytes: Bytes): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    // record header 5, handshake header 4, legacy_version 2, random 32
    if (view.getUint8(0) !== 22 || view.getUint8(5) !== 2) return undefined
    let at = 43
    at += 1 + view.getUint8(at) // legacy_session_id_echo
    at += 3 // cipher_suite, legacy_compression_method
    const end = at + 2 + view.getUint16(at)
    at += 2
    while (at + 4 <= end) {
      const type = view.getUint16(at)
      const length = view.getUint16(at + 2)
      if (type === 51) return groupName(view.getUint16(at + 4))
      at += 4 + length
    }
    return undefined
  } catch {
    // a RangeError: the bytes end before the extension does
    return undefined
  }
}

const groupName = (group: number) => GROUPS.get(group) ?? `0x${group.toString(16).padStart(4, "0")}`
