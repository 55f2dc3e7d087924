/**
 * Identity care between real processes: two people compare their safety number, replace their keys under the same address, and are still
 * themselves to each other, and to a stranger who has only the address.
 */
import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { type Cluster, nodeOf } from "../../scripts/testnet/cluster.ts"
import type { Api } from "../../src/node/api/types.ts"
import { until as untilHolds } from "../helpers/wait.ts"
import { befriend, mesh, received, until } from "./mesh.ts"

describe("e2e: an identity over time", () => {
  let cluster: Cluster
  let gone: () => Promise<void>
  before(async () => {
    ;({ cluster, gone } = await mesh(["alice", "bob", "carol", "alice"]))
    await befriend(nodeOf(cluster, 0), nodeOf(cluster, 1))
  })
  after(() => gone())

  const person = (at: number) => nodeOf(cluster, at).api()
  const known = async (api: Api, name: string) => {
    const { contacts } = await api.call("contacts.list", {})
    return contacts.find((contact) => contact.name === name) ?? assert.fail(`${name} is known`)
  }

  it("shows both the same 60 digits; a mark is one's own, survives a kill, and can be taken back", async () => {
    const [alice, bob] = [await person(0), await person(1)]
    const { number } = await alice.call("contacts.safety", { contact: "bob" })
    assert.match(number, /^\d{60}$/)
    assert.equal((await bob.call("contacts.safety", { contact: "alice" })).number, number)
    const other = `${number.startsWith("0") ? "1" : "0"}${number.slice(1)}`
    await assert.rejects(alice.call("contacts.verify", { contact: "bob", number: other }))
    assert.equal((await known(alice, "bob")).verified, false)
    await alice.call("contacts.verify", { contact: "bob", number })
    assert.equal((await known(bob, "alice")).verified, false)

    await nodeOf(cluster, 0).kill9()
    await nodeOf(cluster, 0).start()
    const again = await person(0)
    assert.equal((await known(again, "bob")).verified, true)
    await again.call("contacts.unverify", { contact: "bob" })
    assert.equal((await known(again, "bob")).verified, false)
    await again.call("contacts.verify", { contact: "bob", number })
  })

  it("replaces the keys of both, and nobody is warned: texts go both ways, and the mark stays", async () => {
    const [alice, bob] = [await person(0), await person(1)]
    for (const api of [alice, bob]) {
      const before = await api.call("identity.show", {})
      const { sequence, oldUntilMs } = await api.call("identity.rotate", {})
      assert(sequence > before.sequence)
      assert.equal(oldUntilMs.length, before.oldUntilMs.length + 1)
    }
    await received(bob, "alice", ["with new keys"], () =>
      alice.call("messages.send", { to: "bob", text: "with new keys" }),
    )
    await received(alice, "bob", ["with mine"], () =>
      bob.call("messages.send", { to: "alice", text: "with mine" }),
    )
    assert.equal((await known(alice, "bob")).verified, true)
    const { contacts } = await bob.call("contacts.list", {})
    assert.equal(contacts.length, 1, "nobody new has turned up")
  })

  it("is found by the address that it always had; two strangers at once are handed a one-time package each, and others take their place", async () => {
    const [alice, ...strangers] = [await person(0), await person(2), await person(3)]
    const { address } = await alice.call("id", {})
    const onOffer = async (api: Api) => (await api.call("identity.show", {})).onOffer
    await untilHolds("packages at every keeper", async () => (await onOffer(alice)) >= 16, 30_000)
    const requests = async () =>
      (await alice.call("contacts.list", {})).contacts.filter(({ state }) => state === "request")
    // The second one of the same package would not be read: what was used is destroyed by then.
    await until(alice, requests, (found) => found.length === 2, {
      act: async () => {
        const write = async (stranger: Api) => {
          await stranger.call("contacts.add", { code: address, name: "alice of old" })
          await stranger.call("messages.send", { to: "alice of old", text: "is it still you?" })
        }
        await Promise.all(strangers.map(write))
      },
    })
    const left = await onOffer(alice)
    await nodeOf(cluster, 0).kill9()
    await nodeOf(cluster, 0).start()
    const again = await person(0)
    await untilHolds("others in their place", async () => (await onOffer(again)) > left, 30_000)
  })

  it("is told from another one under its name: nothing goes out to that one before the user has decided", async () => {
    const [alice, bob, other] = [await person(0), await person(1), await person(3)]
    const { address } = await bob.call("id", {})
    const impostors = async () =>
      (await bob.call("contacts.list", {})).contacts.filter(({ claims }) => claims !== null)
    const [impostor] = await until(bob, impostors, (found) => found.length === 1, {
      act: async () => {
        await other.call("contacts.add", { code: address, name: "bob" })
        await other.call("messages.send", { to: "bob", text: "I lost my phone, this is me now" })
      },
    })
    assert(impostor !== undefined)
    assert.equal(impostor.claims, (await alice.call("id", {})).address)
    const { address: who } = impostor
    const refused = { code: "IDENTITY_CHANGED" }
    await assert.rejects(bob.call("messages.send", { to: who, text: "are you?" }), refused)
    await assert.rejects(bob.call("contacts.accept", { contact: who }), refused)
    await received(alice, "bob", ["somebody says they are you"], () =>
      bob.call("messages.send", { to: "alice", text: "somebody says they are you" }),
    )
    await bob.call("contacts.block", { contact: who })
    assert.equal((await known(bob, "alice")).state, "accepted", "she is not paused, nor blocked")
  })
})
