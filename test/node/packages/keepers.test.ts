/** Key packages over real libp2p on loopback: given to peers, taken by strangers, one for each. And a keeper that is killed. */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { before, describe, it, type TestContext } from "node:test"
import { fileURLToPath } from "node:url"
import { addressBytes } from "../../../src/crypto/address.ts"
import { toHex } from "../../../src/crypto/bytes.ts"
import { type Card, verifyCard } from "../../../src/crypto/card.ts"
import { epochAt } from "../../../src/crypto/directory-record.ts"
import { addressOfRoots, type Identity } from "../../../src/crypto/identity.ts"
import { openVault } from "../../../src/crypto/keyfile.ts"
import {
  makeHandful,
  poolOf,
  poolSigner,
  sealPackage,
  tokenFor,
} from "../../../src/crypto/package-pool.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import { ChatRecords } from "../../../src/node/chat/records.ts"
import { systemClock } from "../../../src/node/clock.ts"
import { directoryServicesIn, findKeyPackage } from "../../../src/node/directory/cards.ts"
import type { Directory } from "../../../src/node/directory/directory.ts"
import { KeyRing } from "../../../src/node/identity/key-ring.ts"
import { makeIdentity } from "../../../src/node/identity/make-identity.ts"
import { takeKeyPackage } from "../../../src/node/packages/finder.ts"
import {
  GIVE_ALLOWANCE,
  type PackageKeepers,
  POOL_ALLOWANCE,
  TAKE_ALLOWANCE,
} from "../../../src/node/packages/keepers.ts"
import {
  decodeTaken,
  encodePackagesRequest,
  PACKAGES_PROTOCOL,
  PACKAGES_REPLY_BYTES_MAX,
} from "../../../src/node/packages/messages.ts"
import { PackagePools } from "../../../src/node/packages/pools.ts"
import { openPackageRoom } from "../../../src/node/packages/room.ts"
import { PackageShelf } from "../../../src/node/packages/shelf.ts"
import { Sealed } from "../../../src/node/store/sealed.ts"
import { openMemoryStore, openStore } from "../../../src/node/store/store.ts"
import { MemoryShelf } from "../../helpers/chat-world.ts"
import { type TestMesh, testMesh } from "../../helpers/envelopes.ts"
import { testPeer, type TestPeer } from "../../helpers/peers.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"
import { until } from "../../helpers/wait.ts"

const { signal } = new AbortController()

interface Peer extends TestPeer {
  readonly packages: PackageKeepers
}

async function packagePeer(t: TestContext, mesh: TestMesh, near: readonly Peer[]): Promise<Peer> {
  const store = await openMemoryStore()
  const peer = await testPeer(t, mesh, {
    store,
    services: directoryServicesIn(store, mesh.meshId),
    bootstrap: near.flatMap((each) => each.addresses()),
  })
  const packages = await openPackageRoom({
    store,
    network: peer,
    clock: systemClock,
    onFault: (error) => assert.fail(String(error)),
  })
  t.after(() => packages.stop())
  for (const other of near)
    await until("a connection", () => [peer, other].every((one) => knows(one, [peer, other])))
  return Object.assign(peer, { packages })
}

const knows = (one: Peer | TestPeer, all: readonly TestPeer[]): boolean =>
  all.every(({ id }) => id === one.id || one.peers().some(({ peerId }) => peerId === id))

/** Each connected to all before it. */
async function packagePeers(t: TestContext, mesh: TestMesh, count: number): Promise<Peer[]> {
  const peers: Peer[] = []
  while (peers.length < count) peers.push(await packagePeer(t, mesh, peers))
  return peers
}

