/**
 * The genesis of a mesh: what all its peers agree on before anything happened. Its hash, the mesh id, stands in every protocol name,
 * topic, signature and key derivation, so two meshes never mix. Canonical: one genesis has one encoding.
 */
import { type Bytes, Reader, Writer } from "./bytes.ts"
import { CryptoError } from "./errors.ts"
import { labelledHash } from "./kdf.ts"

/** Each version says more than the one before it can, and exists only where that is needed: one genesis has one encoding. */
const VERSION = 1
const VERSION_WITH_POLICY = 2
const VERSION_WITH_PERIOD = 3
const OPEN = 1
/** The least time between two ticks of the ledger's period, where the genesis says nothing else. */
export const PERIOD_SECONDS = 60
/** A proof takes a second or two to make, and must be of use for a while. */
export const PERIOD_SECONDS_MIN = 5
export const PERIOD_SECONDS_MAX = 3600
export const MESH_NAME_BYTES_MAX = 64
export const VALIDATORS_MAX = 100
/** More would ask a laptop for minutes; a member's proof is the answer to spam, not ever more work. */
export const POW_BITS_MAX = 32
/** Largest encoding accepted before it is decoded. */
export const GENESIS_BYTES_MAX = 256 * 1024

export interface GenesisValidator {
  /** Ed25519 public key, 32 bytes. */
  readonly ed25519: Bytes
  /** ML-DSA-65 public key, 1952 bytes. */
  readonly mlDsa65: Bytes
  /** SLH-DSA-SHA2-128s public key, 32 bytes: signs the checkpoint at a term's end. */
  readonly slhDsaSha2: Bytes
}

/**
 * Who may become a member: `invited` are those with a voucher of an operator, in an `open` mesh also whoever does the work. Without
 * validators there is no ledger and there are no members.
 */
export type MeshPolicy = "invited" | "open"

export interface Genesis {
  readonly name: string
  /** 32 random bytes: two meshes of one name are two meshes. */
  readonly salt: Bytes
  /** Leading zero bits of the proof of work while the ledger does not set them. */
  readonly powBits: number
  /** `invited` when absent. */
  readonly policy?: MeshPolicy
  /**
   * The least time between two ticks of the ledger's period, 5 to 3600; PERIOD_SECONDS when absent. What a member may post in a period
   * does not depend on it, so it sets how much members may post.
   */
  readonly periodSeconds?: number
  /** None: the mesh works unordered. One: no fault is tolerated. 3f+1: f of them may be Byzantine. */
  readonly validators: readonly GenesisValidator[]
}

export function encodeGenesis(genesis: Genesis): Bytes {
  const isOpen = genesis.policy === "open"
  const version = versionFor(genesis)
  const out = new Writer().u8(version)
  out.text(genesis.name, 1).raw(genesis.salt).u8(genesis.powBits)
  if (version !== VERSION) out.u8(isOpen ? OPEN : 0)
  if (version === VERSION_WITH_PERIOD) out.u16(genesis.periodSeconds ?? PERIOD_SECONDS)
  out.u8(genesis.validators.length)
  for (const { ed25519, mlDsa65, slhDsaSha2 } of genesis.validators)
    out.raw(ed25519).raw(mlDsa65).raw(slhDsaSha2)
  const bytes = out.finish()
  decodeGenesis(bytes)
  return bytes
}

function versionFor({ policy, periodSeconds }: Genesis): number {
  if ((periodSeconds ?? PERIOD_SECONDS) !== PERIOD_SECONDS) return VERSION_WITH_PERIOD
  return policy === "open" ? VERSION_WITH_POLICY : VERSION
}

/** Throws CryptoError BAD_VERSION, BAD_LENGTH, BAD_ENCODING or TOO_LARGE. */
export function decodeGenesis(bytes: Bytes): Genesis {
  if (bytes.length > GENESIS_BYTES_MAX) throw new CryptoError("TOO_LARGE", "genesis too large")
  const read = new Reader(bytes)
  const version = read.u8()
  if (version < VERSION || version > VERSION_WITH_PERIOD)
    throw new CryptoError("BAD_VERSION", `genesis version ${version}`)
  const name = read.text(1, MESH_NAME_BYTES_MAX)
  if (name.length === 0) throw new CryptoError("BAD_ENCODING", "a mesh has a name")
  const salt = read.raw(32)
  const powBits = read.u8()
  if (powBits > POW_BITS_MAX) throw new CryptoError("TOO_LARGE", `proof of work of ${powBits} bits`)
  const policy = version === VERSION ? 0 : read.u8()
  if (policy > OPEN || (version === VERSION_WITH_POLICY && policy !== OPEN))
    throw new CryptoError("BAD_ENCODING", "a policy that version 1 says, or none")
  const periodSeconds = version === VERSION_WITH_PERIOD ? readPeriod(read) : undefined
  const count = read.u8()
  if (count > VALIDATORS_MAX) throw new CryptoError("TOO_LARGE", `${count} validators`)
  const validators = Array.from({ length: count }, () => ({
    ed25519: read.raw(32),
    mlDsa65: read.raw(1952),
    slhDsaSha2: read.raw(32),
  }))
  read.done()
  return {
    name,
    salt,
    powBits,
    ...(policy === OPEN ? { policy: "open" as const } : {}),
    ...(periodSeconds === undefined ? {} : { periodSeconds }),
    validators,
  }
}

function readPeriod(read: Reader): number {
  const seconds = read.u16()
  if (seconds < PERIOD_SECONDS_MIN || seconds > PERIOD_SECONDS_MAX)
    throw new CryptoError("TOO_LARGE", `a period of ${seconds} seconds`)
  if (seconds === PERIOD_SECONDS)
    throw new CryptoError("BAD_ENCODING", "a period that an earlier version says")
  return seconds
}

export const periodMsOf = ({ periodSeconds }: Genesis): number =>
  1000 * (periodSeconds ?? PERIOD_SECONDS)

/** 32 bytes. */
export function meshIdOf(genesis: Bytes): Bytes {
  return labelledHash("mesh", genesis)
}
