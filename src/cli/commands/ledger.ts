/** `sotto ledger`: how far the running node has followed the order, and the last block. */
import { withRunningNode } from "../attach.ts"
import type { Context } from "../context.ts"
import type { LedgerProblem, LedgerView } from "../../node/api/types.ts"
import { counted } from "../counted.ts"
import { LEDGER_PROBLEMS } from "../sentences.ts"

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

function problemRows({ code, detail }: LedgerProblem): string[][] {
  const { what, next } = LEDGER_PROBLEMS[code]
  return [
    ["problem", detail === "" ? what : `${what} (${detail})`],
    ["what to do", next],
  ]
}

function rowsOf(view: LedgerView): string[][] {
  const { height, last, validators, quorum, role, linked, behind, waiting, stalled, problem } = view
  const others = counted(validators - 1, "other")
  const votes =
    linked === null || validators === 1 ? role : `${role}, linked to ${linked} of ${others}`
  return [
    ["height", `${height}`],
    ["validators", `${validators}, of whom ${quorum} ${quorum === 1 ? "makes" : "make"} a block`],
    ["this peer", votes],
    ...(problem === null ? [] : problemRows(problem)),
    [
      "waiting",
      `${counted(waiting, "envelope")}${stalled ? ": no block comes, changes of keys wait" : ""}`,
    ],
    ...(behind > 0 ? [["behind", counted(behind, "block")]] : []),
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
