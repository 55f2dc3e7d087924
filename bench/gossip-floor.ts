/** What lies under every text: bare gossipsub over TCP between two processes on this machine, messages of one envelope's size. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { median, quantile, type Result } from "./bench.ts"
import { FLOOR_BYTES, FLOOR_TOPIC, startFloorPeer } from "./gossip-peer.ts"

const MESSAGES = 500
const WARM_UP = 50
const PAUSE_MS = 5

export async function gossipFloor(): Promise<Result[]> {
  const child = fork(fileURLToPath(new URL("./gossip-peer.js", import.meta.url)), ["listen"])
  const peer = await startFloorPeer()
  try {
    const [address] = (await once(child, "message")) as [string]
    await peer.meet(address)
    const values: number[] = []
    for (let i = 0; i < WARM_UP + MESSAGES; i++) {
      const message = new Uint8Array(FLOOR_BYTES)
      new DataView(message.buffer).setBigUint64(0, process.hrtime.bigint())
      const arrived = once(child, "message")
      await peer.pubsub.publish(FLOOR_TOPIC, message)
      const [microseconds] = (await arrived) as [number]
      if (i >= WARM_UP) values.push(microseconds / 1000)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    const result = { unit: "ms", runs: values.length }
    return [
      { metric: "floor.gossip_p50_ms", value: median(values), ...result },
      { metric: "floor.gossip_p99_ms", value: quantile(values, 0.99), ...result },
    ]
  } finally {
    await peer.stop()
    child.kill()
  }
}
