/**
 * HPKE (RFC 9180), base mode, single shot: what MLS needs to encrypt a secret to a public key. The KEM, the KDF and the AEAD are
 * arguments, so that the tests can hold this file to the RFC's own vectors with the RFC's algorithms, while sotto runs it over
 * its hybrid KEM. No PSK or authenticated modes, and one message a context (sequence number 0).
 */
import { type Bytes, concat, utf8, Writer } from "../bytes.ts"

export interface LabeledKdf {
  extract(salt: Bytes, secret: Bytes): Bytes
  expand(prk: Bytes, info: Bytes, length: number): Bytes
}

export interface HpkeSuite extends LabeledKdf {
  /** RFC 9180 §7 identifiers, two bytes each: they keep suites apart, and decide nothing else. */
  readonly kemId: number
  readonly kdfId: number
  readonly aeadId: number
  readonly hashBytes: number
  readonly keyBytes: number
  readonly nonceBytes: number
}

export interface HpkeParts<Public, Private> extends HpkeSuite {
  encapsulate(to: Public): { ciphertext: Bytes; secret: Bytes }
  decapsulate(key: Private, ciphertext: Bytes): Bytes
  seal(key: Bytes, nonce: Bytes, plaintext: Bytes, associated: Bytes): Bytes
  open(key: Bytes, nonce: Bytes, sealed: Bytes, associated: Bytes): Bytes | undefined
}

/** What travels: the KEM's ciphertext and the sealed text. */
export interface HpkeMessage {
  readonly encapsulated: Bytes
  readonly sealed: Bytes
}

export interface Hpke<Public, Private> {
  seal(to: Public, info: Bytes, associated: Bytes, plaintext: Bytes): HpkeMessage
  /** `undefined` when the tag does not verify. Throws what the KEM throws. */
  open(key: Private, message: HpkeMessage, info: Bytes, associated: Bytes): Bytes | undefined
  /** §5.3, both sides: a secret derived from the encapsulation instead of a message. */
  sendExport(
    to: Public,
    info: Bytes,
    context: Bytes,
    length: number,
  ): { encapsulated: Bytes; secret: Bytes }
  receiveExport(
    key: Private,
    encapsulated: Bytes,
    info: Bytes,
    context: Bytes,
    length: number,
  ): Bytes
}

const VERSION = utf8("HPKE-v1")
const MODE_BASE = 0
const EMPTY = new Uint8Array(0)

/** §4 LabeledExtract and LabeledExpand under a suite id. */
export const labeled = (suiteId: Bytes, kdf: LabeledKdf) => ({
  extract: (salt: Bytes, label: string, secret: Bytes): Bytes =>
    kdf.extract(salt, concat(VERSION, suiteId, utf8(label), secret)),
  expand: (prk: Bytes, label: string, info: Bytes, length: number): Bytes =>
    kdf.expand(
      prk,
      new Writer().u16(length).raw(VERSION).raw(suiteId).raw(utf8(label)).raw(info).finish(),
      length,
    ),
})

/** §5.1 KeySchedule in base mode: what both sides derive from the KEM's shared secret. */
export function keySchedule(suite: HpkeSuite, secret: Bytes, info: Bytes) {
  const { extract, expand } = labeled(suiteIdOf(suite), suite)
  const context = new Writer()
    .u8(MODE_BASE)
    .raw(extract(EMPTY, "psk_id_hash", EMPTY))
    .raw(extract(EMPTY, "info_hash", info))
    .finish()
  const prk = extract(secret, "secret", EMPTY)
  return {
    key: expand(prk, "key", context, suite.keyBytes),
    nonce: expand(prk, "base_nonce", context, suite.nonceBytes),
    exporter: expand(prk, "exp", context, suite.hashBytes),
  }
}

const suiteIdOf = (suite: HpkeSuite): Bytes =>
  new Writer().raw(utf8("HPKE")).u16(suite.kemId).u16(suite.kdfId).u16(suite.aeadId).finish()

export function makeHpke<Public, Private>(
  parts: HpkeParts<Public, Private>,
): Hpke<Public, Private> {
  const { expand } = labeled(suiteIdOf(parts), parts)
  return {
    seal(to, info, associated, plaintext) {
      const { ciphertext, secret } = parts.encapsulate(to)
      const { key, nonce } = keySchedule(parts, secret, info)
      return { encapsulated: ciphertext, sealed: parts.seal(key, nonce, plaintext, associated) }
    },
    open(privateKey, { encapsulated, sealed }, info, associated) {
      const { key, nonce } = keySchedule(parts, parts.decapsulate(privateKey, encapsulated), info)
      return parts.open(key, nonce, sealed, associated)
    },
    sendExport(to, info, context, length) {
      const { ciphertext, secret } = parts.encapsulate(to)
      const { exporter } = keySchedule(parts, secret, info)
      return { encapsulated: ciphertext, secret: expand(exporter, "sec", context, length) }
    },
    receiveExport(privateKey, encapsulated, info, context, length) {
      const { exporter } = keySchedule(parts, parts.decapsulate(privateKey, encapsulated), info)
      return expand(exporter, "sec", context, length)
    },
  }
}
