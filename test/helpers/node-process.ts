/**
 * A node in a process of its own that says nothing but how far it got: `create DIRECTORY` makes a profile and stops; whoever started it
 * may kill it anywhere in between. When all is done the process must end by itself: nothing calls exit.
 */
import { join } from "node:path"
import { startNode } from "../../src/node/node.ts"

export const PASSPHRASE = "correct horse battery"

const [dataDir] = process.argv.slice(2)
if (dataDir !== undefined) {
  const node = await startNode({
    dataDir,
    socketPath: join(dataDir, "run", "node.sock"),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    testnet: true,
    log: () => undefined,
  })
  process.stdout.write("started\n")
  const { identity } = await node.api.call("status", {})
  if (identity === "none")
    await node.api.call("profile.create", { name: "Alice", passphrase: PASSPHRASE })
  else await node.api.call("unlock", { passphrase: PASSPHRASE })
  await node.api.call("threads.list", {})
  process.stdout.write("made\n")
  await node.stop()
}
