/**
 * A peer that speaks gossipsub by hand: it sees every frame as it is, and can send what our own gossipsub never would. Protobuf is
 * written and read field by field (RPC: 1 subscriptions, 2 messages, 3 control).
 */
import type { TestContext } from "node:test"
import { yamux } from "@chainsafe/libp2p-yamux"
import { identify } from "@libp2p/identify"
import type { Stream } from "@libp2p/interface"
import { tcp } from "@libp2p/tcp"
import { tls } from "@libp2p/tls"
import { lpStream } from "@libp2p/utils"
import { multiaddr } from "@multiformats/multiaddr"
import { createLibp2p } from "libp2p"
import { type Bytes, concat, utf8 } from "../../src/crypto/bytes.ts"
import {
  decodeRequest,
  encodeNothing,
  encodePage,
  encodePeers,
} from "../../src/node/mailbox/sync-messages.ts"

const MESHSUB = "/meshsub/1.1.0"

export type Field = readonly [number: number, value: Bytes | number]

/** Message fields by their numbers in the gossipsub specification. */
export const FROM = 1
export const DATA = 2
export const SEQNO = 3
export const TOPIC = 4
export const SIGNATURE = 5
export const KEY = 6

function varint(value: number): Bytes {
  const out: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return new Uint8Array([...out, rest])
    out.push((rest % 128) + 128)
  }
}

export const encodeFields = (fields: readonly Field[]): Bytes =>
  concat(
    ...fields.map(([number, value]) =>
      typeof value === "number"
        ? concat(varint(number * 8), varint(value))
        : concat(varint(number * 8 + 2), varint(value.length), value),
    ),
  )

export function decodeFields(bytes: Bytes): Field[] {
  const out: Field[] = []
  let at = 0
  const next = () => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++] ?? 0
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = next()
    if (tag % 8 === 0) out.push([Math.floor(tag / 8), next()])
    else {
      const length = next()
      out.push([Math.floor(tag / 8), bytes.slice(at, (at += length))])
    }
  }
  return out
}

export interface Stranger {
  readonly id: string
  /** Messages received so far, each as its fields. */
  readonly messages: readonly (readonly Field[])[]
  /** Sends messages, each given by its fields. */
  send(...messages: readonly (readonly Field[])[]): Promise<void>
  readonly connected: () => boolean
}

/** Sync with a peer that has nothing and knows nobody. */
async function answer(stream: Stream): Promise<void> {
  const frames = lpStream(stream)
  const request = decodeRequest(new Uint8Array((await frames.read()).subarray()))
  const empty = { storeId: new Uint8Array(16).fill(1), last: 0, next: 0, ids: [] }
  await frames.write(
    request.kind === "ids"
      ? encodePage(empty)
      : request.kind === "peers"
        ? encodePeers([])
        : encodeNothing(),
  )
  await stream.close()
}

/** Connects to `address`, subscribes to the topic and takes its place in the mesh. */
export async function gossipStranger(
  t: TestContext,
  address: string,
  topic: string,
): Promise<Stranger> {
  const messages: Field[][] = []
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    services: { identify: identify({ protocolPrefix: "sotto" }) },
  })
  t.after(() => node.stop())
  const read = async (stream: Stream) => {
    const frames = lpStream(stream)
    for (;;) {
      const rpc = decodeFields(new Uint8Array((await frames.read()).subarray()))
      for (const [number, value] of rpc)
        if (number === 2 && typeof value !== "number") messages.push(decodeFields(value))
    }
  }
  await node.handle(MESHSUB, (stream) => void read(stream).catch(() => undefined))
  // without sync it would pass for a peer of something else, and be hung up
  await node.handle("/sotto/sync/1", (stream) => void answer(stream).catch(() => undefined))
  const signal = AbortSignal.timeout(10_000)
  const connection = await node.dial(multiaddr(address), { signal })
  const out = lpStream(await connection.newStream(MESHSUB, { signal }))
  const name = utf8(topic)
  const subscription = encodeFields([
    [1, 1],
    [2, name],
  ])
  const graft = encodeFields([[3, encodeFields([[1, name]])]])
  await out.write(
    encodeFields([
      [1, subscription],
      [3, graft],
    ]),
  )
  return {
    id: node.peerId.toString(),
    messages,
    connected: () => connection.status === "open",
    send: (...sent) =>
      out.write(encodeFields(sent.map((fields) => [2, encodeFields(fields)] as const))),
  }
}
