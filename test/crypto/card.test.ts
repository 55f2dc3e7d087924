import assert from "node:assert/strict"
import { before, describe, it } from "node:test"
import fc from "fast-check"
import {
  assembleCard,
  type CardBody,
  cardSigningBytes,
  encodeCardBody,
  verifyCard,
} from "../../src/crypto/card.ts"
import {
  addressOfRoots,
  decodeIdentity,
  encodeIdentity,
  generateIntro,
  generateRoots,
  type Identity,
  introPublic,
  type RootKeys,
  rootPublic,
} from "../../src/crypto/identity.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
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
    }
    card = sign(roots, encodeCardBody(body))
  })

  it("verifies, tells its keys, and hashes to the address it belongs to", () => {
    const verified = verifyCard(card)
    assert.deepEqual(verified, { ...body, address: addressOfRoots(roots) })
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
      oldIntro: [generateIntro()],
      leaf: primitives.randomBytes(32),
      lastResort: { public: primitives.randomBytes(100), private: primitives.randomBytes(200) },
      card: primitives.randomBytes(300),
      name: "Ada",
    }
    assert.deepEqual(decodeIdentity(encodeIdentity(identity)), identity)
    strictDecoder(encodeIdentity(identity), decodeIdentity, encodeIdentity)
  })
})
