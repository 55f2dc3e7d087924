/**
 * PROTOCOL.md holds what it says: its hexadecimal examples are computed anew, and its formulas, written down here a second time over
 * another library, make envelopes, secrets, directory records and vaults that the program opens.
 */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { gcm } from "@noble/ciphers/aes.js"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js"
import { blake3 as noble3 } from "@noble/hashes/blake3.js"
import { hkdf } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { sha3_256 } from "@noble/hashes/sha3.js"
import { ml_kem1024 } from "@noble/post-quantum/ml-kem.js"
import { bech32m } from "@scure/base"
import { primitives } from "#primitives"
import { encodeContents } from "../../src/chat/content.ts"
import { threadIdOf } from "../../src/chat/thread.ts"
import { addressBytes, addressOf } from "../../src/crypto/address.ts"
import { blake3 } from "../../src/crypto/blake3.ts"
import {
  decodeBlobRef,
  encodeBlobRef,
  openChunk,
  openManifest,
  sealChunk,
} from "../../src/crypto/blob.ts"
import { grantEnvelope, grantRoot } from "../../src/crypto/blob-grant.ts"
import { blindedKey } from "../../src/crypto/blinding.ts"
import { type Bytes, concat, fromHex, toHex, utf8, Writer } from "../../src/crypto/bytes.ts"
import { openCardBlob } from "../../src/crypto/card-blob.ts"
import { openRecord } from "../../src/crypto/directory-record.ts"
import {
  envelopeId,
  importIntroPrivate,
  openIntro,
  openThread,
  tagOf,
} from "../../src/crypto/envelope.ts"
import { encodeGenesis, meshIdOf } from "../../src/crypto/genesis.ts"
import { domain } from "../../src/crypto/kdf.ts"
import {
  blindName,
  decodeKeyfile,
  openRecord as openSealed,
  openVault,
  unwrapVaultKey,
} from "../../src/crypto/keyfile.ts"
import { commitmentOf, nullifierOf } from "../../src/crypto/membership/secret.ts"
import { payloadScope } from "../../src/crypto/membership/statement.ts"
import { powPrefix, verifyProofOfWork, writeProofOfWork } from "../../src/crypto/pow.ts"
import { decapsulateHybrid, importHybridPrivate } from "../../src/crypto/session/kem.ts"
import { signaturePublicOf } from "../../src/crypto/session.ts"
import { epochKeys, threadKey, threadTag } from "../../src/crypto/tags.ts"
import { safetyNumber } from "../../src/crypto/safety-number.ts"
import { decodeTicket, encodeTicket } from "../../src/crypto/ticket.ts"

const page = readFileSync(new URL("../../../PROTOCOL.md", import.meta.url), "utf8")
const unbroken = page.replaceAll(/\s+/g, "")

/** As the page says: so many bytes, counting up. */
const run = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => from + i)
const ed25519Public = (seed: Bytes) =>
  primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(seed))

function shows(what: string, value: Bytes | string): void {
  const text = typeof value === "string" ? value : toHex(value)
  assert.ok(unbroken.includes(text), `PROTOCOL.md does not show the ${what}: ${text}`)
}

const genesis = encodeGenesis({ name: "example", salt: run(32), powBits: 16, validators: [] })
const meshId = meshIdOf(genesis)
const address = addressOf(ed25519Public(run(32)), run(64))

