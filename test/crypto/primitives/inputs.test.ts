// What the primitives promise about the bytes they are given and give: nothing is mutated, nothing is kept by reference,
// nothing is a Buffer or a view of something larger, and a wrong length is CryptoError BAD_LENGTH before anything happens.
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { inspect } from "node:util"
import fc from "fast-check"
import { utf8 } from "../../../src/crypto/bytes.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { CryptoError } from "../../../src/crypto/errors.ts"
import type { Primitives, Signer } from "../../../src/crypto/primitives/types.ts"
import { both, native } from "./held.ts"

const COST = { memoryKiB: 64, passes: 1, lanes: 1 }
const message = utf8("a message")

/** Signs slowly in JavaScript; what is measured here needs a signature of the right form only. */
const isSlow = (scheme: Signer<string>) => scheme.name.startsWith("slh")
const signersOf = (p: Primitives): readonly Signer<string>[] => [
  p.ed25519,
  p.mlDsa65,
  p.mlDsa87,
  p.slhDsaSha2_128s,
  p.slhDsaShake256s,
]
/** Made once by OpenSSL: generating an SLH-DSA key in JavaScript takes a second. */
const privates = new Map(signersOf(native).map((scheme) => [scheme.name, scheme.generate()]))
const privateOf = (scheme: Signer<string>) => privates.get(scheme.name)!.slice()

/** One call with fixed inputs: `lengths` are those that it checks, `run` makes it with inputs of given lengths. */
interface Call {
  readonly name: string
  readonly inputs: readonly Bytes[]
  /** For each input, the lengths that are allowed: one, a range, or any. */
  readonly allowed: readonly (number | readonly [number, number] | "any")[]
  readonly run: (...inputs: Bytes[]) => unknown
}

function callsOf(p: Primitives): readonly Call[] {
  const fill = (length: number) => new Uint8Array(length).fill(9)
  const [key, nonce, text] = [fill(32), fill(12), fill(40)]
  const sealed = p.aesGcmSeal(key, nonce, text, text)
  const { mlKem1024: kem, x25519 } = p
  const kemKey = kem.privateFromSeed(fill(64))
  const kemPublic = kem.publicFromPrivate(kemKey)
  const { ciphertext } = kem.encapsulate(kem.importPublic(kemPublic))
  const xKey = x25519.importPrivate(key)
  const calls: Call[] = [
    {
      name: "sha256",
      inputs: [text, text],
      allowed: ["any", "any"],
      run: (a, b) => p.sha256(a, b),
    },
    {
      name: "sha3_256",
      inputs: [text, text],
      allowed: ["any", "any"],
      run: (a, b) => p.sha3_256(a, b),
    },
    {
      name: "blake3",
      inputs: [text, text],
      allowed: ["any", "any"],
      run: (a, b) => p.blake3(a, b),
    },
    {
      name: "hmac",
      inputs: [key, text],
      allowed: ["any", "any"],
      run: (k, m) => p.hmacSha3_256(k, m),
    },
    {
      name: "hkdf",
      inputs: [key, key, text],
      allowed: ["any", "any", "any"],
      run: (s, salt, info) => p.hkdfSha3_256(s, salt, info, 64),
    },
    {
      name: "extract",
      inputs: [key, text],
      allowed: ["any", "any"],
      run: (s, t) => p.hkdfExtractSha3_256(s, t),
    },
    {
      name: "expand",
      inputs: [key, text],
      allowed: [32, "any"],
      run: (k, i) => p.hkdfExpandSha3_256(k, i, 64),
    },
    {
      name: "aesGcmSeal",
      inputs: [key, nonce, text, text],
      allowed: [32, 12, "any", "any"],
      run: (k, n, t, a) => p.aesGcmSeal(k, n, t, a),
    },
    {
      name: "aesGcmOpen",
      inputs: [key, nonce, sealed, text],
      allowed: [32, 12, "any", "any"],
      run: (k, n, s, a) => p.aesGcmOpen(k, n, s, a),
    },
    {
      name: "x25519.importPrivate",
      inputs: [key],
      allowed: [32],
      run: (k) => void x25519.importPrivate(k),
    },
    { name: "x25519.agree", inputs: [key], allowed: [32], run: (raw) => x25519.agree(xKey, raw) },
    {
      name: "kem.privateFromSeed",
      inputs: [fill(64)],
      allowed: [64],
      run: (s) => void kem.privateFromSeed(s),
    },
    {
      name: "kem.importPublic",
      inputs: [kemPublic],
      allowed: [1568],
      run: (k) => void kem.importPublic(k),
    },
    {
      name: "kem.decapsulate",
      inputs: [ciphertext],
      allowed: [1568],
      run: (c) => kem.decapsulate(kemKey, c),
    },
    {
      name: "kem.encapsulate",
      inputs: [],
      allowed: [],
      run: () => kem.encapsulate(kem.importPublic(kemPublic)),
    },
    {
      name: "publicFromPrivate",
      inputs: [],
      allowed: [],
      run: () => [
        kem.publicFromPrivate(kemKey),
        x25519.publicFromPrivate(xKey),
        ...signersOf(p).map((s) => s.publicFromPrivate(s.importPrivate(privateOf(s)))),
      ],
    },
    {
      name: "argon2id",
      inputs: [text, key],
      allowed: ["any", [8, 1024]],
      run: (password, salt) => p.argon2id(password, salt, COST, 32),
    },
  ]
  for (const scheme of signersOf(p)) {
    const { name, privateBytes, publicBytes, signatureBytes } = scheme
    const raw = privateOf(scheme)
    const signing = scheme.importPrivate(raw)
    const verifying = scheme.importPublic(scheme.publicFromPrivate(signing))
    const signature = isSlow(scheme) ? fill(signatureBytes) : scheme.sign(signing, message)
    calls.push(
      {
        name: `${name}.importPrivate`,
        inputs: [raw],
        allowed: [privateBytes],
        run: (k) => void scheme.importPrivate(k),
      },
      {
        name: `${name}.importPublic`,
        inputs: [scheme.publicFromPrivate(signing)],
        allowed: [publicBytes],
        run: (k) => void scheme.importPublic(k),
      },
    )
    if (name === "ed25519")
      calls.push(
        {
          name: `${name}.sign`,
          inputs: [message],
          allowed: ["any"],
          run: (m) => scheme.sign(signing, m),
        },
        {
          name: `${name}.verify`,
          inputs: [message, signature],
          allowed: ["any", 64],
          run: (m, s) => scheme.verify(verifying, m, s),
        },
      )
    else {
      calls.push({
        name: `${name}.verify`,
        inputs: [message, signature, message],
        allowed: ["any", signatureBytes, [0, 255]],
        run: (m, s, c) => scheme.verify(verifying, m, s, c),
      })
      if (!isSlow(scheme))
        calls.push({
          name: `${name}.sign`,
          inputs: [message, message],
          allowed: ["any", [0, 255]],
          run: (m, c) => scheme.sign(signing, m, c),
        })
    }
  }
  return calls
}

