/** An installation's way into the members: over restarts, against others with the same ticket, and called off. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { batchOf } from "../../../src/consensus/item.ts"
import { encodeVoucher, joinByVoucher, newVoucher } from "../../../src/consensus/join.ts"
import { Ledger } from "../../../src/consensus/ledger.ts"
import type { Item, MemberAddItem } from "../../../src/consensus/types.ts"
import type { Bytes } from "../../../src/crypto/bytes.ts"
import { MeshJoining } from "../../../src/node/mesh/joining.ts"
import { bench, hash } from "../../consensus/parts.ts"

const parts = bench(4, "real")
const { meshId } = parts.rules
const PROOF = new Uint8Array(160).fill(9)
const me = hash("me")
const atOnce = AbortSignal.abort()
const soon = () => AbortSignal.timeout(20_000)

function world(kept?: Bytes) {
  const ledger = new Ledger(parts.rules)
  const ada = parts.holderOf(ledger.set, 0)
  const shelf = { voucher: kept }
  const said = Promise.withResolvers<MemberAddItem>()
  const working = Promise.withResolvers<AbortSignal>()
  let known: Bytes | undefined
  const joining = new MeshJoining({
    meshId,
    isOpen: true,
    ledger: () => ledger,
    shelf: {
      get: () => Promise.resolve(shelf.voucher),
      put: (voucher) => {
        shelf.voucher = voucher
        return Promise.resolve()
      },
    },
    commitment: () => Promise.resolve((known = me)),
    known: () => known,
    prove: () => Promise.resolve(PROOF),
    work: (_, signal) => {
      working.resolve(signal)
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true })
      })
    },
    say: (item) => {
      said.resolve(item)
      return Promise.resolve()
    },
    left: () => undefined,
    counts: () => false,
    onStep: () => undefined,
    onChange: () => undefined,
    onFault: (error) => assert.fail(String(error)),
  })
  const order = (...items: readonly Item[]) => {
    const plan = ledger.plan(batchOf(items))
    ledger.apply(plan)
    joining.applied()
    return plan.applied.length
  }
  const voucher = newVoucher(meshId, ada.keys.ed25519, (bytes) => ada.sign(bytes).slice(0, 64))
  return { ledger, joining, shelf, said: said.promise, working: working.promise, order, voucher }
}

describe("joining", () => {
  it("by a voucher: kept until the ledger has taken it, and then forgotten", async () => {
    const { joining, shelf, said, order, voucher } = world()
    const bytes = encodeVoucher(voucher)
    assert.equal((await joining.join(bytes, atOnce)).state, "joining")
    assert.deepEqual(shelf.voucher, bytes)
    const outcome = joining.join(bytes, soon())
    assert.equal(order(await said), 1)
    assert.equal((await outcome).state, "joined")
    assert.equal(shelf.voucher, undefined)
    await joining.stop()
  })

  it("goes on after a restart", async () => {
    const { voucher } = world()
    const after = world(encodeVoucher(voucher))
    await after.joining.resume()
    assert.equal(after.joining.view().state, "joining")
    assert.equal(after.order(await after.said), 1)
    assert.equal(after.joining.view().state, "joined")
    await after.joining.stop()
  })

  it("says so when somebody else was quicker with the same ticket", async () => {
    const { joining, shelf, said, order, voucher } = world()
    const outcome = joining.join(encodeVoucher(voucher), soon())
    await said
    order(joinByVoucher(meshId, hash("somebody else"), voucher, PROOF))
    await assert.rejects(outcome, { code: "VOUCHER_USED" })
    assert.deepEqual(joining.view(), {
      state: "none",
      refusal: "VOUCHER_USED",
      commitment: Buffer.from(me).toString("hex"),
      left: null,
    })
    assert.equal(shelf.voucher, undefined)
    const again = world().voucher
    assert.equal((await joining.join(encodeVoucher(again), atOnce)).state, "joining")
    await joining.stop()
  })

  it("by work goes on when nobody waits, and ends when it is called off", async () => {
    const { joining, working } = world()
    assert.equal((await joining.join(undefined, atOnce)).state, "joining")
    const signal = await working
    assert.equal(signal.aborted, false)
    const outcome = joining.join(undefined, soon())
    joining.cancel()
    assert.equal(signal.aborted, true)
    assert.equal((await outcome).state, "none")
    await joining.stop()
  })
})
