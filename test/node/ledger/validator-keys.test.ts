import assert from "node:assert/strict"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { hybridScheme } from "../../../src/consensus/hybrid.ts"
import { CodedError } from "../../../src/crypto/errors.ts"
import { primitives } from "#primitives"
import {
  decodeSecrets,
  encodeSecrets,
  keysPath,
  newMarkPath,
  ownValidator,
  parsePublicKey,
  publicKeyText,
  storedValidator,
} from "../../../src/node/ledger/validator-keys.ts"
import { temporaryDirectory } from "../../helpers/temporary.ts"

const refused = (code: string) => (error: unknown) =>
  error instanceof CodedError && error.code === code

describe("a validator's keys", () => {
  it("are made once, lie in a file that only their owner reads, and sign", async (t) => {
    const home = temporaryDirectory(t)
    assert.equal(await storedValidator(home), undefined)
    const made = await ownValidator(home)
    const again = await ownValidator(home)
    assert.deepEqual(again.keys, made.keys)
    assert.equal(statSync(keysPath(home)).mode & 0o777, 0o600)
    assert(existsSync(newMarkPath(home)), "nothing was signed yet")
    const message = new Uint8Array([1, 2, 3])
    const scheme = hybridScheme()
    assert(scheme.verify(made.keys, message, again.sign(message)))
    const seal = await again.seal(message, AbortSignal.timeout(60_000))
    assert(scheme.verifySeal(made.keys, message, seal))
  })

  it("are of no use when the file was altered", async (t) => {
    const home = temporaryDirectory(t)
    await ownValidator(home)
    const whole = readFileSync(keysPath(home))
    for (let n = 0; n < whole.length; n += 3) {
      const altered = Buffer.from(whole)
      altered[n] = (altered[n] ?? 0) ^ 1
      assert.throws(() => decodeSecrets(new Uint8Array(altered)), refused("BAD_ENCODING"))
    }
    for (let length = 0; length < whole.length; length += 9)
      assert.throws(() => decodeSecrets(new Uint8Array(whole.subarray(0, length))), CodedError)
    const read = decodeSecrets(new Uint8Array(whole))
    assert.deepEqual(encodeSecrets(read), new Uint8Array(whole))
    writeFileSync(keysPath(home), whole.subarray(1))
    await assert.rejects(storedValidator(home), refused("STORE_DAMAGED"))
  })

  it("are handed on as one word, and taken only whole", async () => {
    const { keys } = await ownValidator(undefined)
    const word = publicKeyText(keys)
    const { ed25519, mlDsa65, slhDsaSha2 } = parsePublicKey(` ${word}\n`)
    assert.deepEqual({ ed25519, mlDsa65, slhDsa: slhDsaSha2 }, keys)
    const other = word.replace(/.$/, (last) => (last === "A" ? "Q" : "A"))
    for (const wrong of ["", "sotto1abc", word.slice(0, -4), `${word}AAAA`, other])
      assert.throws(() => parsePublicKey(wrong), refused("BAD_PARAMS"))
    const small = publicKeyText({ ...keys, ed25519: new Uint8Array(32) })
    assert.throws(() => parsePublicKey(small), refused("BAD_PARAMS"))
    assert.notDeepEqual(keys.slhDsa, primitives.randomBytes(32))
  })
})
