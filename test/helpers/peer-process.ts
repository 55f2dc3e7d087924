/**
 * A peer in a process of its own, told what to do by lines on its standard input and answering each with one line:
 * `addresses`, `count`, `peers`, `post N`, `block MS` (the event loop stands still for so long), `stop` (and then it has to end by itself).
 * Arguments: the genesis in hex, a store directory, then addresses to call.
 */
import { createInterface } from "node:readline"
import { fromHex, toHex } from "../../src/crypto/bytes.ts"
import { meshIdOf } from "../../src/crypto/genesis.ts"
import { startNetwork } from "../../src/node/network/network.ts"
import { newPeerKey } from "../../src/node/transport/peer-key.ts"
import { openStore } from "../../src/node/store/store.ts"
import { unpaidEnvelope } from "./envelopes.ts"

const [genesisHex = "", directory = "", ...bootstrap] = process.argv.slice(2)
const genesis = fromHex(genesisHex)
const store = await openStore(directory)
const network = await startNetwork({
  store,
  genesis,
  bootstrap,
  key: await newPeerKey(),
  listen: ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"],
  ipColocationWeight: 0,
  onFault: (error) => process.stderr.write(`fault: ${String(error)}\n`),
})

async function run(word: string, number: number): Promise<string> {
  switch (word) {
    case "addresses":
      return network.addresses().join(" ")
    case "count":
      return String(network.mailbox.count)
    case "peers":
      return String(network.peers().filter(({ gossip }) => gossip).length)
    case "post":
      await Promise.all(
        Array.from({ length: number }, async () =>
          network.post(await network.pay(unpaidEnvelope())),
        ),
      )
      return "posted"
    case "block": {
      const end = performance.now() + number
      while (performance.now() < end);
      return "unblocked"
    }
    case "stop":
      await network.stop()
      await store.close()
      lines.close()
      return process.getActiveResourcesInfo().join(" ")
    default:
      return "what?"
  }
}

const lines = createInterface({ input: process.stdin })
process.stdout.write(`${toHex(meshIdOf(genesis))}\n`)
for await (const line of lines) {
  const [word = "", number = "0"] = line.split(" ")
  process.stdout.write(`${await run(word, Number(number))}\n`)
}
