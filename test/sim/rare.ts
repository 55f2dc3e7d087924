/** Counts what happens seldom and is easily got wrong, so that a run can say whether its seeds came across it. */
import type { Input, NewView, Output, ViewChange } from "../../src/consensus/types.ts"
import type { SimNode } from "./node.ts"

/** How often rare things happened. */
export interface Rare {
  nullBlocks: number
  preparedFromTwoViews: number
  viewChangeDuringTransfer: number
  termEndDuringViewChange: number
  tornTails: number
  joinsByFewer: number
}

export const noRare = (): Rare => ({
  nullBlocks: 0,
  preparedFromTwoViews: 0,
  viewChangeDuringTransfer: 0,
  termEndDuringViewChange: 0,
  tornTails: 0,
  joinsByFewer: 0,
})

export class RareEvents {
  readonly counts = noRare()
  /** Between their VIEW-CHANGE and the NEW-VIEW, after their last step. */
  readonly #changing = new WeakSet<SimNode>()

  stepped(node: SimNode, input: Input | undefined, outputs: readonly Output[]): void {
    const wasChanging = this.#changing.has(node)
    const blocks = input?.type === "message" && input.message.type === "blocks"
    for (const output of outputs) {
      if (output.type === "term" && wasChanging) this.counts.termEndDuringViewChange++
      if (output.type === "store" && wasChanging && blocks) this.counts.viewChangeDuringTransfer++
      if (output.type !== "broadcast") continue
      const { message } = output
      if (message.type === "view-change" && input?.type === "message") this.counts.joinsByFewer++
      if (message.type === "new-view" && preparedViews(message) > 1)
        this.counts.preparedFromTwoViews++
    }
    if (node.replica?.phase === "view-change") this.#changing.add(node)
    else this.#changing.delete(node)
  }
}

const preparedViews = (newView: NewView): number =>
  new Set(
    newView.changes.flatMap((change: ViewChange) => change.prepared.map((proof) => proof.view)),
  ).size
