/**
 * Which addresses this peer tells others. libp2p keeps back every public address until somebody outside has called it there (its AutoNAT does
 * that by dialling strangers, which nobody here does), and then a host on the internet would hand out tickets that lead nowhere. What an
 * interface of this machine has is told. One that cannot be called costs whoever tries it a few seconds; the ways over relays come after it.
 */
import type { DCUtRServiceComponents } from "@libp2p/dcutr"

type Components = Pick<DCUtRServiceComponents, "addressManager" | "transportManager">

/** A libp2p service. */
export class OwnAddresses {
  readonly #components: Components

  constructor(components: Components) {
    this.#components = components
  }

  /** Takes note of what the interfaces have by now. libp2p tells connected peers when that changes something. */
  confirm(): void {
    const { addressManager, transportManager } = this.#components
    for (const address of transportManager.getAddrs())
      addressManager.confirmObservedAddr(address, { type: "transport", ttl: Infinity })
  }
}
