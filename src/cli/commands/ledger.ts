/** `sotto ledger`: how far the running node has followed the order, and the last block. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import type { LedgerView } from "../../node/api/types.ts"

export async function run(context: Context): Promise<void> {
  const { out, signal } = context
  const view = await withRunningNode(context, (api) => api.call("ledger.show", {}, { signal }))
  if (out.json) {
    out.object(view)
    return
  }
  const { printTable } = await import("../table.ts")
  printTable(rowsOf(view))
}

function rowsOf(view: LedgerView): string[][] {
  const { height, last, validators, quorum, role, linked, behind, waiting, stalled } = view
  const votes = linked === null ? role : `${role}, linked to ${linked} of ${validators - 1} others`
  return [
    ["height", `${height}`],
    ["validators", `${validators}, ${quorum} of them make a block`],
    ["this peer", votes],
    ["waiting", `${waiting} envelopes${stalled ? ": no block comes, changes of keys wait" : ""}`],
    ...(behind > 0 ? [["behind", `${behind} blocks`]] : []),
    ...(last === null
      ? []
      : [
          ["last block", last.hash],
          ["its parent", last.parent],
          ["its items", `${last.items}`],
          ["decided in", `term ${last.term}, view ${last.view}`],
          ...last.signers.map((key) => ["signed by", key]),
        ]),
  ]
}