describe("PROTOCOL.md: its examples are what the code gives", () => {
  it("domain", () => {
    shows("domain", domain("card"))
  })

  it("genesis and mesh id", () => {
    shows("genesis", genesis)
    shows("mesh id", meshId)
  })

  it("address", () => {
    shows("raw address", addressBytes(address))
    shows("address", address)
    shows("safety number", safetyNumber(addressBytes(address), new Uint8Array(64).fill(0x22)))
  })

  it("membership: commitment, scope and nullifier", () => {
    const secret = Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0))
    const scope = payloadScope(meshId, 2, 3)
    shows("commitment", commitmentOf(secret))
    shows("scope", scope)
    shows("nullifier", nullifierOf(secret, scope))
  })

  it("ticket, with and without an inviter", () => {
    const peer = "/p2p/12D3KooWCKq9ZvccjmCqhBbPsrgpAKBHWQpgB61ruM19CyAvH1Cp"
    const peers = ["/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/4002/ws"].map((at) => at + peer)
    for (const about of [{ inviter: { address, name: "alice" } }, {}]) {
      const ticket = encodeTicket({ meshId, peers, ...about })
      shows("ticket", ticket)
      assert.deepEqual(decodeTicket(ticket), { meshId, peers, ...about })
    }
    const bare = encodeTicket({ meshId, peers }) as `${string}1${string}`
    shows("bytes of the ticket", bech32m.fromWords(bech32m.decode(bare, false).words))
  })

  it("envelope id and tag", () => {
    shows("envelope id", envelopeId(run(4096)))
    shows("tag", tagOf(run(4096)))
  })

  it("proof of work", () => {
    const [envelope, nonce] = [run(4096), fromHex("0000000000000b22")]
    const preimage = powPrefix(meshId, meshId, envelopeId(envelope))
    shows("preimage", preimage)
    shows("nonce", nonce)
    shows("work", blake3(preimage, nonce))
    const paid = writeProofOfWork(envelope, meshId, nonce)
    const asked = (bits: number) => ({ meshId, prices: [{ anchor: meshId, bits }] })
    assert.equal(verifyProofOfWork(asked(16), paid).verdict, "accept")
    assert.equal(verifyProofOfWork(asked(17), paid).verdict, "reject")
  })

  it("thread tags and keys", () => {
    const keys = epochKeys(run(32))
    shows("tag key", keys.tags)
    shows("key key", keys.keys)
    shows("tag of counter 0", threadTag(keys, 1, 0))
    shows("key of counter 0", threadKey(keys, 1, 0))
    shows("tag of counter 1", threadTag(keys, 1, 1))
  })

  it("thread id, the same from both sides", () => {
    const other = addressOf(ed25519Public(run(32, 32)), run(64, 64))
    shows("thread id", threadIdOf(address, other))
    assert.deepEqual(threadIdOf(address, other), threadIdOf(other, address))
  })

  it("contents", () => {
    const text = { kind: "text", id: run(16), sentAtMs: 1000, lamport: 1, text: "hi" } as const
    shows("contents", encodeContents([text, { kind: "receipt", ids: [run(16, 16)] }]))
  })

  it("hybrid public key of a seed", () => {
    shows("hash of the key", primitives.sha3_256(importHybridPrivate(run(32)).publicRaw))
  })

  it("composite public key of a private one", () => {
    shows("hash of the key", primitives.sha3_256(signaturePublicOf(run(64))))
  })

  it("blob", () => {
    const { id: root } = sealChunk(run(32), 0, utf8("abc"))
    shows("root", root)
    shows("ref", encodeBlobRef({ size: 3, key: run(32), root }))
  })

  it("blinded key of a day", () => {
    shows("blinded key", blindedKey(addressBytes(address), 20_000))
  })
})

/** Section 2, over noble alone. */
const named = (label: string) => concat(utf8("sotto/1"), Uint8Array.of(label.length), utf8(label))
const derived = (label: string, secret: Bytes, context: Bytes, length: number) =>
  hkdf(sha3_256, secret, undefined, concat(named(label), context), length)
const sealed = (key: Bytes, plaintext: Bytes, associated?: Bytes) =>
  gcm(key, new Uint8Array(12), associated).encrypt(plaintext)

const NONE = new Uint8Array(0)

