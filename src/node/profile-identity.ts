/**
 * Whose profile this is: the key file, the vault that it opens, and the identity in it (DESIGN §4, At rest). A profile has none, or one
 * that is locked, or one that is open. What an open one is used for, node.ts knows.
 */
import type { Address } from "../crypto/address.ts"
import { addressOfRoots, type Identity } from "../crypto/identity.ts"
import { type Keyfile, openVault, type Vault } from "../crypto/keyfile.ts"
import { ApiError } from "./api/errors.ts"
import type { IdentityState } from "./api/types.ts"
import { ChatRecords } from "./chat/records.ts"
import { systemClock } from "./clock.ts"
import { KeyRing } from "./identity/key-ring.ts"
import { IDENTITY_STEPS, makeIdentity } from "./identity/make-identity.ts"
import type { Mesh } from "./mesh/mesh.ts"
import { openBackupFile, restoreInto } from "./backup/restore.ts"
import type { Restored } from "./identity/restored.ts"
import { Sealed } from "./store/sealed.ts"
import { sealedShelf } from "./store/sealed-store.ts"
import type { Store } from "./store/store.ts"
import { newVault, protectedKeyfile, readKeyfile, unlockVault } from "./identity/vault.ts"
import { writeWhole } from "./store/whole-file.ts"
import { vaultAsNamed } from "./identity/vault-naming.ts"

export interface OpenIdentity {
  /** As it is at the moment: rotation replaces it. */
  readonly identity: Identity
  readonly keys: KeyRing
  readonly address: Address
  /** Everything private of this profile. */
  readonly records: ChatRecords
  /** What seals and names them. */
  readonly vault: Vault
}

export interface ProfileIdentityParts {
  readonly store: Store
  /** Of the key file; undefined keeps the vault's key in memory alone. */
  readonly path: string | undefined
  /** A backup that the store is filled from at the first `unlock`, with the backup's passphrase; for a store that holds nothing. */
  readonly backup?: string | undefined
  readonly progress: (done: number, total: number) => void
  readonly signal: AbortSignal
  readonly log?: (line: string) => void
}

/** One change at a time: whoever calls `create`, `unlock` or `openUnprotected` sees to that. */
export class ProfileIdentity {
  readonly #parts: ProfileIdentityParts
  #keyfile: Keyfile | undefined
  #opened: OpenIdentity | undefined

  private constructor(parts: ProfileIdentityParts, keyfile: Keyfile | undefined) {
    this.#parts = parts
    this.#keyfile = keyfile
  }

  /** Throws ApiError STORE_DAMAGED. */
  static async read(parts: ProfileIdentityParts): Promise<ProfileIdentity> {
    const keyfile = parts.path === undefined ? undefined : await readKeyfile(parts.path)
    return new ProfileIdentity(parts, keyfile)
  }

