/** Makes a new identity: root keys, operational keys, and the first card, signed by both roots. About a second, off the event loop. */
import { addressBytes, addressOf } from "../crypto/address.ts"
import { utf8 } from "../crypto/bytes.ts"
import { assembleCard, encodeCardBody } from "../crypto/card.ts"
import {
  generateIntro,
  type Identity,
  introPublic,
  NAME_BYTES_MAX,
  rootPublic,
} from "../crypto/identity.ts"
import { createKeyPackage } from "../crypto/session.ts"
import { primitives } from "#primitives"
import { ApiError } from "./api/errors.ts"
import { heavy } from "./heavy.ts"

/** The card is made anew long before; a reader with a wrong clock should still be able to write. */
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
  const publicRoots = rootPublic(roots)
  const address = addressOf(publicRoots.ed25519, publicRoots.slhDsa)
  const leaf = primitives.ed25519.generate()
  const intro = generateIntro()
  const lastResort = await createKeyPackage({
    identity: addressBytes(address),
    signatureSeed: leaf,
    lastResort: true,
    // Whole days: a key package need not tell the hour at which somebody began to use sotto.
    notAfterSeconds: (Math.floor(nowMs / 1000 / DAY_SECONDS) + KEY_PACKAGE_DAYS) * DAY_SECONDS,
  })
  const sequence = 1
  const body = encodeCardBody({
    ed25519Root: publicRoots.ed25519,
    slhDsaRoot: publicRoots.slhDsa,
    sequence,
    intro: introPublic(intro),
    leaf: primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(leaf)),
    lastResort: lastResort.public,
  })
  progress(2)
  const card = assembleCard(body, await heavy({ job: "sign-card", roots, body }, signal))
  progress(IDENTITY_STEPS)
  return { roots, sequence, intro, oldIntro: [], leaf, lastResort, card, name: shown }
}
