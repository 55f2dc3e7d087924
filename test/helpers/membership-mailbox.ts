/** A mailbox that takes membership proofs of the recorded members (membership-fixture.ts), and whose ledger says what the test wants. */
import assert from "node:assert/strict"
import type { TestContext } from "node:test"
import { type Bytes, toHex } from "../../src/crypto/bytes.ts"
import { MEMBERSHIP_KIND } from "../../src/crypto/membership/admission.ts"
import type { Verdict } from "../../src/crypto/verdict.ts"
import { Mailbox, type Origin } from "../../src/node/mailbox/mailbox.ts"
import {
  MembershipAdmission,
  type MembershipAdmissionParts,
} from "../../src/node/membership/membership-admission.ts"
import { openMemoryStore, type Store } from "../../src/node/store/store.ts"
import { ProofVerifier } from "../../src/node/membership/verify.ts"
import { meshId, PERIOD, tree } from "./membership-fixture.ts"

/** A ledger that stands in the fixture's period and knows its root, until told otherwise. */
export class TestRoots {
  now = PERIOD
  readonly roots = new Map<number, Bytes>([[PERIOD, tree.root]])
  readonly ordered = new Set<string>()
  period = () => this.now
  rootFor = (period: number) => this.roots.get(period)
  vouched = (id: Bytes) => this.ordered.has(toHex(id))
}

export interface Options {
  readonly store?: Store
  readonly roots?: TestRoots
  readonly verifier?: MembershipAdmissionParts["verifier"]
}

export async function membershipMailbox(t: TestContext, options: Options = {}) {
  const store = options.store ?? (await openMemoryStore())
  const roots = options.roots ?? new TestRoots()
  const real = new ProofVerifier()
  const faults: unknown[] = []
  const onFault = (error: unknown) => faults.push(error)
  const counted = { checks: 0 }
  const verifier = options.verifier ?? {
    verify: (...claim: Parameters<ProofVerifier["verify"]>) => {
      counted.checks += 1
      return real.verify(...claim)
    },
  }
  const admission = await MembershipAdmission.open({ store, meshId, roots, verifier, onFault })
  const admissions = new Map([
    [MEMBERSHIP_KIND, (bytes: Bytes, origin: Origin) => admission.judge(bytes, origin)],
  ])
  const { vouched } = roots
  const mailbox = await Mailbox.open({ store, meshId, admissions, vouched, onFault })
  const stop = async () => {
    await real.stop()
    await admission.stop()
    await mailbox.stop()
  }
  t.after(async () => {
    await stop()
    await store.close()
    assert.deepEqual(faults, [])
  })
  const came = async (
    bytes: Bytes,
    from: "gossip" | "sync" | "fetch" = "gossip",
    peer = "a peer",
  ) =>
    from === "gossip"
      ? said(await mailbox.rule().judge(bytes, peer))
      : said(await mailbox.admit(bytes, { from, peer }))
  return { store, roots, admission, mailbox, counted, came, stop }
}

export const said = (verdict: Verdict): string =>
  verdict.verdict === "accept" ? "accept" : `${verdict.verdict} ${verdict.code}`
