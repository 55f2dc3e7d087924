import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { type Bytes, concat, utf8 } from "../../../src/crypto/bytes.ts"
import * as session from "../../../src/crypto/session.ts"
import { groupOf, LATER, NOW, Person } from "./story.ts"

async function codeOf(bytes: Bytes, now = NOW): Promise<string> {
  const verdict = await session.inspectKeyPackage(bytes, now)
  return verdict.verdict === "accept" ? "accept" : verdict.code
}

describe("a key package", () => {
  it("tells whose it says it is, until when, and whether it may be used again", async () => {
    const dora = new Person("dora")
    for (const lastResort of [false, true]) {
      const pair = await dora.keyPackage({ lastResort })
      const verdict = await session.inspectKeyPackage(pair.public, NOW)
      assert(verdict.verdict === "accept")
      assert.deepEqual(verdict.identity, dora.identity)
      assert.deepEqual(
        verdict.signatureKey,
        session.members((await dora.found()).state)[0]!.signatureKey,
      )
      assert.equal(verdict.lastResort, lastResort)
      assert.equal(verdict.notAfterSeconds, BigInt(LATER))
    }
  })

  it("counts from its first to its last second", async () => {
    const pair = await new Person("dora").keyPackage({
      notBeforeSeconds: NOW,
      notAfterSeconds: NOW + 60,
    })
    assert.equal(await codeOf(pair.public, NOW - 1), "NOT_YET_VALID")
    assert.equal(await codeOf(pair.public, NOW), "accept")
    assert.equal(await codeOf(pair.public, NOW + 60.9), "accept")
    assert.equal(await codeOf(pair.public, NOW + 61), "EXPIRED")
  })

  it("is not added once it has expired", async () => {
    const [ada] = await groupOf("ada")
    const pair = await new Person("dora").keyPackage()
    await assert.rejects(session.addMembers(ada.state, [pair.public], LATER + 1), {
      code: "BAD_KEY_PACKAGE",
    })
  })

  it("is not added either while this machine's clock says otherwise than its caller", async () => {
    const [ada] = await groupOf("ada")
    const pair = await new Person("dora").keyPackage({ notBeforeSeconds: LATER - 1 })
    assert.equal(await codeOf(pair.public, LATER), "accept")
    await assert.rejects(session.addMembers(ada.state, [pair.public], LATER), {
      code: "BAD_KEY_PACKAGE",
    })
  })

  it("is refused when a single bit of it differs, or it goes on, or ends early", async () => {
    const { public: whole } = await new Person("dora").keyPackage()
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * whole.length - 1), async (bit) => {
        const altered = whole.slice()
        altered[bit >> 3]! ^= 1 << (bit & 7)
        assert.notEqual(await codeOf(altered), "accept")
      }),
      { numRuns: 200 },
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        assert.equal(await codeOf(whole.slice(0, length)), "MALFORMED")
      }),
    )
    assert.equal(await codeOf(concat(whole, new Uint8Array(1))), "MALFORMED")
    assert.equal(
      await codeOf(new Uint8Array(session.sessionLimits.KEY_PACKAGE_MAX_BYTES + 1)),
      "TOO_LARGE",
    )
  })

  it("is not anything else that is well-formed", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    assert.equal(await codeOf(await ada.says("hello")), "MALFORMED")
    assert.equal(
      (await session.process(ben.state, (await ada.keyPackage()).public)).kind,
      "ignored",
    )
  })

  it("comes with secrets that are its own", async () => {
    const [ada] = await groupOf("ada")
    const pair = await new Person("dora").keyPackage()
    const other = await new Person("dora").keyPackage()
    const { welcome } = await session.addMembers(ada.state, [pair.public], NOW)
    for (const secrets of [other.private, pair.private.slice(1), concat(pair.private, utf8("x"))])
      await assert.rejects(
        session.joinFromWelcome(welcome, { public: pair.public, private: secrets }),
        { code: "BAD_PRIVATE_KEY_PACKAGE" },
      )
    await assert.rejects(
      session.joinFromWelcome(welcome, { public: pair.private, private: pair.private }),
      { code: "BAD_KEY_PACKAGE" },
    )
  })

  it("brings along what has its mark believed, where signatures are composite and nowhere else", async () => {
    const proof = new Uint8Array(40_000).fill(5)
    const mark = utf8("mark")
    const composite = await new Person("dora", "composite").keyPackage({ mark, proof })
    const verdict = await session.inspectKeyPackage(composite.public, NOW)
    assert(verdict.verdict === "accept" && !verdict.lastResort)
    assert.deepEqual([verdict.proof, verdict.mark], [proof, mark])
    const plain = await new Person("dora").keyPackage({ mark, proof })
    assert.equal(await codeOf(plain.public), "UNKNOWN_EXTENSION")
    const long = new Uint8Array(session.sessionLimits.PROOF_MAX_BYTES + 1)
    await assert.rejects(new Person("dora", "composite").keyPackage({ proof: long }), {
      code: "TOO_LARGE",
    })
  })

  it("is named by the Welcome it is used for", async () => {
    const [ada] = await groupOf("ada")
    const pairs = [await new Person("dora").keyPackage(), await new Person("ed").keyPackage()]
    const spare = await new Person("dora").keyPackage()
    const { welcome } = await session.addMembers(
      ada.state,
      pairs.map((pair) => pair.public),
      NOW,
    )
    const references = await Promise.all(
      pairs.map(async (pair) => {
        const verdict = await session.inspectKeyPackage(pair.public, NOW)
        assert(verdict.verdict === "accept")
        return verdict.reference
      }),
    )
    assert.deepEqual(session.welcomeRecipients(welcome), references)
    assert.deepEqual(await session.joinFromWelcome(welcome, spare), {
      kind: "ignored",
      code: "NOT_FOR_US",
    })
  })

  it("takes an identity of 1 to 256 bytes", async () => {
    const dora = new Person("dora")
    for (const length of [0, 257])
      await assert.rejects(dora.keyPackage({ identity: new Uint8Array(length) }), {
        code: "TOO_LARGE",
      })
    const longest = await dora.keyPackage({ identity: new Uint8Array(256).fill(7) })
    assert.equal(await codeOf(longest.public), "accept")
    await assert.rejects(dora.keyPackage({ signatureSeed: new Uint8Array(31) }), {
      code: "BAD_LENGTH",
    })
  })
})
