/** A profile with a long history, written directly, as the chat would have. */
import { join } from "node:path"
import { primitives } from "#primitives"
import { added } from "../src/chat/contact.ts"
import { PLAIN } from "../src/chat/message.ts"
import { newThread } from "../src/chat/thread.ts"
import { type Address, encodeAddress } from "../src/crypto/address.ts"
import { openVault } from "../src/crypto/keyfile.ts"
import { ChatRecords } from "../src/node/chat/records.ts"
import { startNode } from "../src/node/node.ts"
import { Sealed } from "../src/node/store/sealed.ts"
import { sealedShelf } from "../src/node/store/sealed-store.ts"
import { openStore } from "../src/node/store/store.ts"
import { readKeyfile } from "../src/node/identity/vault.ts"

const TOGETHER = 1_000
/** Between two messages of the history. */
const APART_MS = 60_000

/** Without listening and without a LAN to look at: what is measured is the profile. */
export const quietOptions = (dataDir: string) => ({
  dataDir,
  socketPath: join(dataDir, "node.sock"),
  listen: [],
  testnet: true,
  log: () => undefined,
})

export interface Filling {
  readonly messages: number
  /** Chats of two that they are spread over; contacts are called `friend`, `friend1` and so on. */
  readonly threads: number
  /** Of the n-th message, from 1 on. */
  readonly textOf: (n: number) => string
}

export async function fillProfile(dataDir: string, filling: Filling): Promise<void> {
  const node = await startNode(quietOptions(dataDir))
  const { address } = await node.api.call("profile.create", { name: "me", passphrase: null })
  const me = address as Address
  await node.stop()
  const keyfile = await readKeyfile(join(dataDir, "vault"))
  if (keyfile?.mode !== "unprotected") throw new Error("the profile has an open vault")
  const store = await openStore(join(dataDir, "store"))
  const records = new ChatRecords(new Sealed(openVault(keyfile.vaultKey), sealedShelf(store)))
  const root = () => primitives.randomBytes(32)
  const friends = Array.from({ length: filling.threads }, (_, i) => {
    const peer = encodeAddress({ ed25519Root: root(), slhDsaRootHash: root() })
    const thread = { ...newThread(me, peer), lamport: filling.messages }
    return { peer, thread, name: i === 0 ? "friend" : `friend${i}` }
  })
  const people = friends.flatMap(({ peer, thread, name }) => [
    records.putContact(added(undefined, peer, name)),
    records.putThread(thread),
  ])
  await records.write(people, { sync: true })
  for (let at = 0; at < filling.messages; at += TOGETHER) {
    const ops = Array.from({ length: Math.min(TOGETHER, filling.messages - at) }, (_, i) => {
      const lamport = at + i + 1
      const { peer, thread } = friends[lamport % friends.length] ?? { peer: me, thread: undefined }
      if (thread === undefined) throw new Error("a profile has at least one thread")
      const mine = Math.floor(lamport / friends.length) % 2 === 0
      return records.putMessage(thread.id, {
        ...PLAIN,
        id: primitives.randomBytes(16),
        author: mine ? me : peer,
        lamport,
        sentAtMs: lamport * APART_MS,
        text: filling.textOf(lamport),
        delivery: "delivered",
        late: false,
        mine,
        audience: 0,
        awaited: [],
      })
    })
    await records.write(ops.flat(), { sync: at + TOGETHER >= filling.messages })
  }
  await store.close()
}
