/**
 * Envelopes under several admissions: a hostile member signs other people's envelopes under proofs of its own, and pays for them by
 * work, so that each of four validators has another form of them first. What the primary proposes is fetched in its form, judged by
 * proof, and ordered in the first view.
 */
import assert from "node:assert/strict"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { describe, it, type TestContext } from "node:test"
import type { BlockRecord } from "../../../src/consensus/types.ts"
import { primitives } from "#primitives"
import { type Bytes, equal, toHex } from "../../../src/crypto/bytes.ts"
import { envelopeId } from "../../../src/crypto/envelope.ts"
import { MEMBERSHIP_KIND } from "../../../src/crypto/membership/admission.ts"
import { POW_KIND } from "../../../src/crypto/pow.ts"
import { ACCEPT, ignore } from "../../../src/crypto/verdict.ts"
import { itemOf, workItem } from "../../../src/node/ledger/rules.ts"
import { Wanted } from "../../../src/node/ledger/wanted.ts"
import type { Admission, Mailbox } from "../../../src/node/mailbox/mailbox.ts"
import { MembershipAdmission } from "../../../src/node/membership/membership-admission.ts"
import { openMemoryStore } from "../../../src/node/store/store.ts"
import { StreamError } from "../../../src/node/transport/streams.ts"
import { ProofVerifier } from "../../../src/node/membership/verify.ts"
import { paid, testMesh, unpaidEnvelope } from "../../helpers/envelopes.ts"
import { admitted, meshId as membersMesh } from "../../helpers/membership-fixture.ts"
import { TestRoots } from "../../helpers/membership-mailbox.ts"
import {
  genesisFor,
  newValidators,
  type ValidatorPeer,
  validatorPeer,
} from "../../helpers/validator-peers.ts"
import { until } from "../../helpers/wait.ts"

const VALIDATORS = 4
const ENVELOPES = 24
/** A turn of the event loop, of all four in one process, after which a second of patience is no measure. */
const STANDS_STILL_MS = 150

/** The recorded members' proofs, really checked, and work that is any. */
async function admissionsOf(t: TestContext): Promise<ReadonlyMap<number, Admission>> {
  const store = await openMemoryStore()
  const verifier = new ProofVerifier()
  const roots = new TestRoots()
  const onFault = (error: unknown) => assert.fail(String(error))
  const members = await MembershipAdmission.open({
    store,
    meshId: membersMesh,
    roots,
    verifier,
    onFault,
  })
  t.after(async () => {
    await verifier.stop()
    await members.stop()
    await store.close()
  })
  return new Map<number, Admission>([
    [MEMBERSHIP_KIND, (bytes, origin) => members.judge(bytes, origin)],
    [POW_KIND, () => ACCEPT],
  ])
}

/** An envelope as its author paid for it, as a hostile member did, and as anybody could. */
function formsOf(n: number): readonly Bytes[] {
  const envelope = unpaidEnvelope()
  return [admitted(envelope, 0, n), admitted(envelope, 1, n), paid(envelope, testMesh())]
}

async function chainOf({ ledger }: ValidatorPeer): Promise<readonly BlockRecord[]> {
  const records: BlockRecord[] = []
  for await (const record of ledger.chain.records(0)) records.push(record)
  return records
}

describe("four validators that hold other forms of the same envelopes", () => {
  it("order each once, in the form that was proposed, and change no view for it", async (t) => {
    const secrets = newValidators(VALIDATORS)
    const genesis = genesisFor(secrets, 0)
    const peers = await Promise.all(
      secrets.map(async (each) => {
        const admissions = await admissionsOf(t)
        return { admissions, ...(await validatorPeer(t, genesis, each, { admissions })) }
      }),
    )
    for (const [i, { peer }] of peers.entries())
      for (const other of peers.slice(0, i))
        await peer.transport.dial(other.peer.addresses(), AbortSignal.timeout(10_000))
    await until("all to be linked", () =>
      peers.every(({ ledger }) => ledger.status().linked === VALIDATORS - 1),
    )
    const envelopes = Array.from({ length: ENVELOPES }, (_, n) => formsOf(n))
    const firstForms = (i: number) => envelopes.map((forms, n) => forms[(n + i) % forms.length]!)
    // Proofs of what each has first are checked now: their second of patience is for what they fetch.
    for (const [i, { admissions }] of peers.entries())
      for (const form of firstForms(i)) await admissions.get(form[0]!)!(form, { from: "local" })
    const delays = monitorEventLoopDelay({ resolution: 10 })
    delays.enable()
    // The primary has them last: what it proposes the others have already, in another form.
    for (const [i, { peer }] of [...peers.entries()].reverse())
      for (const verdict of await Promise.all(
        firstForms(i).map((form) => peer.mailbox.admit(form, { from: "local" })),
      ))
        assert.equal(verdict.verdict, "accept")
    await until("all to have their place", () =>
      peers.every(({ ledger }) => ledger.height > 0 && ledger.status().waiting === 0),
    )
    const [chain, ...others] = await Promise.all(peers.map(chainOf))
    for (const other of others)
      for (const [i, { certificate }] of other.entries())
        assert.deepEqual(certificate.digest, chain![i]?.certificate.digest)
    const ordered = chain!.flatMap(({ batch }) => batch.items)
    assert.equal(ordered.length, ENVELOPES)
    const spends = new Map(
      envelopes.flatMap((forms) =>
        forms.map((form, i) => [toHex(itemOf(envelopeId(form), form).spend), i] as const),
      ),
    )
    const proposed = ordered.map(
      (item) => item.type === "envelope" && spends.get(toHex(item.spend)),
    )
    assert.deepEqual([...new Set(proposed)].sort(), [0, 1, 2], "forms of every kind were ordered")
    delays.disable()
    const worstMs = delays.max / 1e6
    // The simulator shows it for any timing (test/consensus/variants.test.ts); a machine that stands still loses views by itself.
    if (worstMs > STANDS_STILL_MS) t.diagnostic(`busy: a turn took ${Math.round(worstMs)} ms`)
    else for (const { certificate } of chain!) assert.equal(certificate.view, 0)
  })
})

