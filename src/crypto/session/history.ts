/**
 * Past epochs in a state: their message keys, so that what was sent before a commit can still be read after it. ts-mls keeps the
 * whole ratchet tree of each; to check who wrote a message only the leaves' signature keys are needed, and the rest (at 1,600 bytes
 * a node) would be most of what is stored after every message.
 */
import type { ClientState, LeafNode, RatchetTree, SecretTree } from "ts-mls"
import { addHistoricalReceiverData } from "ts-mls/clientState.js"
import { assert } from "../errors.ts"

const NOTHING = new Uint8Array(0)

/** The same state with what past epochs no longer need left out. */
export function lighten(mls: ClientState): ClientState {
  const history = new Map(mls.historicalReceiverData)
  for (const [epoch, keys] of history) {
    history.set(epoch, { ...keys, ratchetTree: signersOf(keys.ratchetTree) })
  }
  return { ...mls, historicalReceiverData: history }
}

const signersOf = (tree: RatchetTree): RatchetTree =>
  tree.map((node) =>
    node?.nodeType === "leaf" ? { nodeType: "leaf", leaf: signerOf(node.leaf) } : undefined,
  )

const signerOf = (leaf: LeafNode): LeafNode => ({
  ...leaf,
  hpkePublicKey: NOTHING,
  capabilities: { versions: [], ciphersuites: [], extensions: [], proposals: [], credentials: [] },
  signature: NOTHING,
})

/**
 * `after`: the group as somebody was let into it anew, `before` their state of it until then. What was sent in the epochs of the one
 * can be read with the other from here on; its own keys are no part of that. Nothing changes when `before` is not older.
 */
export function withPast(after: ClientState, before: ClientState): ClientState {
  if (before.groupContext.epoch >= after.groupContext.epoch) return after
  const [historicalReceiverData] = addHistoricalReceiverData(before)
  return lighten({ ...after, historicalReceiverData })
}

/** The state with one message key used up, in the epoch that the message was of. */
export function withRead(mls: ClientState, epoch: bigint, secretTree: SecretTree): ClientState {
  if (epoch === mls.groupContext.epoch) return { ...mls, secretTree }
  const past = mls.historicalReceiverData.get(epoch)
  assert(past !== undefined, "the message was read with this epoch's keys")
  const history = new Map(mls.historicalReceiverData)
  history.set(epoch, { ...past, secretTree })
  return { ...mls, historicalReceiverData: history }
}

/** `after` was made from an earlier state of the epoch that `before` is in: what was read since stays read. */
export function withReadSince(after: ClientState, before: ClientState): ClientState {
  const history = new Map(after.historicalReceiverData)
  for (const [epoch, keys] of history) {
    const asRead =
      epoch === before.groupContext.epoch
        ? before.secretTree
        : before.historicalReceiverData.get(epoch)?.secretTree
    assert(asRead !== undefined, "the commit was made from this group's past")
    history.set(epoch, { ...keys, secretTree: asRead })
  }
  return { ...after, historicalReceiverData: history }
}
