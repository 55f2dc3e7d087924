/** The shelf from which key packages are handed out: each once, whatever happens in between, and no more of them than there is room for. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { type Bytes, toHex } from "../../../src/crypto/bytes.ts"
import { EPOCH_MS, epochAt } from "../../../src/crypto/directory-record.ts"
import {
  HANDFUL_MAX,
  makeHandful,
  openPackage,
  type Pool,
  poolOf,
  poolSigner,
  SEALED_BYTES,
  sealPackage,
  tokenFor,
} from "../../../src/crypto/package-pool.ts"
import { primitives } from "../../../src/crypto/primitives/native.ts"
import type { Signing } from "../../../src/crypto/session.ts"
import { PackageShelf, type PackageShelfParts } from "../../../src/node/packages/shelf.ts"
import { openMemoryStore, openStore, type Store } from "../../../src/node/store/store.ts"
import { type Person, person } from "../../helpers/directory-mesh.ts"
import { ManualClock } from "../../helpers/manual-clock.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const NOON = Date.UTC(2026, 10, 20, 12)
const today = epochAt(NOON)
const meshId = new Uint8Array(32).fill(0x5a)
const self = "12D3KooWself"
const ada = person(1)

interface Shelved {
  readonly shelf: PackageShelf
  readonly store: Store
  readonly clock: ManualClock
}

async function shelved(
  t: TestContext,
  parts: Partial<PackageShelfParts> & { clock?: ManualClock } = {},
): Promise<Shelved> {
  const { clock = new ManualClock(NOON) } = parts
  const store = parts.store ?? (await openMemoryStore())
  if (parts.store === undefined) t.after(() => store.close())
  return { shelf: await PackageShelf.open({ meshId, self, ...parts, store, clock }), store, clock }
}

let sequence = 0
interface Giving {
  readonly who?: Person
  readonly epoch?: number
  readonly signing?: Signing
  readonly count?: number
  readonly begins?: boolean
  readonly at?: number
  readonly keeper?: string
}

const poolFor = ({ who = ada, epoch = today, signing = "ed25519" }: Giving = {}): Pool =>
  poolOf(who.raw, epoch, signing)

/** Packages that say which they are. */
function handful(giving: Giving = {}): { bytes: Bytes; names: string[] } {
  const pool = poolFor(giving)
  const { who = ada, count = 2, begins = false, at = ++sequence, keeper = self } = giving
  const named = Array.from({ length: count }, () => primitives.randomBytes(16))
  const packages = named.map((name) => sealPackage(pool, name))
  const signer = poolSigner(who.seed, who.raw, pool)
  const bytes = makeHandful({ pool, signer, meshId, keeper, sequence: at, begins, packages })
  return { bytes, names: named.map(toHex) }
}

async function taken(shelf: PackageShelf, pool = poolFor(), keeper = self) {
  const { signing, epoch, blinded } = pool
  const sealed = await shelf.take({ signing, epoch, blinded, token: tokenFor(pool, keeper) })
  return sealed && toHex(openPackage(pool, sealed) ?? assert.fail("not the owner's"))
}

