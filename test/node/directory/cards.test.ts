/** What is made of what the directory finds: whose card it is, whether it has to be fetched, and which key package goes with it. */
import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import { primitives } from "#primitives"
import { equal } from "../../../src/crypto/bytes.ts"
import { type Card, verifyCard } from "../../../src/crypto/card.ts"
import type { Identity } from "../../../src/crypto/identity.ts"
import { systemClock } from "../../../src/node/clock.ts"
import type { Directory, FindOptions, FoundCard } from "../../../src/node/directory/directory.ts"
import { findCard, findKeyPackage, soundCard } from "../../../src/node/directory/cards.ts"
import { makeIdentity } from "../../../src/node/identity/make-identity.ts"

/** A directory that has this card with this package, and remembers what it was asked. */
class OneCard implements Directory {
  readonly asked: FindOptions[] = []
  #found: FoundCard | "NOT_FOUND"

  constructor(found: FoundCard | "NOT_FOUND") {
    this.#found = found
  }

  async lookup(_address: string, options: FindOptions = {}): Promise<FoundCard | "NOT_FOUND"> {
    this.asked.push(options)
    if (this.#found === "NOT_FOUND") return this.#found
    const { card, sequence } = this.#found
    const recalled = await options.recall?.(primitives.sha3_256(card))
    return recalled === undefined || options.withPackage === true
      ? this.#found
      : { card: recalled, sequence }
  }

  publish = () => assert.fail()
  stop = () => assert.fail()
}

/** Keepers of which there are none. */
const nobody = {
  nearest: () => Promise.resolve([]),
  take: () => assert.fail(),
}

describe("a card from the directory", () => {
  const nowMs = Date.now()
  const sourcesOf = (directory: Directory) => ({
    directory,
    packages: nobody,
    clock: systemClock,
  })
  const { signal } = new AbortController()
  let ada: Identity
  let eve: Identity
  let card: Card
  before(async () => {
    const born = (name: string) => makeIdentity({ name, nowMs, progress: () => undefined })
    ;[ada, eve] = await Promise.all([born("Ada"), born("Eve")])
    card = verifyCard(ada.card)
  })
  const foundWith = ({ composite }: Pick<Identity, "composite">): FoundCard => ({
    card: ada.card,
    sequence: 1,
    composite: composite?.lastResort.public ?? null,
  })

  it("is its address' own, and once it was verified it is not fetched again", async () => {
    const directory = new OneCard(foundWith(ada))
    const hash = primitives.sha3_256(ada.card)
    const found = await findCard(directory, card.address, {})
    assert.deepEqual(found?.encoded, ada.card)
    await findCard(directory, card.address, { fresh: true })
    const recalled = await directory.asked[1]?.recall?.(hash)
    assert(recalled !== undefined && equal(recalled, ada.card))
    assert.equal(soundCard(verifyCard(eve.card).address, ada.card), undefined)
    assert.equal(soundCard(card.address, ada.card.slice(1)), undefined)
  })

  it("has the signatures of its roots verified once, however often it is found", async (t) => {
    const { slhDsaShake256s } = primitives
    const verify = t.mock.method(slhDsaShake256s, "verify")
    const directory = new OneCard({ card: eve.card, sequence: 1, composite: null })
    const { address } = verifyCard(eve.card)
    assert.equal(verify.mock.callCount(), 1, "by this test itself")
    for (let i = 0; i < 5; i++) assert(await findCard(directory, address, { fresh: true }))
    assert.equal(verify.mock.callCount(), 2)
  })

  it("is asked of the caller when it was not verified here", async () => {
    const directory = new OneCard("NOT_FOUND")
    const kept = () => Promise.resolve(ada.card)
    assert.equal(await findCard(directory, card.address, { recall: kept }), undefined)
    assert.deepEqual(await directory.asked[0]?.recall?.(new Uint8Array(32)), ada.card)
  })

  it("brings the last-resort package with composite signatures, which is taken only under the leaf key that it names", async () => {
    const packageFrom = (found: FoundCard | "NOT_FOUND") =>
      findKeyPackage(sourcesOf(new OneCard(found)), card, "composite", signal)
    const own = ada.composite?.lastResort.public ?? assert.fail()
    assert.deepEqual(await packageFrom(foundWith(ada)), own)
    assert.equal(await packageFrom(foundWith(eve)), undefined, "somebody else's")
    assert.equal(await packageFrom(foundWith({ composite: null })), undefined)
    assert.equal(await packageFrom({ card: ada.card, sequence: 1 }), undefined)
    assert.equal(await packageFrom("NOT_FOUND"), undefined)
  })

  it("has the ordinary last-resort package itself, and asks for no blob because of it", async () => {
    const directory = new OneCard(foundWith(ada))
    const bytes = await findKeyPackage(sourcesOf(directory), card, "ed25519", signal)
    assert.deepEqual(bytes, ada.lastResort.public)
    assert.deepEqual(directory.asked, [])
  })
})
