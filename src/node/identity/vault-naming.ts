/**
 * Which key a profile's names are blinded under. Usually the vault's own. Records that came out of a backup lie under the names they
 * had, which nobody can blind anew without knowing them; then one record under the vault's own naming holds the key of the others.
 */
import { blindName, namedVault, openRecord, sealRecord, type Vault } from "../../crypto/keyfile.ts"
import type { Bytes } from "../../crypto/bytes.ts"
import type { Store, Write } from "../store/store.ts"

/** Shorter than the key of any other record: a group's 16 bytes and no item. */
export const NAMING_KEY_BYTES = 16
const keyUnder = (vault: Vault): Bytes => blindName(vault, "naming of another vault")

/** The vault as its records are named. Throws CryptoError BAD_SIGNATURE when that record was altered. */
export async function vaultAsNamed(vault: Vault, store: Store): Promise<Vault> {
  const key = keyUnder(vault)
  const sealed = await store.get("sealed", key)
  return sealed === undefined ? vault : namedVault(vault, openRecord(vault, key, sealed))
}

/** What makes `vaultAsNamed` find this naming key (32 bytes). */
export function namingWrite(vault: Vault, naming: Bytes): Write {
  const key = keyUnder(vault)
  return { table: "sealed", key, value: sealRecord(vault, key, naming) }
}
