// Two implementations, one meaning: what one makes the other understands, in both directions, and where the answer is
// determined both give the same bytes.
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { primitives } from "#primitives"
import { concat, equal, utf8 } from "../../../src/crypto/bytes.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import type { Primitives, Signer } from "../../../src/crypto/primitives/types.ts"
import { both, native, portable } from "./held.ts"

const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength })
const directions = [
  [native, portable],
  [portable, native],
] as const

/** Both implementations' answers, which must be one. */
function same(compute: (p: Primitives) => Bytes | undefined): void {
  assert.deepEqual(compute(portable), compute(native))
}
const property = (runs: number, ...rest: Parameters<typeof fc.property<[Bytes, Bytes, Bytes]>>) => {
  fc.assert(fc.property(...rest), { numRuns: runs })
}

it("#primitives on Node is the native implementation", () => {
  assert.equal(primitives, native)
  assert.equal(primitives.implementation, "native")
  assert.equal(portable.implementation, "portable")
})

describe("hashes, MACs and key derivation are the same", () => {
  it("over any parts", () => {
    const parts = fc.array(bytes(0, 300), { maxLength: 5 })
    fc.assert(
      fc.property(bytes(0, 200), parts, (key, list) => {
        same((p) => p.sha256(...list))
        same((p) => p.sha3_256(...list))
        same((p) => p.blake3(...list))
        same((p) => p.hmacSha3_256(key, ...list))
        for (const p of both) {
          const whole = concat(...list)
          assert.deepEqual(p.sha256(...list), p.sha256(whole))
          assert.deepEqual(p.sha3_256(...list), p.sha3_256(whole))
          assert.deepEqual(p.blake3(...list), p.blake3(whole))
          assert.deepEqual(p.hmacSha3_256(key, ...list), p.hmacSha3_256(key, whole))
        }
      }),
    )
  })

  // RFC 5869 sections 2.2 and 2.3, from the HMAC alone, which published vectors hold.
  const extract = (p: Primitives, salt: Bytes, secret: Bytes) =>
    p.hmacSha3_256(salt.length === 0 ? new Uint8Array(32) : salt, secret)
  function expand(p: Primitives, prk: Bytes, info: Bytes, length: number): Bytes {
    let [block, all]: Bytes[] = [new Uint8Array(0), new Uint8Array(0)]
    for (let i = 1; all!.length < length; i++) {
      block = p.hmacSha3_256(prk, concat(block!, info, Uint8Array.of(i)))
      all = concat(all!, block)
    }
    return all!.slice(0, length)
  }

  it("HKDF-SHA3-256 is RFC 5869 over that HMAC", () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(255 * 32))
    const info = fc.oneof(bytes(0, 100), bytes(1000, 1050), bytes(3000))
    fc.assert(
      fc.property(bytes(0, 200), bytes(0, 200), info, length, (secret, salt, about, size) => {
        for (const p of both) {
          const prk = extract(p, salt, secret)
          const all = expand(p, prk, about, size)
          assert.deepEqual(p.hkdfExtractSha3_256(secret, salt), prk)
          assert.deepEqual(p.hkdfExpandSha3_256(prk, about, size), all)
          assert.deepEqual(p.hkdfSha3_256(secret, salt, about, size), all)
        }
        same((p) => p.hkdfSha3_256(secret, salt, about, size))
      }),
      { numRuns: 30 },
    )
  })

  it("Argon2id", () => {
    const cost = { memoryKiB: 64, passes: 2, lanes: 2 }
    property(10, bytes(0, 40), bytes(8, 40), bytes(0, 0), (password, salt) => {
      same((p) => p.argon2id(password, salt, cost, 32))
    })
  })
})