describe("key packages between real peers", () => {
  let identity: Identity
  let card: Card
  before(async () => {
    identity = await makeIdentity({ name: "Ada", nowMs: Date.now(), progress: () => undefined })
    card = verifyCard(identity.card)
  })
  const raw = () => addressBytes(addressOfRoots(identity.roots))

  async function ownerAt(t: TestContext, peer: Peer): Promise<PackagePools> {
    const records = new ChatRecords(
      new Sealed(openVault(primitives.randomBytes(32)), new MemoryShelf()),
    )
    const pools = new PackagePools({
      ring: await KeyRing.open({ records, clock: systemClock }, identity),
      records,
      address: raw(),
      keepers: peer.packages,
      clock: systemClock,
      random: Math.random,
      onFault: (error) => assert.fail(String(error)),
    })
    t.after(() => pools.stop())
    return pools
  }

  const take = (peer: Peer) =>
    takeKeyPackage({ keepers: peer.packages, clock: systemClock }, card, "ed25519", signal)

  it("two strangers at the same moment are given different ones, and so is everybody after them; then the last-resort one serves, until the owner gives new ones", async (t) => {
    const [home, bob, eve] = await packagePeers(t, testMesh(), 3)
    assert(home && bob && eve)
    const owner = await ownerAt(t, home)
    await owner.refill()
    assert.equal(owner.onOffer("ed25519"), 18, "six at each of three")
    const two = await Promise.all([take(bob), take(eve)])
    const given = two.map((each) => toHex(each ?? assert.fail("one each")))
    assert.notEqual(given[0], given[1])

    const directory = {
      lookup: () => assert.fail("an ordinary one lies in the card"),
      publish: () => assert.fail(),
      stop: () => assert.fail(),
    } satisfies Directory
    const sources = { directory, packages: bob.packages, clock: systemClock }
    const lastResort = toHex(card.lastResort)
    for (;;) {
      const found = toHex((await findKeyPackage(sources, card, "ed25519", signal)) ?? assert.fail())
      if (found === lastResort) break
      assert(!given.includes(found), "handed out once")
      given.push(found)
    }
    assert.equal(given.length, 18)
    await owner.refill()
    const fresh = toHex((await take(eve)) ?? assert.fail("replenished"))
    assert(![lastResort, ...given].includes(fresh))
  })

  it("a keeper answers for its mesh, its own token and so often; who has no token uses nothing up", async (t) => {
    const mesh = testMesh()
    const [keeper, stranger] = await packagePeers(t, mesh, 2)
    assert(keeper && stranger)
    const pool = poolOf(raw(), epochAt(Date.now()), "ed25519")
    const signer = poolSigner(identity.roots.ed25519, raw(), pool)
    const packages = Array.from({ length: 16 }, () => sealPackage(pool, new Uint8Array(9)))
    const parts = { pool, signer, meshId: mesh.meshId, begins: false }
    const handful = makeHandful({ ...parts, keeper: keeper.id, sequence: 1, packages })
    const give = (bytes: Uint8Array) => stranger.packages.give(keeper.id, "ed25519", bytes, signal)
    assert.equal(await give(handful), 16)
    assert.equal(await give(handful), "STALE", "a replay")
    const foreign = makeHandful({ ...parts, keeper: stranger.id, sequence: 2, packages })
    assert.equal(await give(foreign), "UNSOUND", "another keeper's")

    const { signing, epoch, blinded } = pool
    const ask = async (token: Uint8Array, meshId = mesh.meshId) => {
      const taking = { signing, epoch, blinded, token }
      const request = encodePackagesRequest({ kind: "take", meshId, taking })
      const reply = await stranger.streams.request(keeper.id, PACKAGES_PROTOCOL, request, {
        replyBytesMax: PACKAGES_REPLY_BYTES_MAX,
      })
      return decodeTaken(reply, signing)
    }
    const token = tokenFor(pool, keeper.id)
    assert.equal(await ask(token, new Uint8Array(32)), "OTHER_MESH")
    const spare = TAKE_ALLOWANCE.burst - POOL_ALLOWANCE.burst - 2
    for (let i = 0; i < spare; i++)
      assert.deepEqual(await ask(tokenFor(pool, stranger.id)), { sealed: undefined })
    for (let i = 0; i < POOL_ALLOWANCE.burst; i++)
      assert.notDeepEqual(await ask(token), { sealed: undefined })
    assert.equal(await ask(token), "TOO_OFTEN", "of this pool")
    let asked = 0
    while ((await ask(tokenFor(pool, stranger.id))) !== "TOO_OFTEN")
      assert(++asked <= 3, "of this peer")
    let given = 2
    while ((await give(foreign)) !== "TOO_OFTEN") assert(++given <= GIVE_ALLOWANCE.burst + 3)
  })
})

describe("a keeper that is killed", () => {
  it("has handed out nothing twice, whenever it was", async (t) => {
    const directory = join(temporaryDirectory(t), "store")
    const seed = primitives.ed25519.generate()
    const key = primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(seed))
    const address = Buffer.concat([key, new Uint8Array(32)])
    const [self, meshId] = ["12D3KooWself", new Uint8Array(32).fill(3)]
    const pool = poolOf(new Uint8Array(address), epochAt(Date.now()), "ed25519")
    const signer = poolSigner(seed, new Uint8Array(address), pool)
    const packages = Array.from({ length: 16 }, () => sealPackage(pool, new Uint8Array(9)))
    const handful = { pool, signer, meshId, keeper: self, sequence: 1, begins: false, packages }
    const store = await openStore(directory)
    const shelf = await PackageShelf.open({ store, clock: systemClock, meshId, self })
    assert.equal(await shelf.give(makeHandful(handful)), 16)
    await store.close()

    const program = fileURLToPath(new URL("../../helpers/package-process.js", import.meta.url))
    const token = toHex(tokenFor(pool, self))
    const life = [directory, toHex(meshId), self, String(pool.epoch), toHex(pool.blinded), token]
    const said: string[] = []
    for (const lines of [1, 4, Infinity]) {
      const child = spawn(process.execPath, [program, ...life], {
        stdio: ["ignore", "pipe", "inherit"],
      })
      const ended = once(child, "exit")
      let heard = 0
      for await (const line of createInterface({ input: child.stdout })) {
        said.push(line)
        if (++heard === lines) child.kill("SIGKILL")
      }
      await ended
    }
    assert(said.length > 5 && said.length <= 16)
    assert.equal(new Set(said).size, said.length)
  })
})
