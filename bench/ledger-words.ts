/**
 * What the measuring process and the peers of a ledger benchmark say to each other over the IPC channel of the processes: `Order` in, `Word`
 * out. The peers are of the program (ledger-peer.ts) or the floor under it (ledger-floor-peer.ts).
 */
import { Socket } from "node:net"
import type { Item } from "../src/consensus/types.ts"
import { concat } from "../src/crypto/bytes.ts"
import { envelopesOf } from "../src/node/ledger/chain.ts"
import type { ValidatorSecrets } from "../src/node/ledger/validator-keys.ts"
import type { Behaviour } from "./ledger-byzantine.ts"

export const ID_BYTES = 32
/** Where a peer reads ids that it is to admit, one after the other. A pipe of its own: a message for each millisecond's ids cost more than admitting them. */
export const IDS_FD = 4
export const TAIL_BYTES = 4

/** How a peer is to be started. */
export interface PeerPlan {
  readonly directory: string
  /** Encoded. */
  readonly genesis: Uint8Array
  /** Absent: it follows. */
  readonly secrets?: ValidatorSecrets
  readonly listen: string
  readonly bootstrap: readonly string[]
  readonly behaviour: Behaviour
}

export type Order = { readonly type: "start"; readonly plan: PeerPlan } | { readonly type: "stop" }

export type Word =
  | { readonly type: "ready"; readonly addresses: readonly string[]; readonly height: number }
  | { readonly type: "linked"; readonly links: number }
  | {
      readonly type: "block"
      readonly height: number
      readonly term: number
      readonly view: number
      /** Four bytes each. */
      readonly tails: Uint8Array
    }

/** Hands on the ids that come, as many as are whole, 32 bytes each. */
export function onIds(admit: (ids: Uint8Array) => void): void {
  let rest: Uint8Array = new Uint8Array(0)
  const pipe = new Socket({ fd: IDS_FD, readable: true, writable: false })
  pipe.on("data", (chunk: Uint8Array) => {
    const bytes = rest.length === 0 ? new Uint8Array(chunk) : concat(rest, chunk)
    const whole = bytes.length - (bytes.length % ID_BYTES)
    rest = bytes.subarray(whole)
    if (whole > 0) admit(bytes.subarray(0, whole))
  })
}

/** The last four bytes of the ids among these, which is where the measuring process put their numbers. */
export function tailsOf(applied: readonly Item[]): Uint8Array {
  const ids = envelopesOf(applied)
  const tails = new Uint8Array(ids.length * TAIL_BYTES)
  ids.forEach((id, i) => tails.set(id.subarray(-TAIL_BYTES), i * TAIL_BYTES))
  return tails
}
