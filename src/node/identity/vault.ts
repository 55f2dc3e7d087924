/**
 * The key file on disk and the vault it opens. One file, `vault`, mode 0600, written whole or not at all (whole-file.ts). A wrong
 * passphrase changes nothing.
 */
import { chmod } from "node:fs/promises"
import { primitives } from "#primitives"
import type { Bytes } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import {
  decodeKeyfile,
  encodeUnprotected,
  type Keyfile,
  newStretching,
  openVault,
  passphraseBytes,
  type Stretching,
  unwrapVaultKey,
  type Vault,
  VAULT_KEY_BYTES,
  wrapVaultKey,
} from "../../crypto/keyfile.ts"
import { ApiError } from "../api/errors.ts"
import { heavy } from "../heavy.ts"
import { readIfThere } from "../store/whole-file.ts"

/** Shorter is a password somebody guesses over lunch; Argon2 does not make up for that. */
export const PASSPHRASE_CHARACTERS_MIN = 8

const stretch = (passphrase: string, { salt, cost }: Stretching, signal?: AbortSignal) =>
  heavy({ job: "stretch", passphrase: passphraseBytes(passphrase), salt, cost }, signal)

/** Throws ApiError STORE_DAMAGED when there is a key file that is not one. */
export async function readKeyfile(path: string): Promise<Keyfile | undefined> {
  const bytes = await readIfThere(path)
  if (bytes === undefined) return undefined
  try {
    const keyfile = decodeKeyfile(bytes)
    await chmod(path, 0o600)
    return keyfile
  } catch (cause) {
    throw new ApiError("STORE_DAMAGED", "the key file is damaged", { cause })
  }
}

export interface NewVault {
  readonly vault: Vault
  readonly keyfile: Keyfile
  /** What the key file will hold: `writeWhole` it when everything sealed under the vault is in place. */
  readonly bytes: Bytes
}

/** Makes a vault. `passphrase: null` leaves it unprotected. Throws ApiError WEAK_PASSPHRASE. */
export async function newVault(passphrase: string | null, signal?: AbortSignal): Promise<NewVault> {
  const vaultKey = primitives.randomBytes(VAULT_KEY_BYTES)
  const bytes = await wrap(vaultKey, passphrase, signal)
  return { vault: openVault(vaultKey), keyfile: decodeKeyfile(bytes), bytes }
}

/** Throws ApiError WEAK_PASSPHRASE. */
export function checkPassphrase(passphrase: string): void {
  if (Array.from(passphrase).length < PASSPHRASE_CHARACTERS_MIN)
    throw new ApiError(
      "WEAK_PASSPHRASE",
      `a passphrase has at least ${PASSPHRASE_CHARACTERS_MIN} characters`,
    )
}

async function wrap(
  vaultKey: Bytes,
  passphrase: string | null,
  signal?: AbortSignal,
): Promise<Bytes> {
  if (passphrase === null) return encodeUnprotected(vaultKey)
  checkPassphrase(passphrase)
  return protectedKeyfile(vaultKey, passphrase, signal)
}

/** A key file for this vault key (32 bytes) and passphrase, whatever one thinks of the passphrase. */
export async function protectedKeyfile(
  vaultKey: Bytes,
  passphrase: string,
  signal?: AbortSignal,
): Promise<Bytes> {
  const stretching = newStretching()
  return wrapVaultKey(vaultKey, stretching, await stretch(passphrase, stretching, signal))
}

/** Opens a vault. Throws ApiError WRONG_PASSPHRASE; nothing on disk changes. */
export async function unlockVault(
  keyfile: Keyfile,
  passphrase: string,
  signal?: AbortSignal,
): Promise<Vault> {
  if (keyfile.mode === "unprotected") return openVault(keyfile.vaultKey)
  const stretched = await stretch(passphrase, keyfile, signal)
  try {
    return openVault(unwrapVaultKey(keyfile, stretched))
  } catch (cause) {
    if (cause instanceof CryptoError && cause.code === "WRONG_PASSPHRASE")
      throw new ApiError("WRONG_PASSPHRASE", "the passphrase does not open this profile", { cause })
    throw cause
  }
}
