/**
 * What lies under every file: the same bytes over one bare libp2p stream between two processes on this machine, TCP, Noise and yamux, nothing
 * of ours. Run with `listen`, it is the far end: it tells its parent where it listens, and then each time that all bytes are there.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { noise } from "@chainsafe/libp2p-noise"
import { yamux } from "@chainsafe/libp2p-yamux"
import { tcp } from "@libp2p/tcp"
import { multiaddr } from "@multiformats/multiaddr"
import { createLibp2p } from "libp2p"
import { median, type Result } from "./bench.ts"

const PROTOCOL = "/floor/1"
const PIECE_BYTES = 65_536
const RUNS = 7

const peer = () =>
  createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })

export async function streamFloor(size: number): Promise<Result[]> {
  const child = fork(fileURLToPath(import.meta.url), ["listen", String(size)])
  const near = await peer()
  try {
    const [address] = (await once(child, "message")) as [string]
    const connection = await near.dial(multiaddr(address))
    const piece = new Uint8Array(PIECE_BYTES).fill(7)
    const values: number[] = []
    for (let run = 0; run <= RUNS; run++) {
      const arrived = once(child, "message")
      const began = performance.now()
      const stream = await connection.newStream(PROTOCOL)
      for (let at = 0; at < size; at += PIECE_BYTES) {
        const more = stream.send(piece.subarray(0, Math.min(PIECE_BYTES, size - at)))
        if (!more) await once(stream, "drain")
      }
      await arrived
      if (run > 0) values.push((performance.now() - began) / 1000)
      await stream.close()
    }
    return [{ metric: "floor.stream_s", value: median(values), unit: "s", runs: values.length }]
  } finally {
    await near.stop()
    child.kill()
  }
}

if (process.argv[2] === "listen" && process.send !== undefined) {
  const tell = process.send.bind(process)
  const size = Number(process.argv[3])
  const far = await peer()
  await far.handle(PROTOCOL, (stream) => {
    let left = size
    stream.addEventListener("message", ({ data }) => {
      left -= data.byteLength
      if (left === 0) tell("all")
    })
    stream.addEventListener("remoteCloseWrite", () => void stream.close())
  })
  tell(far.getMultiaddrs()[0]?.toString())
}
