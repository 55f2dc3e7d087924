/**
 * What a thief of Alice's data directory learns. With a passphrase: that somebody took part in this mesh, how many private records there
 * are and how large, and nothing of whom, to whom or what. Without: everything, and the screens say so.
 */
import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { threadIdOf } from "../../../src/chat/thread.ts"
import { type Address, addressBytes } from "../../../src/crypto/address.ts"
import { toHex, utf8 } from "../../../src/crypto/bytes.ts"
import { ENVELOPE_BYTES } from "../../../src/crypto/envelope.ts"
import { decodeKeyfile } from "../../../src/crypto/keyfile.ts"
import { openStore, type Store, TABLES } from "../../../src/node/store/store.ts"
import { filesIn, hashOf, modesIn, rowsOf } from "../../helpers/files.ts"
import { acquaint, newNode, TestNode } from "../../helpers/nodes.ts"
import { found, timeTraces, tracesOf } from "../../helpers/traces.ts"
import { until } from "../../helpers/wait.ts"

const PASSPHRASE = "nine lives of the ginger cat"
const NAMES = { alice: "Aliénor of Aquitaine", bob: "Bohemond of Taranto" }
const PETNAMES = { one: "my sister's friend", other: "the man at the harbour" }
const TEXTS = ["the ships sail before dawn", "bring the lantern and the letters"]

/** Alice and Bob have talked, both have stopped, and somebody copies Alice's disk. */
async function burglary(t: TestContext) {
  const began = Date.now()
  const [alice, bob] = [await newNode(t), await newNode(t)]
  const { address } = await alice.create(NAMES.alice, PASSPHRASE)
  await bob.create(NAMES.bob, PASSPHRASE, await alice.ticket())
  const { address: contact } = await bob.call("id", {})
  await acquaint(alice, bob, PETNAMES)
  for (const text of TEXTS) {
    await alice.call("messages.send", { to: PETNAMES.other, text })
    await bob.untilText(PETNAMES.one, text)
    await bob.call("messages.send", { to: PETNAMES.one, text: `${text}?` })
    await alice.untilText(PETNAMES.other, `${text}?`)
  }
  const count = async (node: TestNode) => (await node.call("status", {})).envelopes
  await until("both to have all", async () => (await count(alice)) === (await count(bob)))
  const modes = modesIn(alice.dataDir)
  await alice.stop()
  await bob.stop()
  return { alice, bob, address, contact, modes, period: [began, Date.now()] as const }
}

async function withStore<T>(node: TestNode, look: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(join(node.dataDir, "store"))
  try {
    return await look(store)
  } finally {
    await store.close()
  }
}

