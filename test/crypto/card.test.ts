import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import fc from "fast-check"
import {
  assembleCard,
  type CardBody,
  cardSigningBytes,
  compositeLeafHash,
  encodeCardBody,
  isLeafOf,
  verifyCard,
  vouchesFor,
} from "../../src/crypto/card.ts"
import {
  addressOfRoots,
  compositeLeafOf,
  decodeIdentity,
  encodeIdentity,
  generateIntro,
  generateRoots,
  type Identity,
  introPublic,
  leafPublic,
  OLD_KEYS_MAX,
  type RootKeys,
  rootPublic,
  rotated,
  withoutExpired,
} from "../../src/crypto/identity.ts"
import { Reader, Writer } from "../../src/crypto/bytes.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { generateSignatureSeed, signaturePublicOf } from "../../src/crypto/session.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

function sign(roots: RootKeys, body: Uint8Array): Uint8Array {
  const { ed25519, slhDsaShake256s } = primitives
  const message = cardSigningBytes(body)
  return assembleCard(body, {
    ed25519: ed25519.sign(ed25519.importPrivate(roots.ed25519), message),
    slhDsa: slhDsaShake256s.sign(slhDsaShake256s.importPrivate(roots.slhDsa), message),
  })
}

describe("card: an identity's current keys, signed by both root keys", () => {
  let roots: RootKeys
  let body: CardBody
  let card: Uint8Array

  before(() => {
    roots = generateRoots()
    const publicRoots = rootPublic(roots)
    body = {
      ed25519Root: publicRoots.ed25519,
      slhDsaRoot: publicRoots.slhDsa,
      sequence: 3,
      intro: introPublic(generateIntro()),
      leaf: primitives.randomBytes(32),
      lastResort: primitives.randomBytes(3460),
      formers: [primitives.randomBytes(32), primitives.randomBytes(32)],
      compositeLeaf: primitives.randomBytes(32),
      formerComposites: [primitives.randomBytes(32)],
    }
    card = sign(roots, encodeCardBody(body))
  })

  it("verifies, tells its keys, and hashes to the address it belongs to", () => {
    const verified = verifyCard(card)
    const hash = primitives.sha3_256(card)
    assert.deepEqual(verified, { ...body, address: addressOfRoots(roots), hash, encoded: card })
    assert(card.length < 36_000, `${card.length} bytes`)
  })

  it("does not verify when anything was altered, cut or added", () => {
    fc.assert(
      fc.property(fc.nat(card.length - 1), (at) => {
        const altered = card.slice()
        altered[at]! ^= 0x10
        assert.match(
          codeOf(() => verifyCard(altered)),
          /^(BAD_|TOO_LARGE)/,
        )
      }),
      { numRuns: 60 },
    )
    strictDecoder(card, verifyCard)
  })

  it("needs both signatures: one right and one foreign is refused", () => {
    const bodyBytes = card.slice(0, card.length - 64 - 29_792)
    const foreignEd = primitives.ed25519.importPrivate(primitives.ed25519.generate())
    const message = cardSigningBytes(bodyBytes)
    const wrongEd = assembleCard(bodyBytes, {
      ed25519: primitives.ed25519.sign(foreignEd, message),
      slhDsa: card.slice(-29_792),
    })
    assert.equal(
      codeOf(() => verifyCard(wrongEd)),
      "BAD_SIGNATURE",
    )
    const wrongSlh = assembleCard(bodyBytes, {
      ed25519: card.slice(-29_792 - 64, -29_792),
      slhDsa: new Uint8Array(29_792),
    })
    assert.equal(
      codeOf(() => verifyCard(wrongSlh)),
      "BAD_SIGNATURE",
    )
  })

  it("is kept with its private keys in one record, strictly decoded", () => {
    const identity: Identity = {
      roots,
      sequence: 3,
      intro: generateIntro(),
      sinceMs: 1_700_000_000_000,
      old: [
        {
          intro: generateIntro(),
          leaf: primitives.randomBytes(32),
          lastResort: { public: primitives.randomBytes(10), private: primitives.randomBytes(20) },
          composite: {
            leafHash: primitives.randomBytes(32),
            lastResort: { public: primitives.randomBytes(10), private: primitives.randomBytes(20) },
          },
          untilMs: 1_800_000_000_000,
        },
      ],
      leaf: primitives.randomBytes(32),
      lastResort: { public: primitives.randomBytes(100), private: primitives.randomBytes(200) },
      composite: {
        leaf: primitives.randomBytes(64),
        lastResort: { public: primitives.randomBytes(100), private: primitives.randomBytes(200) },
      },
      card: primitives.randomBytes(300),
      name: "Ada",
    }
    assert.deepEqual(decodeIdentity(encodeIdentity(identity)), identity)
    strictDecoder(encodeIdentity(identity), decodeIdentity, encodeIdentity)
  })

  it("keeps the private keys of earlier cards for 90 days, and of so many cards and no more", () => {
    const keys = () => ({
      intro: generateIntro(),
      leaf: primitives.ed25519.generate(),
      lastResort: { public: primitives.randomBytes(10), private: primitives.randomBytes(20) },
      composite: {
        leaf: generateSignatureSeed("composite"),
        lastResort: { public: primitives.randomBytes(10), private: primitives.randomBytes(20) },
      },
    })
    const day = 86_400_000
    let identity: Identity = {
      ...keys(),
      roots,
      sequence: 1,
      sinceMs: 0,
      old: [],
      card: new Uint8Array(1),
      name: "Ada",
    }
    const turn = (nowMs: number, forgetOld = false) => {
      const sequence = identity.sequence + 1
      identity = rotated(identity, {
        ...keys(),
        card: new Uint8Array(1),
        sequence,
        nowMs,
        forgetOld,
      })
    }
    const first = identity
    for (let i = 1; i <= OLD_KEYS_MAX; i++) turn(i)
    assert.equal(identity.old.length, OLD_KEYS_MAX)
    assert.deepEqual(identity.old.at(-1), {
      intro: first.intro,
      leaf: leafPublic(first),
      lastResort: first.lastResort,
      composite: {
        leafHash: compositeLeafOf(first),
        lastResort: first.composite?.lastResort,
      },
      untilMs: 1 + 90 * day,
    })
    turn(OLD_KEYS_MAX + 1)
    assert.equal(identity.old.length, OLD_KEYS_MAX)
    assert(identity.old.every(({ intro }) => intro !== first.intro))
    assert.equal(withoutExpired(identity, 2 + 90 * day - 1), identity)
    assert.equal(withoutExpired(identity, 2 + 90 * day).old.length, OLD_KEYS_MAX - 1)
    assert.deepEqual(withoutExpired(identity, 200 * day).old, [])
    turn(200 * day)
    assert.equal(identity.old.length, 1)
    turn(201 * day, true)
    assert.deepEqual(identity.old, [])
    assert.throws(() => rotated(identity, { ...identity, nowMs: 0, forgetOld: false }))
  })

  const earlier = () =>
    encodeIdentity({
      ...{ intro: generateIntro(), leaf: primitives.randomBytes(32), roots, sequence: 1 },
      ...{ sinceMs: 0, old: [], card: new Uint8Array(3), name: "Ada", composite: null },
      lastResort: { public: new Uint8Array(4), private: new Uint8Array(5) },
    })
  const bare = () =>
    encodeCardBody({ ...body, formers: [], compositeLeaf: null, formerComposites: [] })

  it("names leaf keys of two kinds, of which the composite one and its formers by their hashes", () => {
    const [now, former, other] = [1, 2, 3].map(() =>
      signaturePublicOf(generateSignatureSeed("composite")),
    ) as [Uint8Array, Uint8Array, Uint8Array]
    const named = {
      ...body,
      compositeLeaf: compositeLeafHash(now),
      formerComposites: [compositeLeafHash(former)],
    }
    assert(isLeafOf(named, now) && vouchesFor(named, now))
    assert(!isLeafOf(named, former) && vouchesFor(named, former))
    assert(!vouchesFor(named, other))
    assert(isLeafOf(named, body.leaf) && vouchesFor(named, body.formers[0] ?? body.leaf))
    assert(!vouchesFor({ ...named, compositeLeaf: null, formerComposites: [] }, now))
    assert(!vouchesFor(named, compositeLeafHash(now)), "a hash is no key")
  })

  it("of version 2 has no key for composite signatures, and its card vouches for none", () => {
    const before = earlier()
    const olds = before.length - 1 - 7 - 4
    // Version 2 had no flag before the count of old keys.
    const old = Uint8Array.from(before.filter((_, at) => at !== olds - 1))
    old[0] = 2
    const identity = decodeIdentity(old)
    assert.deepEqual([identity.composite, identity.old, identity.name], [null, [], "Ada"])
    const second = bare().slice(0, -33)
    second[0] = 2
    const card = verifyCard(sign(roots, second))
    assert.deepEqual([card.compositeLeaf, card.formerComposites], [null, []])
  })

  it("of version 1 knows no age and so is rotated at once, and its card is still a card", () => {
    const before = earlier()
    // Version 1 had no moment and the old keys, of which it never made any, before the leaf key.
    const read = new Reader(before)
    const old = new Writer().u8(1).raw(read.raw(161).slice(1)).raw(read.raw(8))
    read.raw(8)
    old.raw(read.raw(96)).u8(0).raw(read.raw(32)).bytes(read.bytes(4, 9), 4)
    old.bytes(read.bytes(4, 9), 4)
    read.u16()
    const identity = decodeIdentity(old.raw(read.raw(read.left)).finish())
    assert.deepEqual([identity.sinceMs, identity.old, identity.name], [0, [], "Ada"])

    const first = bare().slice(0, -34)
    first[0] = 1
    const card = verifyCard(sign(roots, first))
    assert.deepEqual([card.sequence, card.formers], [body.sequence, []])
  })
})
