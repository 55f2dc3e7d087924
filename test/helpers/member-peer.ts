/**
 * A peer of the recorded mesh (membership-fixture.ts) in a process of its own, told what to do by lines of JSON on its standard input and
 * answering each with one line: `addresses`, `links`, `say` (posts members' envelopes at a pace, and says when), `heard` (what arrived,
 * and when), `about` (a peer's score and whether it is connected), `memory`. Times are the machine's monotonic clock, the same in
 * every process. Arguments: a store directory, then addresses to call.
 */
import { createInterface } from "node:readline"
import { setTimeout as after } from "node:timers/promises"
import { toHex } from "../../src/crypto/bytes.ts"
import { envelopeId } from "../../src/crypto/envelope.ts"
import { startNetwork } from "../../src/node/network/network.ts"
import { newPeerKey } from "../../src/node/transport/peer-key.ts"
import { openStore } from "../../src/node/store/store.ts"
import { unpaidEnvelope } from "./envelopes.ts"
import { admitted, genesis, PERIOD, tree } from "./membership-fixture.ts"

export interface Heard {
  readonly id: string
  readonly atMs: number
}

export type Command =
  | { readonly do: "addresses" | "links" | "heard" | "memory" | "stop" }
  /** Envelopes `from` to `to` of this member's 256. */
  | { readonly do: "say"; readonly member: number; readonly from: number; readonly to: number; readonly everyMs: number } // prettier-ignore

const [directory = "", ...bootstrap] = process.argv.slice(2)
const store = await openStore(directory)
const network = await startNetwork({
  store,
  genesis,
  bootstrap,
  key: await newPeerKey(),
  listen: ["/ip4/127.0.0.1/tcp/0"],
  ipColocationWeight: 0,
  membership: { period: () => PERIOD, rootFor: (p) => (p === PERIOD ? tree.root : undefined) },
  onFault: (error) => process.stderr.write(`fault: ${String(error)}\n`),
})

const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000
const heard: Heard[] = []
network.mailbox.onStored(({ id }) => heard.push({ id: toHex(id), atMs: nowMs() }))

/** Peers that ever were connected, with the worst score that was seen of each; gossip remembers a bad one of who has gone. */
const worst = new Map<string, number>()
const look = () => {
  for (const peer of new Set([...worst.keys(), ...network.transport.peers()]))
    worst.set(peer, Math.min(worst.get(peer) ?? 0, network.transport.gossip.scoreOf(peer)))
}
network.transport.libp2p.addEventListener("peer:connect", ({ detail }) => {
  worst.set(detail.toString(), 0)
})
setInterval(look, 20).unref()

async function run(command: Command): Promise<unknown> {
  switch (command.do) {
    case "addresses":
      return network.addresses()
    case "links":
      return network.peers().filter(({ gossip }) => gossip).length
    case "say": {
      const said: Heard[] = []
      for (let i = command.from; i < command.to; i++) {
        const envelope = admitted(unpaidEnvelope(), command.member, i >> 3, i & 7)
        said.push({ id: toHex(envelopeId(envelope)), atMs: nowMs() })
        await network.post(envelope)
        await after(command.everyMs)
      }
      return said
    }
    case "heard":
      return heard.splice(0)
    case "memory": {
      globalThis.gc?.()
      look()
      const { heapUsed, external, arrayBuffers } = process.memoryUsage()
      return { bytes: heapUsed + external + arrayBuffers, worst: Object.fromEntries(worst), connected: network.transport.peers() } // prettier-ignore
    }
    case "stop":
      await network.stop()
      await store.close()
      lines.close()
      return "stopped"
  }
}

const lines = createInterface({ input: process.stdin })
process.stdout.write(`"up"\n`)
for await (const line of lines)
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as Command))}\n`)
