/**
 * A keeper of key packages in a process of its own: takes one after the other from the shelf in a store and says each, so that it can be
 * killed at any moment. Arguments: the store's directory, mesh id, keeper, epoch, blinded key and token, the last three and the mesh id in hex.
 */
import { fromHex, toHex } from "../../src/crypto/bytes.ts"
import { systemClock } from "../../src/node/clock.ts"
import { PackageShelf } from "../../src/node/packages/shelf.ts"
import { openStore } from "../../src/node/store/store.ts"

const [directory = "", meshId = "", self = "", epoch = "", blinded = "", token = ""] =
  process.argv.slice(2)
const store = await openStore(directory)
const shelf = await PackageShelf.open({ store, clock: systemClock, meshId: fromHex(meshId), self })
const taking = {
  signing: "ed25519",
  epoch: Number(epoch),
  blinded: fromHex(blinded),
  token: fromHex(token),
} as const
for (;;) {
  const sealed = await shelf.take(taking)
  if (sealed === undefined) break
  process.stdout.write(`${toHex(sealed)}\n`)
}
await store.close()