const badLength = (error: unknown) => error instanceof CryptoError && error.code === "BAD_LENGTH"
const isAllowed = (length: number, allowed: Call["allowed"][number]) =>
  allowed === "any" ||
  (typeof allowed === "number" ? length === allowed : length >= allowed[0] && length <= allowed[1])

/** Every Uint8Array in a result, however it is wrapped. */
const bytesIn = (value: unknown): readonly Bytes[] =>
  value instanceof Uint8Array
    ? [value]
    : typeof value === "object" && value !== null
      ? Object.values(value).flatMap(bytesIn)
      : []

for (const p of both)
  describe(`${p.implementation}: inputs and outputs`, () => {
    const calls = callsOf(p)

    for (const { name, inputs, allowed, run } of calls)
      it(`${name} mutates nothing, returns plain bytes, and refuses wrong lengths`, () => {
        const copies = inputs.map((input) => input.slice())
        for (const out of bytesIn(run(...copies))) {
          assert.equal(Object.getPrototypeOf(out), Uint8Array.prototype, "not a Buffer")
          assert.equal(out.byteLength, out.buffer.byteLength, "not a view of something larger")
        }
        assert.deepEqual(copies, inputs)
        for (const [which, lengths] of allowed.entries()) {
          if (lengths === "any") continue
          const near = [lengths].flat().flatMap((length) => [length - 1, length + 1])
          const length = fc
            .oneof(fc.nat(64), fc.constantFrom(...near.filter((each) => each >= 0)), fc.nat(40_000))
            .filter((each) => !isAllowed(each, lengths))
          fc.assert(
            fc.property(length, (wrong) => {
              const changed = copies.with(which, new Uint8Array(wrong))
              assert.throws(() => run(...changed), badLength)
            }),
            { numRuns: 20 },
          )
        }
      })

    it("views into larger buffers, and Buffers, are read as what they are", () => {
      for (const { name, inputs, run } of calls) {
        if (/sign$|\.encapsulate$/.test(name)) continue // hedged: no two results are the same
        const shifted = inputs.map((input) => {
          const room = new Uint8Array(input.length + 7).fill(0xee)
          room.set(input, 3)
          return room.subarray(3, 3 + input.length)
        })
        assert.deepEqual(run(...shifted), run(...inputs), name)
        assert.deepEqual(run(...inputs.map((input) => Buffer.from(input))), run(...inputs), name)
      }
    })

    it("numbers out of range are refused as lengths too", () => {
      const some = new Uint8Array(32)
      const wrong = fc.oneof(
        fc.integer({ max: -1 }),
        fc.constantFrom(NaN, Infinity, 0.5, 1.5, 2 ** 31),
      )
      fc.assert(
        fc.property(wrong, (length) => {
          assert.throws(() => p.randomBytes(length), badLength)
          assert.throws(() => p.hkdfSha3_256(some, some, some, length), badLength)
          assert.throws(() => p.hkdfExpandSha3_256(some, some, length), badLength)
          assert.throws(() => p.argon2id(some, some, COST, length), badLength)
          for (const field of ["memoryKiB", "passes", "lanes"])
            assert.throws(() => p.argon2id(some, some, { ...COST, [field]: length }, 32), badLength)
        }),
        { numRuns: 20 },
      )
      for (const length of [0, 255 * 32 + 1]) {
        assert.throws(() => p.hkdfSha3_256(some, some, some, length), badLength)
        assert.throws(() => p.hkdfExpandSha3_256(some, some, length), badLength)
      }
      for (const length of [0, 3, 1025])
        assert.throws(() => p.argon2id(some, some, COST, length), badLength)
      for (const cost of [
        { memoryKiB: 7, passes: 1, lanes: 1 },
        { memoryKiB: 15, passes: 1, lanes: 2 },
        { memoryKiB: 64, passes: 0, lanes: 1 },
        { memoryKiB: 64, passes: 1, lanes: 0 },
        { memoryKiB: 64, passes: 65, lanes: 1 },
        { memoryKiB: 1024, passes: 1, lanes: 17 },
        { memoryKiB: (1 << 20) + 1, passes: 1, lanes: 1 },
      ])
        assert.throws(() => p.argon2id(some, some, cost, 32), badLength)
    })

    it("keys keep no reference to the bytes they were imported from, nor give one away", () => {
      for (const scheme of signersOf(p)) {
        const raw = privateOf(scheme)
        const key = scheme.importPrivate(raw)
        const publicRaw = scheme.publicFromPrivate(key)
        const before = publicRaw.slice()
        const verifier = scheme.importPublic(publicRaw)
        raw.fill(0)
        publicRaw.fill(0)
        assert.deepEqual(scheme.publicFromPrivate(key), before, scheme.name)
        if (isSlow(scheme)) continue
        assert.equal(scheme.verify(verifier, message, scheme.sign(key, message)), true, scheme.name)
      }
      const seed = p.randomBytes(64)
      const key = p.mlKem1024.privateFromSeed(seed)
      const publicRaw = p.mlKem1024.publicFromPrivate(key)
      const before = publicRaw.slice()
      const peer = p.mlKem1024.importPublic(publicRaw)
      seed.fill(0)
      publicRaw.fill(0)
      const { ciphertext, secret } = p.mlKem1024.encapsulate(peer)
      assert.deepEqual(p.mlKem1024.decapsulate(key, ciphertext), secret)
      assert.deepEqual(p.mlKem1024.publicFromPrivate(key), before)
      const scalar = p.randomBytes(32)
      const agreeing = p.x25519.importPrivate(scalar)
      const point = p.x25519.publicFromPrivate(agreeing)
      scalar.fill(0)
      assert.deepEqual(p.x25519.publicFromPrivate(agreeing), point)
    })

    it("a key shows nothing of itself", () => {
      const seed = new Uint8Array(32).fill(0xa5)
      const keys = [
        p.ed25519.importPrivate(seed),
        p.mlDsa65.importPrivate(seed),
        p.x25519.importPrivate(seed),
      ]
      for (const key of keys) {
        const shown = `${JSON.stringify(key)} ${inspect(key, { depth: 9, showHidden: true })}`
        assert.doesNotMatch(shown, /165,\s*165|a5a5|a5 a5/i)
      }
    })

    it("a key of the other implementation is refused", () => {
      const other = both.find((each) => each !== p)!
      const key = other.ed25519.importPrivate(new Uint8Array(32))
      assert.throws(() => p.ed25519.sign(key, message))
    })

    it("randomness is of the length asked for, and not twice the same", () => {
      assert.equal(p.randomBytes(0).length, 0)
      const [one, two] = [p.randomBytes(70_000), p.randomBytes(70_000)]
      assert.equal(one.length, 70_000)
      assert.notDeepEqual(one.subarray(0, 32), two.subarray(0, 32))
      // Beyond what the platform gives at once: the end is filled too.
      assert.notDeepEqual(one.subarray(-32), new Uint8Array(32))
      assert.notDeepEqual(p.ed25519.generate(), p.ed25519.generate())
    })
  })
