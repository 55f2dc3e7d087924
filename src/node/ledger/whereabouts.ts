/**
 * How validators find each other in a mesh where not everybody is connected to everybody: one that lacks links to others says on the
 * topic `/sotto/<meshId>/validators/1`, signed, where it can be reached, and the others call it. Everybody passes this on. Where a
 * validator listens is no secret: it is known by its address to every peer that it talks to.
 *
 *   version 1 ‖ Ed25519 key 32 ‖ salt 8 ‖ count 1 ‖ addresses, each: length 2, multiaddr as text ‖ signature 3373
 *
 * The signature covers the mesh and everything before it; the salt makes a repeated message another one for gossip. An old one that
 * somebody sends again leads to a call that nobody answers, and no more.
 */
import { primitives } from "#primitives"
import type { Scheme } from "../../consensus/hybrid.ts"
import { keyOf } from "../../consensus/item.ts"
import { HYBRID_SIGNATURE_BYTES } from "../../consensus/limits.ts"
import type { ValidatorKeys } from "../../consensus/types.ts"
import { type Bytes, equal, Reader, toHex, utf8, Writer } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { ACCEPT, ignore, reject, type Verdict } from "../../crypto/verdict.ts"
import type { TopicRule } from "../transport/gossip.ts"
import type { Validator } from "./validator-keys.ts"

export const whereaboutsTopic = (meshId: Bytes) => `/sotto/${toHex(meshId)}/validators/1`

const VERSION = 1
const ADDRESSES_MAX = 8
const ADDRESS_BYTES_MAX = 256
const SALT_BYTES = 8
const MESSAGE_BYTES_MAX =
  1 + 32 + SALT_BYTES + 1 + ADDRESSES_MAX * (2 + ADDRESS_BYTES_MAX) + HYBRID_SIGNATURE_BYTES
const DOMAIN = utf8("sotto/validator-whereabouts/1")
/** First word after a start, and then while links are missing: ever more seldom. */
const SAY_MIN_MS = 3_000
const SAY_MAX_MS = 600_000
/** Messages of one validator that are passed on in a minute. */
const PER_MINUTE_MAX = 4
const MINUTE_MS = 60_000
const DIAL_DEADLINE_MS = 15_000

export interface Whereabouts {
  /** Ed25519 key. */
  readonly key: Bytes
  readonly addresses: readonly string[]
}

export interface WhereaboutsParts {
  /** 32 bytes. */
  readonly meshId: Bytes
  readonly scheme: Scheme
  readonly validators: () => readonly ValidatorKeys[]
  readonly own: () => Validator | undefined
  /** Whether votes flow to the validator of this key. */
  readonly isLinked: (key: Bytes) => boolean
  readonly addresses: () => readonly string[]
  readonly publish: (message: Bytes) => Promise<unknown>
  readonly dial: (addresses: readonly string[], signal: AbortSignal) => Promise<unknown>
  readonly nowMs: () => number
}

export function encodeWhereabouts(
  meshId: Bytes,
  { keys, sign }: Pick<Validator, "keys" | "sign">,
  addresses: readonly string[],
): Bytes {
  const fitting = addresses.filter((address) => utf8(address).length <= ADDRESS_BYTES_MAX)
  const said = fitting.slice(0, ADDRESSES_MAX)
  const out = new Writer().u8(VERSION).raw(keys.ed25519)
  out.raw(primitives.randomBytes(SALT_BYTES)).u8(said.length)
  for (const address of said) out.text(address, 2)
  const body = out.finish()
  return new Writer()
    .raw(body)
    .raw(sign(preimage(meshId, body)))
    .finish()
}

const preimage = (meshId: Bytes, body: Bytes) =>
  new Writer().raw(DOMAIN).raw(meshId).raw(body).finish()

/** Throws CryptoError. `body` is what the signature covers. */
export function decodeWhereabouts(
  bytes: Bytes,
): Whereabouts & { readonly body: Bytes; readonly signature: Bytes } {
  const read = new Reader(bytes)
  if (read.u8() !== VERSION) throw new CryptoError("BAD_VERSION", "whereabouts")
  const key = read.raw(32)
  read.raw(SALT_BYTES)
  const count = read.u8()
  if (count > ADDRESSES_MAX) throw new CryptoError("TOO_LARGE", `${count} addresses`)
  const addresses = Array.from({ length: count }, () => read.text(2, ADDRESS_BYTES_MAX))
  const body = bytes.subarray(0, bytes.length - read.left)
  const signature = read.raw(HYBRID_SIGNATURE_BYTES)
  read.done()
  return { key, addresses, body, signature }
}