describe("a wanted form of an envelope", () => {
  const forms = formsOf(0)
  const [kept, proposed] = [forms[0]!, forms[1]!]
  const item = itemOf(envelopeId(proposed), proposed)
  interface Peers {
    readonly [peer: string]: (ids: readonly Bytes[]) => Promise<readonly (Bytes | undefined)[]>
  }

  /** Looks for it where `kept` is here already. */
  function lookFor(t: TestContext, peers: Peers, judge = () => Promise.resolve(ACCEPT as never)) {
    const seen = { asked: [] as string[], admitted: 0 }
    const mailbox = {
      knows: () => true,
      getMany: (ids: readonly Bytes[]) =>
        Promise.resolve(ids.map((id) => (equal(id, item.id) ? kept : undefined))),
      admit: () => assert.fail("its content is here"),
    } as unknown as Pick<Mailbox, "knows" | "getMany" | "admit">
    const wanted = new Wanted({
      mailbox,
      peers: () => Object.keys(peers),
      envelopes: (peer, ids) => {
        seen.asked.push(peer)
        return peers[peer]!(ids)
      },
      judge,
      admit: (items) => (seen.admitted += items.length),
      onFault: (error) => assert.fail(String(error)),
    })
    t.after(() => wanted.stop())
    return { wanted, seen }
  }
  const never = () => new Promise<never>(() => undefined)
  const gives = (envelope: Bytes | undefined) => () => Promise.resolve([envelope])

  it("is asked of the likeliest peer first, and of no other once it is there", async (t) => {
    const { wanted, seen } = lookFor(t, { primary: gives(proposed), other: gives(proposed) })
    wanted.want([item], "proposed")
    wanted.want([item], "proposed")
    await until("it to be admitted", () => seen.admitted === 1)
    assert.deepEqual(seen.asked, ["primary"])
  })

  it("is asked of the next where one has gone, has nothing, or has another form", async (t) => {
    const gone = () => Promise.reject(new StreamError("GONE", "left"))
    const peers = { gone, nothing: gives(undefined), another: gives(kept) }
    const { wanted, seen } = lookFor(t, { ...peers, last: gives(proposed) })
    wanted.want([item], "proposed")
    await until("it to be admitted", () => seen.admitted === 1)
    assert.deepEqual(seen.asked, [...Object.keys(peers), "last"])
  })

  it("does not wait for a peer that is silent: the next is asked beside it", async (t) => {
    const { wanted, seen } = lookFor(t, { silent: never, last: gives(proposed) })
    wanted.want([item], "proposed")
    await until("it to be admitted", () => seen.admitted === 1, 2000)
    assert.deepEqual(seen.asked, ["silent", "last"])
  })

  it("counts for nothing where its admission does not hold", async (t) => {
    const asked = Promise.withResolvers<undefined>()
    const last = () => {
      asked.resolve(undefined)
      return Promise.resolve([undefined])
    }
    const { wanted, seen } = lookFor(t, { liar: gives(proposed), last }, () =>
      Promise.resolve(ignore("MEMBER_PROOF") as never),
    )
    wanted.want([item], "proposed")
    await asked.promise
    assert.equal(seen.admitted, 0)
  })

  it("waits behind nothing that a liar made up: neither what it asks for, nor what it proposed before", async (t) => {
    const withheld = Array.from({ length: 2000 }, () => workItem(primitives.randomBytes(32)))
    const nothing = (ids: readonly Bytes[]) =>
      ids.some((id) => equal(id, item.id))
        ? Promise.resolve(ids.map((id) => (equal(id, item.id) ? proposed : undefined)))
        : never()
    const { wanted, seen } = lookFor(t, { primary: nothing })
    wanted.want(withheld.slice(0, 1000), "requested")
    wanted.want(withheld.slice(1000), "proposed")
    await until("all lanes to be taken", () => seen.asked.length === 4)
    wanted.want([item], "proposed")
    // four groups that nobody has are given up after two seconds; the next is the newest
    await until("it to be admitted", () => seen.admitted === 1, 5000)
    assert.ok(seen.asked.length <= 10, `${seen.asked.length} of 17 groups were asked for`)
  })
})