describe("AES-256-GCM", () => {
  it("seals to the same bytes and opens the other's; one flipped bit anywhere opens nothing", () => {
    const flip = fc.nat()
    fc.assert(
      fc.property(
        bytes(32),
        bytes(12),
        bytes(0, 200),
        fc.option(bytes(0, 40), { nil: undefined }),
        flip,
        (key, nonce, text, associated, at) => {
          same((p) => p.aesGcmSeal(key, nonce, text, associated))
          for (const [from, to] of directions) {
            const sealed = from.aesGcmSeal(key, nonce, text, associated)
            assert.deepEqual(to.aesGcmOpen(key, nonce, sealed, associated), text)
            assert.equal(
              to.aesGcmOpen(key, nonce, sealed, concat(associated ?? utf8(""), utf8("!"))),
              undefined,
            )
            sealed[at % sealed.length]! ^= 1 << (at % 8)
            assert.equal(to.aesGcmOpen(key, nonce, sealed, associated), undefined)
          }
        },
      ),
    )
  })

  it("no associated data is the same as none of it", () => {
    const [key, nonce] = [new Uint8Array(32), new Uint8Array(12)]
    for (const p of both)
      assert.deepEqual(
        p.aesGcmSeal(key, nonce, utf8("x")),
        p.aesGcmSeal(key, nonce, utf8("x"), new Uint8Array(0)),
      )
  })

  it("anything shorter than a tag opens nothing", () => {
    for (const p of both)
      for (let length = 0; length < 16; length++)
        assert.equal(
          p.aesGcmOpen(new Uint8Array(32), new Uint8Array(12), new Uint8Array(length)),
          undefined,
        )
  })
})

describe("key agreement", () => {
  it("X25519: same public keys, same secrets", () => {
    property(20, bytes(32), bytes(32), bytes(0, 0), (a, b) => {
      same(({ x25519 }) => x25519.publicFromPrivate(x25519.importPrivate(a)))
      const theirs = native.x25519.publicFromPrivate(native.x25519.importPrivate(b))
      same(({ x25519 }) => x25519.agree(x25519.importPrivate(a), theirs))
    })
  })

  it("ML-KEM-1024: same public key of a seed, secrets agree, and a foreign ciphertext gives the same nonsense", () => {
    property(10, bytes(64), bytes(1568), bytes(0, 0), (seed, noise) => {
      same(({ mlKem1024: kem }) => kem.publicFromPrivate(kem.privateFromSeed(seed)))
      for (const [from, to] of directions) {
        const key = to.mlKem1024.privateFromSeed(seed)
        const raw = to.mlKem1024.publicFromPrivate(key)
        const { ciphertext, secret } = from.mlKem1024.encapsulate(from.mlKem1024.importPublic(raw))
        assert.deepEqual(to.mlKem1024.decapsulate(key, ciphertext), secret)
        ciphertext[noise[0]! * 6]! ^= 1
        same(({ mlKem1024: kem }) => kem.decapsulate(kem.privateFromSeed(seed), ciphertext))
        assert.equal(equal(to.mlKem1024.decapsulate(key, ciphertext), secret), false)
      }
      same(({ mlKem1024: kem }) => kem.decapsulate(kem.privateFromSeed(seed), noise))
    })
  })

  it("two encapsulations to one key share nothing", () => {
    for (const { mlKem1024: kem } of both) {
      const key = kem.importPublic(kem.publicFromPrivate(kem.privateFromSeed(new Uint8Array(64))))
      const [one, two] = [kem.encapsulate(key), kem.encapsulate(key)]
      assert.equal(equal(one.ciphertext, two.ciphertext), false)
      assert.equal(equal(one.secret, two.secret), false)
    }
  })
})

