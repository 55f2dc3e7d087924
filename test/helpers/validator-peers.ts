/** Validators of one mesh in this process: real networks over loopback, real drivers and links, stores in memory. */
import type { TestContext } from "node:test"
import assert from "node:assert/strict"
import { primitives } from "#primitives"
import { validatorSet } from "../../src/consensus/quorum.ts"
import { MeshLedger } from "../../src/node/ledger/ledger.ts"
import { foundMesh, meshFrom } from "../../src/node/mesh/mesh.ts"
import type { NetworkParts } from "../../src/node/network/parts.ts"
import { openMemoryStore } from "../../src/node/store/store.ts"
import { type ValidatorSecrets, validatorFrom } from "../../src/node/ledger/validator-keys.ts"
import { testPeer, type TestPeer } from "./peers.ts"

export interface ValidatorPeer {
  readonly peer: TestPeer
  readonly ledger: MeshLedger
  readonly notes: string[]
}

const { ed25519, mlDsa65, slhDsaSha2_128s } = primitives

/** Keys of validators, in the order of their seats: the first is the primary of term 0. */
export function newValidators(n: number): ValidatorSecrets[] {
  const all = Array.from({ length: n }, () => ({
    ed25519: ed25519.generate(),
    mlDsa65: mlDsa65.generate(),
    slhDsa: slhDsaSha2_128s.generate(),
  }))
  const keys = all.map((secrets) => validatorFrom(secrets).keys)
  return validatorSet(keys).members.flatMap((member) => all[keys.indexOf(member)] ?? [])
}

/** The encoded genesis of a mesh of these validators. */
export const genesisFor = (secrets: readonly ValidatorSecrets[], powBits: number) =>
  foundMesh("validators", {
    powBits,
    validators: secrets.map((each) => {
      const { keys } = validatorFrom(each)
      return { ed25519: keys.ed25519, mlDsa65: keys.mlDsa65, slhDsaSha2: keys.slhDsa }
    }),
  }).bytes

/** One validator that knows nobody yet. */
export async function validatorPeer(
  t: TestContext,
  genesis: Uint8Array,
  secrets: ValidatorSecrets,
  options: Partial<NetworkParts> = {},
): Promise<ValidatorPeer> {
  const store = await openMemoryStore()
  const notes: string[] = []
  const faults: unknown[] = []
  const validator = validatorFrom(secrets)
  const ledger = await MeshLedger.open({
    store,
    mesh: meshFrom(genesis),
    directory: undefined,
    newMark: undefined,
    validator: () => validator,
    onChange: () => undefined,
    note: (line) => notes.push(line),
    onFault: (error) => faults.push(error),
  })
  assert(ledger !== undefined, "a mesh with validators has a ledger")
  const peer = await testPeer(
    t,
    { genesis, meshId: ledger.rules.meshId, admissions: new Map() },
    {
      store,
      topics: ledger.topics(),
      blocks: (after, limit) => ledger.served(after, limit),
      vouched: (id) => ledger.orderedAt(id) !== undefined,
      ...options,
    },
  )
  await ledger.join(peer)
  t.after(async () => {
    await ledger.stop()
    assert.deepEqual(faults, [])
  })
  return { peer, ledger, notes }
}