describe("the shelf of key packages", () => {
  it("hands out each package once, to however many ask at the same moment", async (t) => {
    const { shelf } = await shelved(t)
    const { bytes, names } = handful({ count: 5 })
    assert.equal(await shelf.give(bytes), 5)
    const got = await Promise.all(Array.from({ length: 9 }, () => taken(shelf)))
    assert.deepEqual(got.filter((name) => name !== undefined).sort(), [...names].sort())
    assert.equal(got.filter((name) => name === undefined).length, 4)
    assert.equal(await taken(shelf), undefined)
  })

  it("does so over a restart, and has forgotten nothing of what it still has", async (t) => {
    const directory = join(temporaryDirectory(t), "store")
    const { bytes, names } = handful({ count: 4 })
    const first = await openStore(directory)
    const before = await shelved(t, { store: first })
    await before.shelf.give(bytes)
    const gone = [await taken(before.shelf), await taken(before.shelf)]
    await first.close()
    const again = await openStore(directory)
    t.after(() => again.close())
    const { shelf } = await shelved(t, { store: again })
    assert.equal(await shelf.give(bytes), "STALE", "nor are they put here a second time")
    const rest = [await taken(shelf), await taken(shelf), await taken(shelf)]
    assert.equal(rest.pop(), undefined)
    assert.deepEqual([...gone, ...rest].sort(), [...names].sort())
  })

  it("has taken a package off the disk before it is answered: a crash at any write gives nobody the same one", async (t) => {
    const store = await openMemoryStore()
    t.after(() => store.close())
    const { bytes } = handful({ count: 3 })
    await (await shelved(t, { store })).shelf.give(bytes)
    const answered: (string | undefined)[] = []
    // Each life ends at its first take: with the write done and no answer given, or with the write refused.
    for (const [life, when] of (["after", "before", "after", "never"] as const).entries()) {
      const batch: Store["batch"] = async (writes, options) => {
        assert.equal(options?.sync, true, "on the disk, not on its way there")
        if (when !== "before") await store.batch(writes, options)
        if (when !== "never") throw new Error(`life ${life} ends`)
      }
      const failing = new Proxy(store, {
        get(target, name): unknown {
          const found: unknown = name === "batch" ? batch : Reflect.get(target, name)
          return typeof found === "function" ? (found.bind(target) as unknown) : found
        },
      })
      const { shelf } = await shelved(t, { store: failing })
      if (when === "never") answered.push(await taken(shelf))
      else await assert.rejects(taken(shelf))
    }
    const { shelf } = await shelved(t, { store })
    assert.equal(answered.length, 1)
    assert.notEqual(answered[0], undefined, "two were lost, and the third one is for somebody")
    assert.equal(await taken(shelf), undefined)
  })

  it("gives nothing without the keeper's own token", async (t) => {
    const { shelf } = await shelved(t)
    await shelf.give(handful().bytes)
    assert.equal(await taken(shelf, poolFor(), "12D3KooWother"), undefined)
    assert.equal(await taken(shelf, poolFor({ who: person(2) })), undefined)
    assert.equal(await taken(shelf, poolFor({ epoch: today + 1 })), undefined)
    assert.notEqual(await taken(shelf), undefined)
  })

  it("refuses what another keeper was given, what was replayed, and what is not of these days", async (t) => {
    const { shelf, clock } = await shelved(t)
    const first = handful()
    assert.equal(await shelf.give(handful({ keeper: "12D3KooWother" }).bytes), "UNSOUND")
    assert.equal(await shelf.give(handful({ epoch: today - 2 }).bytes), "UNSOUND")
    assert.equal(await shelf.give(new Uint8Array(300)), "UNSOUND")
    assert.equal(await shelf.give(first.bytes), 2)
    while ((await taken(shelf)) !== undefined);
    assert.equal(await shelf.give(first.bytes), "STALE")
    const yesterday = handful({ epoch: today - 1 })
    assert.equal(await shelf.give(yesterday.bytes), 2)
    clock.advance(EPOCH_MS)
    assert.equal(await shelf.give(yesterday.bytes), "UNSOUND", "its days are over")
  })

  it("adds to what it has, says how much that is, and drops all of it when the owner begins anew", async (t) => {
    const { shelf } = await shelved(t)
    const [one, two] = [handful(), handful({ count: 3 })]
    assert.equal(await shelf.give(one.bytes), 2)
    assert.equal(await shelf.give(two.bytes), 5)
    assert.equal(await shelf.give(handful({ count: 0 }).bytes), 5, "asked for the number only")
    const [got] = [await taken(shelf)]
    assert([...one.names, ...two.names].includes(got ?? ""))
    const three = handful({ begins: true })
    assert.equal(await shelf.give(three.bytes), 2)
    assert.deepEqual([await taken(shelf), await taken(shelf)].sort(), [...three.names].sort())
    assert.equal(await taken(shelf), undefined)
  })

  it("keeps the two ways of signing, and owners, apart", async (t) => {
    const { shelf } = await shelved(t)
    const all = [
      { who: ada, signing: "ed25519" },
      { who: ada, signing: "composite" },
      { who: person(2), signing: "ed25519" },
    ] as const
    for (const giving of all) {
      const { bytes, names } = handful({ ...giving, count: 1 })
      assert.equal(await shelf.give(bytes), 1)
      assert.equal(await taken(shelf, poolFor(giving)), names[0])
    }
  })

  it("takes no more of a pool, of pools and of bytes than it has room for", async (t) => {
    const { shelf } = await shelved(t, { poolsMax: 2, bytesMax: 20 * SEALED_BYTES.ed25519 })
    assert.equal(await shelf.give(handful({ count: HANDFUL_MAX.ed25519 }).bytes), 16)
    assert.equal(await shelf.give(handful({ count: 1 }).bytes), "FULL", "of one pool")
    const [bob, eve] = [person(2), person(3)]
    assert.equal(await shelf.give(handful({ who: bob, count: 5 }).bytes), "FULL", "of bytes")
    assert.equal(await shelf.give(handful({ who: bob, count: 4 }).bytes), 4)
    assert.equal(await shelf.give(handful({ who: eve, count: 0 }).bytes), "FULL", "of pools")
    assert.deepEqual(shelf.size, { pools: 2, bytes: 20 * SEALED_BYTES.ed25519 })
    await taken(shelf)
    assert.equal(await shelf.give(handful({ who: bob, count: 1 }).bytes), 5)
    assert.equal(shelf.size.bytes, 20 * SEALED_BYTES.ed25519)
  })

  it("drops a pool with its day, and what a damaged mark has left behind as well", async (t) => {
    const { shelf, store, clock } = await shelved(t)
    await shelf.give(handful({ epoch: today - 1 }).bytes)
    await shelf.give(handful().bytes)
    clock.advance(EPOCH_MS)
    await shelf.prune()
    assert.equal(shelf.size.pools, 1)
    const rows = async () => {
      const keys: Bytes[] = []
      for await (const [key] of store.range("packages")) keys.push(key)
      return keys
    }
    const [mark] = await rows()
    assert.equal((await rows()).length, 3)
    await store.batch([{ table: "packages", key: mark!, value: new Uint8Array(5) }])
    const damaged = await shelved(t, { store, clock })
    assert.equal(await taken(damaged.shelf), undefined)
    clock.advance(2 * EPOCH_MS)
    await shelved(t, { store, clock })
    assert.deepEqual(await rows(), [])
  })
})