describe("PROTOCOL.md: its formulas make what the program opens", () => {
  it("intro form", () => {
    const [kemSeed, scalar] = [run(64), run(32, 7)]
    const pkM = ml_kem1024.keygen(kemSeed).publicKey
    const pkX = x25519.getPublicKey(scalar)
    const { cipherText: ct, sharedSecret: ssM } = ml_kem1024.encapsulate(pkM, run(32, 99))
    const esk = run(32, 50)
    const epk = x25519.getPublicKey(esk)
    const ssX = x25519.getSharedSecret(esk, pkX)
    const tag = derived("intro tag", ssM, NONE, 16)
    const outer = derived("intro outer", ssM, meshId, 32)
    const transcript = concat(meshId, ssM, ssX, ct, epk, pkX, pkM)
    const inner = sha3_256(concat(named("intro body"), transcript))
    const plaintext = run(2064)
    const body = sealed(outer, concat(epk, sealed(inner, plaintext)))
    const envelope = concat(new Uint8Array(384), ct, tag, body)
    assert.equal(envelope.length, 4096)
    assert.deepEqual(openIntro(meshId, importIntroPrivate(scalar, kemSeed), envelope), plaintext)
  })

  it("thread form", () => {
    const at = fromHex("000000010000000000000005")
    const [tagsKey, keysKey] = ["thread tags", "thread keys"].map((label) =>
      derived(label, run(32), NONE, 32),
    )
    assert.ok(tagsKey !== undefined && keysKey !== undefined)
    const tag = hmac(sha3_256, tagsKey, at).subarray(0, 16)
    const key = derived("thread message", keysKey, at, 32)
    const [slot, plaintext] = [run(1568), run(2112)]
    const body = sealed(key, plaintext, concat(meshId, slot, tag))
    const envelope = concat(new Uint8Array(384), slot, tag, body)
    const keys = epochKeys(run(32))
    assert.deepEqual(tagOf(envelope), threadTag(keys, 1, 5))
    assert.deepEqual(openThread(meshId, threadKey(keys, 1, 5), envelope), plaintext)
  })

  it("hybrid KEM of the MLS suite", () => {
    const hkdfPlain = (info: string, length: number) =>
      hkdf(sha3_256, run(32), undefined, utf8(info), length)
    const expanded = hkdfPlain("sotto/kem/x25519-ml-kem-1024/1/expand", 96)
    const pkM = ml_kem1024.keygen(expanded.subarray(0, 64)).publicKey
    const pkX = x25519.getPublicKey(expanded.subarray(64))
    const { cipherText: ctM, sharedSecret: ssM } = ml_kem1024.encapsulate(pkM, run(32, 99))
    const epkX = x25519.getPublicKey(run(32, 50))
    const ssX = x25519.getSharedSecret(run(32, 50), pkX)
    const label = utf8("sotto/kem/x25519-ml-kem-1024/1")
    const secret = sha3_256(concat(label, ssM, ssX, ctM, epkX, pkX, pkM))
    const key = importHybridPrivate(run(32))
    assert.deepEqual(key.publicRaw, concat(pkM, pkX))
    assert.deepEqual(decapsulateHybrid(key, concat(ctM, epkX)), secret)
  })

  it("blob of two chunks, and the admission of both", () => {
    const size = 262_129
    const chunk = (index: number, data: Bytes) => {
      const key = derived("blob chunk", run(32), new Writer().u32(index).finish(), 32)
      return sealed(key, concat(data, new Uint8Array(262_128 - data.length)))
    }
    const chunks = [chunk(0, run(262_128)), chunk(1, run(1))]
    const ids = chunks.map((bytes) => noble3(bytes))
    const manifest = chunk(2 ** 32 - 1, concat(Uint8Array.of(0, 0, 0, 2), ...ids))
    const ref = concat(Uint8Array.of(1), new Writer().u64(size).finish(), run(32), noble3(manifest))
    assert.deepEqual(openManifest(decodeBlobRef(ref), manifest), ids)
    assert.deepEqual(openChunk(run(32), 1, chunks[1] ?? NONE, 1), run(1))
    shows("chunk key", derived("blob chunk", run(32), new Uint8Array(4), 32))

    const [left = NONE, right = NONE] = ids.map((id) => sha3_256(concat(named("blob leaf"), id)))
    const root = sha3_256(concat(named("blob node"), left, right))
    assert.deepEqual(grantRoot(ids[1] ?? NONE, { index: 1, path: [left] }), root)
    const zeros = (length: number) => new Uint8Array(length)
    const envelope = concat(zeros(384), named("blob grant"), root)
    assert.deepEqual(grantEnvelope(root), concat(envelope, zeros(4096 - envelope.length)))
  })

  it("directory record and card's blob", () => {
    const [raw, day] = [addressBytes(address), 20_000]
    const dayBytes = new Writer().u32(day).finish()
    const { Point } = ed25519
    const order = Point.Fn.ORDER
    const { scalar, prefix } = ed25519.utils.getExtendedPublicKey(run(32))
    const h = bytesToNumberLE(derived("blind", raw, dayBytes, 64)) % order
    const secret = (h * scalar) % order
    const blinded = Point.BASE.multiply(secret).toBytes()
    assert.deepEqual(blinded, Point.fromBytes(raw.slice(0, 32)).multiply(h).toBytes())
    const info = concat(dayBytes, blinded)
    const secrets = derived("directory record key", raw, info, 40)
    const offset = Number(BigInt(`0x${toHex(secrets.subarray(32))}`) % 2n ** 51n)
    const [card, composite] = [run(300), run(200, 1)]
    const blobContent = new Uint8Array(53_232)
    blobContent.set(new Writer().u8(1).bytes(card, 4).bytes(composite, 4).finish())
    const digest = sha3_256(concat(named("card blob"), blobContent))
    const blob = sealed(derived("card blob key", raw, concat(dayBytes, digest), 32), blobContent)
    assert.equal(blob.length, 53_248)
    assert.deepEqual(openCardBlob({ address: raw, epoch: day }, digest, blob), { card, composite })
    const [cardHash, blobId] = [sha3_256(card), noble3(blob)]
    const content = new Writer().u8(2).u32(7).raw(cardHash).raw(digest).finish()
    const header = new Writer()
      .u8(2)
      .raw(blinded)
      .u32(day)
      .u64(offset + 7)
      .raw(blobId)
      .finish()
    const nonce = run(12)
    const sealedContent = gcm(secrets.subarray(0, 32), nonce, header).encrypt(content)
    const unsigned = concat(header, nonce, sealedContent)
    const message = concat(named("directory record"), unsigned)
    const wide = (...parts: Bytes[]) => bytesToNumberLE(sha512(concat(...parts))) % order
    const r = wide(derived("blind nonce", prefix, blinded, 32), message)
    const commitment = Point.BASE.multiply(r).toBytes()
    const response = (r + wide(commitment, blinded, message) * secret) % order
    const record = concat(unsigned, commitment, numberToBytesLE(response, 32))
    assert.equal(record.length, 238)
    const opened = openRecord(raw, day, record)
    assert.deepEqual(opened, { verdict: "accept", sequence: 7, cardHash, blobId, digest })
  })

  it("key file, vault and sealed record", () => {
    const [vaultKey, stretched, salt, nonce] = [run(32), run(32, 1), run(16), run(12)]
    const costs = new Writer().u32(65_536).u8(3).u8(1).finish()
    const associated = concat(named("key file"), costs, salt)
    const wrapped = gcm(stretched, nonce, associated).encrypt(vaultKey)
    const file = decodeKeyfile(concat(Uint8Array.of(1, 1), costs, salt, nonce, wrapped))
    assert.ok(file.mode === "protected")
    assert.deepEqual(unwrapVaultKey(file, stretched), vaultKey)
    const vault = openVault(vaultKey)
    const naming = derived("vault names", vaultKey, NONE, 32)
    const storedKey = hmac(sha3_256, naming, concat(named("record name"), utf8("x"))).slice(0, 16)
    assert.deepEqual(blindName(vault, "x"), storedKey)
    const sealing = derived("vault records", vaultKey, NONE, 32)
    const record = concat(nonce, gcm(sealing, nonce, storedKey).encrypt(run(100)))
    assert.deepEqual(openSealed(vault, storedKey, record), run(100))
  })
})
