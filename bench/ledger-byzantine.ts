/**
 * Faulty validators for the benchmark: what an honest one would send passes through here on its way into a stream, and leaves as nothing
 * (`silent`), twice with two meanings (`conflicting`), or just before the others lose patience (`dawdling`, as primary).
 */
import { setTimeout as sleep } from "node:timers/promises"
import { decodeMessage, encodeMessage } from "../src/consensus/codec.ts"
import { votePreimage } from "../src/consensus/preimage.ts"
import { DEFAULT_TIMING } from "../src/consensus/core.ts"
import type { Message } from "../src/consensus/types.ts"
import { type Bytes, Reader, Writer } from "../src/crypto/bytes.ts"
import { FRAME_BYTES_MAX, PBFT_PROTOCOL } from "../src/node/ledger/links.ts"
import type { Frames, Streams } from "../src/node/transport/streams.ts"
import type { Validator } from "../src/node/ledger/validator-keys.ts"

export type Behaviour = "honest" | "silent" | "conflicting" | "dawdling"

/** A primary that is voted out for nothing but its slowness loses to this. */
const DAWDLE_MS = 0.85 * DEFAULT_TIMING.requestMs

/** The streams of a validator that behaves so. */
export function misbehaving(
  behaviour: Behaviour,
  streams: Streams,
  validator: Validator | undefined,
  meshId: Bytes,
): Streams {
  if (behaviour === "honest" || validator === undefined) return streams
  const open: Streams["open"] = async (peer, protocol, limits, signal) => {
    const frames = await streams.open(peer, protocol, limits, signal)
    if (protocol !== PBFT_PROTOCOL) return frames
    let greeted = false
    const send: Frames["send"] = async (frame, until) => {
      if (!greeted) greeted = true
      else frame = await twisted(behaviour, frame, validator, meshId)
      await frames.send(frame, until)
    }
    return {
      peer,
      send,
      receive: (until: AbortSignal) => frames.receive(until),
      close: () => frames.close(),
      abort: () => frames.abort(),
    } as unknown as Frames
  }
  return new Proxy(streams, {
    get(target, name) {
      if (name === "open") return open
      const value: unknown = Reflect.get(target, name)
      return typeof value === "function" ? (value.bind(target) as unknown) : value
    },
  })
}

async function twisted(
  behaviour: Behaviour,
  frame: Bytes,
  { sign }: Validator,
  meshId: Bytes,
): Promise<Bytes> {
  const read = new Reader(frame)
  const out = new Writer()
  let proposes = false
  while (read.left > 0) {
    const bytes = read.bytes(4, FRAME_BYTES_MAX)
    const message = decodeMessage(bytes)
    if (behaviour === "silent") continue
    out.bytes(bytes, 4)
    if (behaviour === "conflicting" && isVote(message)) {
      const other = { ...message, digest: message.digest.map((byte) => byte ^ 255) }
      out.bytes(encodeMessage({ ...other, signature: sign(votePreimage(meshId, other)) }), 4)
    }
    proposes ||= message.type === "pre-prepare"
  }
  if (behaviour === "dawdling" && proposes) await sleep(DAWDLE_MS)
  return out.finish()
}

const isVote = (message: Message) => message.type === "prepare" || message.type === "commit"