describe("whoever steals the disk of a profile with a passphrase", () => {
  it("learns that it is one, and nothing of whose, with whom, or what", async (t) => {
    const { alice, bob, address, contact, modes, period } = await burglary(t)
    const traces = [
      ...tracesOf("passphrase", PASSPHRASE),
      ...Object.values(NAMES).flatMap((name) => tracesOf("name", name)),
      ...Object.values(PETNAMES).flatMap((name) => tracesOf("petname", name)),
      ...TEXTS.flatMap((text) => tracesOf("text", text)),
      ...[address, contact].flatMap((each) => [
        ...tracesOf("address", each),
        ...tracesOf("root key", addressBytes(each as Address).subarray(0, 32)),
        ...tracesOf("root hash", addressBytes(each as Address).subarray(32)),
      ]),
      ...tracesOf("thread id", threadIdOf(address as Address, contact as Address)),
      ...timeTraces(...period),
    ]

    await t.test("no file holds any of it, and no file is called after any of it", () => {
      const files = filesIn(alice.dataDir)
      assert(files.size >= 4, "the store, the key file, the peer key")
      for (const [name, content] of files) {
        // LevelDB's own diary says when the store was opened: known, and said in SECURITY.md.
        const wanted = /LOG(\.old)?$/.test(name)
          ? traces.filter(({ what }) => !/date|time/.test(what))
          : traces
        assert.deepEqual(found(name, content, wanted), [])
        assert.deepEqual(found("a name", utf8(name), wanted), [])
      }
    })

    await t.test("what Alice wrote lies among the rest in the same form", async () => {
      const others = await withStore(bob, async (store) => ({
        envelopes: new Map((await rowsOf(store, "envelopes")).map(([k, v]) => [toHex(k), v])),
        tags: new Set((await rowsOf(store, "tags")).map(([key]) => toHex(key))),
        mesh: new Set((await rowsOf(store, "mesh")).map(([key]) => kindOf(key))),
      }))
      await withStore(alice, async (store) => {
        const envelopes = await rowsOf(store, "envelopes")
        assert(envelopes.length >= 8)
        for (const [id, envelope] of envelopes) {
          assert.equal(envelope.length, ENVELOPE_BYTES)
          assert.equal(toHex(others.envelopes.get(toHex(id)) ?? assert.fail()), toHex(envelope))
        }
        const tags = await rowsOf(store, "tags")
        assert.deepEqual(new Set(tags.map(([key]) => toHex(key))), others.tags)
        const arrival = await rowsOf(store, "arrival")
        const places = new Map(arrival.map(([place, id]) => [toHex(id), toHex(place)]))
        for (const [key, value] of tags)
          assert.equal(toHex(value), places.get(toHex(key.subarray(16))))
        assert.deepEqual(
          arrival.map(([key]) => Number(BigInt(`0x${toHex(key)}`))),
          arrival.map((_, i) => i + 1),
        )
        for (const [, id] of arrival) assert.equal(id.length, 32)
        const mesh = await rowsOf(store, "mesh")
        assert.deepEqual(new Set(mesh.map(([key]) => kindOf(key))), others.mesh)
        for (const [key, value] of mesh)
          for (const [id] of envelopes)
            assert.deepEqual(found("mesh", Buffer.concat([key, value]), tracesOf("id", id)), [])
      })
    })

    await t.test(
      "keys of private records say nothing: blinded names, or a clock and an id",
      async () => {
        await withStore(alice, async (store) => {
          const rows = await rowsOf(store, "sealed")
          const lengths = new Set(rows.map(([key]) => key.length))
          // group 16 ‖ blinded name 16, or group 16 ‖ Lamport 6 ‖ random id 16
          assert.deepEqual([...lengths].toSorted(), [32, 38])
          for (const [key, value] of rows) assert(value.length >= 28, toHex(key))
        })
      },
    )

    await t.test("is kept out by the modes of files while it lies where it belongs", () => {
      for (const name of ["vault", "peer.key"]) assert.equal(modes.get(name), 0o600, name)
      for (const name of ["", "store", "run"])
        assert.equal(modes.get(name), 0o700, name || "profile")
      assert.equal(modes.get(join("run", "node.sock")), 0o600)
    })

    await t.test("tries passphrases in vain, and changes nothing by it", async () => {
      const look = () =>
        withStore(alice, async (store) => ({
          vault: toHex(filesIn(alice.dataDir).get("vault") ?? assert.fail()),
          key: toHex(filesIn(alice.dataDir).get("peer.key") ?? assert.fail()),
          tables: await Promise.all(TABLES.map((table) => hashOf(store, table))),
          sealed: await rowsOf(store, "sealed"),
        }))
      const before = await look()
      await alice.start()
      for (const passphrase of ["", "password", PASSPHRASE.toUpperCase(), `${PASSPHRASE} `])
        await assert.rejects(alice.call("unlock", { passphrase }), { code: "WRONG_PASSPHRASE" })
      await assert.rejects(alice.call("threads.list", {}), { code: "LOCKED" })
      await alice.stop()
      const after = await look()
      assert.deepEqual(after, before)
      assert.equal(
        decodeKeyfile(filesIn(alice.dataDir).get("vault") ?? assert.fail()).mode,
        "protected",
      )
    })
  })
})

/** The word a key of the mesh table begins with. */
const kindOf = (key: Uint8Array) => Buffer.from(key).toString("latin1").split(" ")[0]

describe("a profile without a passphrase", () => {
  it("says that it is unprotected, before and after it is started again", async (t) => {
    const node = await newNode(t)
    await node.create("Alice", null)
    assert.equal((await node.call("status", {})).unprotected, true)
    await node.stop()
    await node.start()
    const { unprotected, identity } = await node.call("status", {})
    assert.deepEqual([unprotected, identity], [true, "open"])
  })
})