describe("signatures", () => {
  type Choose = (p: Primitives) => Signer<string>

  /** `from` signs, `to` verifies: that message, under that key, in that context and no other. */
  function crosses(choose: Choose, from: Primitives, to: Primitives, raw: Bytes, context?: Bytes) {
    const [signing, verifying] = [choose(from), choose(to)]
    const key = signing.importPrivate(raw)
    assert.deepEqual(
      verifying.publicFromPrivate(verifying.importPrivate(raw)),
      signing.publicFromPrivate(key),
    )
    const verifier = verifying.importPublic(signing.publicFromPrivate(key))
    const message = utf8("one message")
    const signature = signing.sign(key, message, context)
    assert.equal(signature.length, signing.signatureBytes)
    assert.equal(verifying.verify(verifier, message, signature, context), true)
    assert.equal(verifying.verify(verifier, utf8("another"), signature, context), false)
    if (signing.name !== "ed25519")
      assert.equal(verifying.verify(verifier, message, signature, utf8("elsewhere")), false)
    const stranger = verifying.importPublic(
      signing.publicFromPrivate(signing.importPrivate(to.sha256(raw))),
    )
    assert.equal(verifying.verify(stranger, message, signature, context), false)
    signature[signature.length >> 1]! ^= 4
    assert.equal(verifying.verify(verifier, message, signature, context), false)
  }

  const seeded: readonly [Choose, readonly (Bytes | undefined)[]][] = [
    [(p) => p.ed25519, [undefined]],
    [(p) => p.mlDsa65, [undefined, utf8("here"), new Uint8Array(255)]],
    [(p) => p.mlDsa87, [undefined, utf8("here"), new Uint8Array(255)]],
  ]
  for (const [choose, contexts] of seeded)
    for (const [from, to] of directions)
      it(`${choose(native).name}: ${from.implementation} signs, ${to.implementation} verifies`, () => {
        for (const context of contexts) crosses(choose, from, to, choose(from).generate(), context)
      })

  it("the empty context and no context are the same", () => {
    for (const [from, to] of directions) {
      const raw = from.mlDsa65.generate()
      const key = from.mlDsa65.importPrivate(raw)
      const verifier = to.mlDsa65.importPublic(from.mlDsa65.publicFromPrivate(key))
      const none = new Uint8Array(0)
      assert.ok(to.mlDsa65.verify(verifier, utf8("m"), from.mlDsa65.sign(key, utf8("m"), none)))
      assert.ok(to.mlDsa65.verify(verifier, utf8("m"), from.mlDsa65.sign(key, utf8("m")), none))
    }
  })

  it("ML-DSA is hedged: two signatures of one message differ", () => {
    for (const { mlDsa65: scheme } of both) {
      const key = scheme.importPrivate(new Uint8Array(32))
      assert.equal(equal(scheme.sign(key, utf8("m")), scheme.sign(key, utf8("m"))), false)
    }
  })

  it("Ed25519 is not: both sign to the same bytes, and neither takes a context", () => {
    property(10, bytes(32), bytes(0, 100), bytes(0, 0), (seed, message) => {
      same(({ ed25519 }) => ed25519.sign(ed25519.importPrivate(seed), message))
    })
    for (const { ed25519 } of both) {
      const key = ed25519.importPrivate(new Uint8Array(32))
      const verifier = ed25519.importPublic(ed25519.publicFromPrivate(key))
      const signature = ed25519.sign(key, utf8("m"))
      assert.throws(() => ed25519.sign(key, utf8("m"), new Uint8Array(0)), /assertion failed/)
      assert.throws(
        () => ed25519.verify(verifier, utf8("m"), signature, new Uint8Array(0)),
        /assertion failed/,
      )
    }
  })

  /** As `crosses`, but with one signature: these take a second or more each in JavaScript. */
  function crossesOnce(choose: Choose, from: Primitives, to: Primitives) {
    const [signing, verifying] = [choose(from), choose(to)]
    const key = signing.importPrivate(signing.generate())
    const raw = signing.publicFromPrivate(key)
    const [message, context] = [utf8("a root"), utf8("roots")]
    const signature = signing.sign(key, message, context)
    for (const scheme of [signing, verifying]) {
      const verifier = scheme.importPublic(raw)
      assert.equal(signature.length, scheme.signatureBytes)
      assert.equal(scheme.verify(verifier, message, signature, context), true)
      assert.equal(scheme.verify(verifier, message, signature), false)
      assert.equal(scheme.verify(verifier, utf8("another"), signature, context), false)
      const broken = signature.slice()
      broken[broken.length >> 1]! ^= 4
      assert.equal(scheme.verify(verifier, message, broken, context), false)
    }
  }
  it("SLH-DSA-SHAKE-256s: native signs, portable verifies", () => {
    crossesOnce((p) => p.slhDsaShake256s, native, portable)
  })
  it("SLH-DSA-SHA2-128s: native signs, portable verifies", () => {
    crossesOnce((p) => p.slhDsaSha2_128s, native, portable)
  })
  it("SLH-DSA-SHA2-128s: portable signs, native verifies", () => {
    crossesOnce((p) => p.slhDsaSha2_128s, portable, native)
  })
})
