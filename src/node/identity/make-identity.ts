/**
 * Makes identities and their operational keys: root keys once, and with each rotation intro keys, the MLS leaf key, key packages and a
 * card signed by both roots. About a second, off the event loop.
 */
import { type Address, addressBytes, addressOf } from "../../crypto/address.ts"
import { type Bytes, utf8 } from "../../crypto/bytes.ts"
import { assembleCard, encodeCardBody } from "../../crypto/card.ts"
import {
  compositeLeafOf,
  generateIntro,
  type Identity,
  introPublic,
  leafPublic,
  NAME_BYTES_MAX,
  oldAfter,
  type OldKeys,
  type OperationalKeys,
  type RootKeys,
  rootPublic,
  rotated,
} from "../../crypto/identity.ts"
import { destroyedAt, type OneTimePackage } from "../../crypto/one-time.ts"
import {
  createKeyPackage,
  generateSignatureSeed,
  keyPackageReference,
} from "../../crypto/session.ts"
import { primitives } from "#primitives"
import { ApiError } from "../api/errors.ts"
import { heavy } from "../heavy.ts"

/** Keys are replaced long before; a reader with a wrong clock should still be able to write. */
const KEY_PACKAGE_DAYS = 400
const DAY_SECONDS = 86_400

export interface IdentityRequest {
  readonly name: string
  readonly nowMs: number
  readonly signal?: AbortSignal
  /** Steps done, of STEPS. */
  readonly progress: (done: number) => void
}

export const IDENTITY_STEPS = 3

/** As it will be shown. Throws ApiError BAD_PARAMS for a name of no or too many bytes. */
export function checkedName(name: string): string {
  const shown = name.trim()
  if (shown === "" || utf8(shown).length > NAME_BYTES_MAX)
    throw new ApiError("BAD_PARAMS", `a name has 1 to ${NAME_BYTES_MAX} bytes`)
  return shown
}

/** Throws ApiError BAD_PARAMS for a name of no or too many bytes. */
export async function makeIdentity({
  name,
  nowMs,
  signal,
  progress,
}: IdentityRequest): Promise<Identity> {
  const shown = checkedName(name)
  progress(0)
  const roots = await heavy({ job: "roots" }, signal)
  progress(1)
  const keys = await makeKeys(roots, nowMs)
  progress(2)
  const card = await signedCard({ roots, keys, sequence: 1, old: [] }, signal)
  progress(IDENTITY_STEPS)
  return { roots, ...keys, sequence: 1, sinceMs: nowMs, old: [], card, name: shown }
}

export interface RotationRequest {
  readonly nowMs: number
  /** The new card's, above every one that was ever published. */
  readonly sequence: number
  readonly forgetOld: boolean
  readonly signal?: AbortSignal
}

/** The same person with new operational keys. What it gives is worth nothing until it is stored. */
export async function rotateIdentity(
  identity: Identity,
  { nowMs, sequence, forgetOld, signal }: RotationRequest,
): Promise<Identity> {
  const { roots } = identity
  const keys = await makeKeys(roots, nowMs)
  const old = oldAfter(identity, nowMs, forgetOld)
  const card = await signedCard({ roots, keys, sequence, old }, signal)
  return rotated(identity, { ...keys, card, sequence, nowMs, forgetOld })
}

async function makeKeys(roots: RootKeys, nowMs: number): Promise<OperationalKeys> {
  const leaf = primitives.ed25519.generate()
  const address = addressOfPublic(roots)
  const lastResort = await keyPackage(address, leaf, true, nowMs)
  const seed = generateSignatureSeed("composite")
  const composite = { leaf: seed, lastResort: await keyPackage(address, seed, true, nowMs) }
  return { intro: generateIntro(), leaf, lastResort, composite }
}

function addressOfPublic(roots: RootKeys): Address {
  const { ed25519, slhDsa } = rootPublic(roots)
  return addressOf(ed25519, slhDsa)
}

const keyPackage = (address: Address, leaf: Bytes, lastResort: boolean, nowMs: number) =>
  createKeyPackage({
    identity: addressBytes(address),
    signatureSeed: leaf,
    lastResort,
    // Whole days: a key package need not tell the hour at which it was made.
    notAfterSeconds: (Math.floor(nowMs / 1000 / DAY_SECONDS) + KEY_PACKAGE_DAYS) * DAY_SECONDS,
  })

/** A key package for one first contact, under one of the identity's current leaf keys (`seed`), to be given out for a day. */
export async function makeOneTime(
  { roots }: Pick<Identity, "roots">,
  seed: Bytes,
  { nowMs, epoch }: { nowMs: number; epoch: number },
): Promise<OneTimePackage> {
  const pair = await keyPackage(addressOfPublic(roots), seed, false, nowMs)
  const reference = await keyPackageReference(pair.public)
  return { ...pair, reference, epoch, destroyAtMs: destroyedAt(epoch) }
}

interface CardParts {
  readonly roots: RootKeys
  readonly keys: OperationalKeys
  readonly sequence: number
  readonly old: readonly OldKeys[]
}

async function signedCard(
  { roots, keys, sequence, old }: CardParts,
  signal?: AbortSignal,
): Promise<Bytes> {
  const publicRoots = rootPublic(roots)
  const body = encodeCardBody({
    ed25519Root: publicRoots.ed25519,
    slhDsaRoot: publicRoots.slhDsa,
    sequence,
    intro: introPublic(keys.intro),
    leaf: leafPublic(keys),
    lastResort: keys.lastResort.public,
    formers: old.map(({ leaf }) => leaf),
    compositeLeaf: compositeLeafOf(keys),
    formerComposites: old.flatMap(({ composite }) => composite?.leafHash ?? []),
  })
  return assembleCard(body, await heavy({ job: "sign-card", roots, body }, signal))
}
