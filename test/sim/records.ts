/** What a run leaves behind for a test to look at, and the way of a message through the codec. */
import { decodeMessage, encodeMessage } from "../../src/consensus/codec.ts"
import type { BlockRecord, Message } from "../../src/consensus/types.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"

export interface SentMessage {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly message: Message | Bytes
}

/** The blocks that each node delivered. */
export class Deliveries {
  readonly #blocks = new Map<string, BlockRecord[]>()

  add(node: string, block: BlockRecord): void {
    const blocks = this.#blocks.get(node) ?? []
    blocks.push(block)
    this.#blocks.set(node, blocks)
  }

  of(node: string): readonly BlockRecord[] {
    return this.#blocks.get(node) ?? []
  }
}

/** Through the codec and back; decoded once for all who get it. What no decoder takes stays bytes. */
export class Wire {
  readonly #carried = new WeakMap<Message, Message | Bytes>()

  carry(message: Message): Message | Bytes {
    let carried = this.#carried.get(message)
    if (carried === undefined) {
      const bytes = encodeMessage(message)
      try {
        carried = decodeMessage(bytes)
      } catch {
        carried = bytes
      }
      this.#carried.set(message, carried)
    }
    return carried
  }
}