  get state(): IdentityState {
    if (this.#opened !== undefined) return "open"
    return this.#keyfile === undefined && this.#parts.backup === undefined ? "none" : "locked"
  }

  /** There is a key file, and it asks for no passphrase. */
  get unprotected(): boolean {
    return this.#keyfile?.mode === "unprotected"
  }

  get opened(): OpenIdentity | undefined {
    return this.#opened
  }

  /** Throws ApiError NO_IDENTITY or LOCKED. */
  mustBeOpen(): OpenIdentity {
    if (this.#opened !== undefined) return this.#opened
    throw this.state === "none"
      ? new ApiError("NO_IDENTITY", "this profile has no identity yet")
      : new ApiError("LOCKED", "the profile is locked")
  }

  /** Makes the identity and its vault, and leaves them open. Throws ApiError ALREADY_EXISTS, WEAK_PASSPHRASE, BAD_PARAMS. */
  async create(name: string, passphrase: string | null): Promise<void> {
    if (this.state !== "none")
      throw new ApiError("ALREADY_EXISTS", "this profile has an identity already")
    const { path, progress, signal } = this.#parts
    const identity = await makeIdentity({
      name,
      nowMs: systemClock.nowMs(),
      signal,
      progress: (done) => progress(done, IDENTITY_STEPS),
    })
    const { vault, keyfile, bytes } = await newVault(passphrase, signal)
    const records = this.#recordsIn(vault)
    // The record before the key: a crash in between leaves bytes that nothing opens, not a key without a person.
    await records.write([records.putIdentity(identity)], { sync: true })
    if (path !== undefined) await writeWhole(path, bytes)
    this.#keyfile = keyfile
    await this.#open(vault)
  }

  /** Throws ApiError WRONG_PASSPHRASE, NO_IDENTITY, STORE_DAMAGED. Harmless when it is open. */
  async unlock(passphrase: string): Promise<void> {
    if (this.#opened !== undefined) return
    const { backup } = this.#parts
    if (backup !== undefined) {
      await this.#restore(backup, passphrase)
      return
    }
    if (this.#keyfile === undefined)
      throw new ApiError("NO_IDENTITY", "this profile has no identity yet")
    await this.#open(await unlockVault(this.#keyfile, passphrase, this.#parts.signal))
  }

  /** Opens a vault that asks for no passphrase; any other stays as it is. Throws ApiError STORE_DAMAGED. */
  async openUnprotected(): Promise<void> {
    if (this.#opened === undefined && this.#keyfile?.mode === "unprotected")
      await this.#open(openVault(this.#keyfile.vaultKey))
  }

  /**
   * Out of a backup, into the store of this profile, which holds nobody yet; the vault is sealed under the backup's passphrase. `fits`
   * throws for a mesh that the profile cannot be in. Throws ApiError ALREADY_EXISTS and as `openBackupFile` does; then nothing has changed.
   */
  async restore(
    options: { readonly path: string; readonly passphrase: string },
    fits: (mesh: Mesh) => void,
    told: (what: "checking" | "writing") => void,
  ): Promise<Restored> {
    if (this.state !== "none")
      throw new ApiError("ALREADY_EXISTS", "this profile has an identity already")
    const { store, signal, path } = this.#parts
    told("checking")
    const backup = await openBackupFile({ ...options, signal })
    try {
      fits(backup.mesh)
      told("writing")
      const { vaultKey, restored } = await restoreInto(store, backup)
      // The key last: a crash before leaves records that nothing opens, and the same restore writes over them.
      if (path !== undefined) {
        await writeWhole(path, await protectedKeyfile(vaultKey, options.passphrase, signal))
        this.#keyfile = await readKeyfile(path)
      }
      await this.#open(openVault(vaultKey))
      return restored
    } finally {
      await backup.close()
    }
  }

  /** Into memory: the vault's key is kept nowhere else. */
  async #restore(path: string, passphrase: string): Promise<void> {
    const { store, signal } = this.#parts
    const backup = await openBackupFile({ path, passphrase, signal })
    try {
      const { vaultKey } = await restoreInto(store, backup)
      await this.#open(openVault(vaultKey))
    } finally {
      await backup.close()
    }
  }

  #recordsIn(vault: Vault): ChatRecords {
    return new ChatRecords(new Sealed(vault, sealedShelf(this.#parts.store), this.#parts.log))
  }

  async #open(own: Vault): Promise<void> {
    const { vault, identity, records } = await this.#read(own)
    const keys = await KeyRing.open({ records, clock: systemClock }, identity)
    this.#opened = {
      get identity() {
        return keys.identity
      },
      keys,
      address: addressOfRoots(identity.roots),
      records,
      vault,
    }
  }

  async #read(own: Vault) {
    const vault = await vaultAsNamed(own, this.#parts.store).catch((cause: unknown) => {
      throw new ApiError("STORE_DAMAGED", "the naming record does not open", { cause })
    })
    const records = this.#recordsIn(vault)
    const identity = await records.identity().catch((cause: unknown) => {
      throw new ApiError("STORE_DAMAGED", "the identity record does not open", { cause })
    })
    if (identity === undefined)
      throw new ApiError("STORE_DAMAGED", "there is a key file but no identity beside it")
    return { vault, identity, records }
  }
}