export class Finder {
  readonly #parts: WhereaboutsParts
  readonly #stop = new AbortController()
  /** When messages of a validator were passed on, the last minute's. */
  readonly #passed = new Map<string, number[]>()
  readonly #dialing = new Map<string, Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #sayMs = SAY_MIN_MS

  constructor(parts: WhereaboutsParts) {
    this.#parts = parts
  }

  rule(): TopicRule {
    return {
      topic: whereaboutsTopic(this.#parts.meshId),
      messageBytesMax: MESSAGE_BYTES_MAX,
      judge: (data) => Promise.resolve(this.judge(data.slice())),
    }
  }

  start(): void {
    this.#schedule()
  }

  /** Links have come or gone: if some are missing, that is said soon again. */
  changed(): void {
    if (!this.#lacksLinks || this.#sayMs === SAY_MIN_MS) return
    this.#sayMs = SAY_MIN_MS
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await Promise.all(this.#dialing.values())
  }

  judge(bytes: Bytes): Verdict {
    const { meshId, scheme, validators, isLinked } = this.#parts
    const own = this.#parts.own()
    let said: ReturnType<typeof decodeWhereabouts>
    try {
      said = decodeWhereabouts(bytes)
    } catch (error) {
      // [REJECT] it decodes
      if (error instanceof CryptoError) return reject(error.code)
      throw error
    }
    const keys = validators().find(({ ed25519 }) => equal(ed25519, said.key))
    // [IGNORE] it is of a validator, as far as this peer has followed the set
    if (keys === undefined) return ignore("NOT_A_VALIDATOR")
    // [REJECT] that validator signed it
    if (!scheme.verify(keys, preimage(meshId, said.body), said.signature))
      return reject("BAD_SIGNATURE")
    // [IGNORE] it does not come too often
    if (!this.#allows(said.key)) return ignore("TOO_OFTEN")
    const other = own !== undefined && !equal(own.keys.ed25519, said.key)
    if (other && !isLinked(said.key)) this.#call(said)
    return ACCEPT
  }

  #allows(key: Bytes): boolean {
    const now = this.#parts.nowMs()
    const recent = (this.#passed.get(keyOf(key)) ?? []).filter((at) => now - at < MINUTE_MS)
    if (recent.length >= PER_MINUTE_MAX) return false
    this.#passed.set(keyOf(key), [...recent, now])
    return true
  }

  #call({ key, addresses }: Whereabouts): void {
    const name = keyOf(key)
    if (addresses.length === 0 || this.#dialing.has(name) || this.#stop.signal.aborted) return
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(DIAL_DEADLINE_MS)])
    const dialing = this.#parts.dial(addresses, signal).then(
      () => undefined,
      // whoever cannot be reached says so again
      () => undefined,
    )
    this.#dialing.set(
      name,
      dialing.finally(() => this.#dialing.delete(name)),
    )
  }

  get #lacksLinks(): boolean {
    const { validators, isLinked } = this.#parts
    const own = this.#parts.own()
    const isOwn = (key: Bytes) => own !== undefined && equal(own.keys.ed25519, key)
    const all = validators()
    if (!all.some(({ ed25519 }) => isOwn(ed25519))) return false
    return all.some(({ ed25519 }) => !isOwn(ed25519) && !isLinked(ed25519))
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return
    clearTimeout(this.#timer)
    // a little irregular, so that validators that started together do not speak together
    this.#timer = setTimeout(() => this.#say(), this.#sayMs * (0.75 + Math.random() / 2))
    this.#timer.unref()
    this.#sayMs = Math.min(2 * this.#sayMs, SAY_MAX_MS)
  }

  #say(): void {
    const { meshId, addresses, publish } = this.#parts
    const own = this.#parts.own()
    if (own !== undefined && this.#lacksLinks)
      // gossip that fails is gossip that was lost: it is said again
      publish(encodeWhereabouts(meshId, own, addresses())).catch(() => undefined)
    this.#schedule()
  }
}
