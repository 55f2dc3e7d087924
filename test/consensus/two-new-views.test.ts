/**
 * A new view against what is decided. What committed in an earlier view, every new view carries on (section 4.5.1): one that does
 * not proves more than f faulty. But a faulty primary may form two NEW-VIEWs from two quorums of VIEW-CHANGEs, both valid, and
 * what commits in one of them need not be what the other names: that must stop nobody.
 */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { equal } from "../../src/crypto/bytes.ts"
import { newViewPreimage, viewChangePreimage, votePreimage } from "../../src/consensus/preimage.ts"
import { batchOf } from "../../src/consensus/item.ts"
import type {
  NewView,
  PreparedProof,
  Reproposal,
  ViewChange,
  Vote,
  VoteType,
} from "../../src/consensus/types.ts"
import { cluster } from "../sim/cluster.ts"
import type { Cluster } from "../sim/cluster.ts"
import { work } from "./parts.ts"

/** Signs a vote of term 0 with a validator's own key. */
function vote<Type extends VoteType>(
  c: Cluster,
  signer: number,
  type: Type,
  view: number,
  height: number,
  digest: Uint8Array,
): Vote<Type> {
  const fields = { type, term: 0, view, height, digest, signer }
  const signature = c.node(signer).holder.sign(votePreimage(c.rules.meshId, fields))
  return { ...fields, signature }
}

function viewChange(
  c: Cluster,
  signer: number,
  view: number,
  prepared: readonly PreparedProof[] = [],
): ViewChange {
  const fields = { type: "view-change" as const, term: 0, view, prepared, signer }
  const signature = c.node(signer).holder.sign(viewChangePreimage(c.rules.meshId, fields))
  return { ...fields, signature }
}

/** The NEW-VIEW of the view's primary over these VIEW-CHANGEs. */
function newView(
  c: Cluster,
  signer: number,
  changes: readonly ViewChange[],
  carried: readonly { readonly height: number; readonly digest: Uint8Array }[],
): NewView {
  const { view } = changes[0]!
  const proposals: Reproposal[] = carried.map(({ height, digest }) => {
    const { signature } = vote(c, signer, "pre-prepare", view, height, digest)
    return { height, digest, signature }
  })
  const fields = { type: "new-view" as const, term: 0, view, changes, proposals, signer }
  const signature = c.node(signer).holder.sign(newViewPreimage(c.rules.meshId, fields))
  return { ...fields, signature }
}

function changeSentBy(c: Cluster, from: string): ViewChange {
  const found = c.sent.find(({ from: sender, message }) => {
    const isChange = !(message instanceof Uint8Array) && message.type === "view-change"
    return sender === from && isChange && message.view === 1
  })
  assert.ok(found !== undefined, `${from} has asked for view 1`)
  return found.message as ViewChange
}

describe("a primary that forms two NEW-VIEWs", () => {
  it("stops no laggard: one names X, the block was decided with Y in the other, and its certificate stands", () => {
    const c = cluster(4, { batch: 1, record: true })
    const liar = c.byz(1)
    // View 0: X prepares at 0 alone, and nobody commits.
    const ends = [
      c.drop({ type: "pre-prepare", height: 2 }),
      c.drop({ type: "prepare", to: "2" }),
      c.drop({ type: "prepare", to: "3" }),
      c.drop({ type: "commit" }),
    ]
    const [x, y] = c.submit(2).map((item) => batchOf([item]))
    assert.ok(x !== undefined && y !== undefined)
    assert.ok(c.runUntil(() => c.nodes.every((node) => node.replica?.view !== 0), 5000))
    c.run(50)
    for (const end of ends) end()
    const first = changeSentBy(c, "0").prepared.map(({ height, digest }) => ({ height, digest }))
    assert.equal(first.length, 1)
    const [other] = [x, y].filter(({ digest }) => !equal(digest, first[0]!.digest))
    assert.ok(other !== undefined)

    // View 1, to 2 and 3: nothing was prepared, so the primary may propose the other one.
    c.drop({ type: "new-view", to: "0" })
    c.drop({ type: "pre-prepare", to: "0" })
    const open = newView(
      c,
      1,
      [viewChange(c, 1, 1), changeSentBy(c, "2"), changeSentBy(c, "3")],
      [],
    )
    const proposal = { ...vote(c, 1, "pre-prepare", 1, 1, other.digest), batch: other }
    for (const to of ["2", "3"]) {
      liar.send(to, open)
      liar.send(to, proposal)
    }
    c.run(100)
    const committed = c.sent.find(({ from, message }) => {
      const isCommit = !(message instanceof Uint8Array) && message.type === "commit"
      return from === "2" && isCommit && message.view === 1
    })
    const { digest } = committed!.message as Vote<"commit">
    liar.send("*", vote(c, 1, "commit", 1, 1, digest))
    assert.ok(
      c.runUntil(() => c.node(0).replica?.executed === 1, 10_000),
      "0 took the block",
    )
    assert.equal(c.delivered(0)[0]?.certificate.view, 1)

    // The same view, to 0: the VIEW-CHANGEs that show X. Valid, and no contradiction.
    const closed = newView(
      c,
      1,
      [changeSentBy(c, "0"), viewChange(c, 1, 1), changeSentBy(c, "2")],
      first,
    )
    c.node(0).receive(1, closed)
    assert.equal(c.node(0).replica?.mode, "voter")
    assert.ok(c.runUntil(() => c.settled(), 60_000))
    assert.deepEqual(c.violations, [])
  })

  it("is no excuse: a new view that loses what an earlier view decided halts whoever knows", () => {
    const c = cluster(4, { batch: 1 })
    for (const id of [0, 1, 2, 3]) c.distrust(id)
    c.submit(1)
    c.run(200)
    assert.equal(c.node(0).replica?.executed, 1)
    const { digest } = batchOf([work("another")])
    const proof: PreparedProof = {
      height: 1,
      view: 0,
      digest,
      proposal: vote(c, 0, "pre-prepare", 0, 1, digest).signature,
      prepares: [1, 2].map((signer) => ({
        signer,
        signature: vote(c, signer, "prepare", 0, 1, digest).signature,
      })),
    }
    const changes = [1, 2, 3].map((signer) => viewChange(c, signer, 1, [proof]))
    c.node(0).receive(1, newView(c, 1, changes, [{ height: 1, digest }]))
    assert.equal(c.node(0).replica?.mode, "halted")
    assert.equal(c.node(0).replica?.halted?.code, "DECIDED_OTHERWISE")
  })
})
