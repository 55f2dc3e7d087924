/**
 * Envelopes that a peer had for us before we could judge them: the ledger here was behind, so their period or their place was not known yet.
 * They are remembered by id and asked for again when the ledger has moved: at once those that it has ordered meanwhile, the
 * others when a period begins.
 */
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { FETCH_MAX } from "./sync-messages.ts"

/** Ids remembered; beyond it the oldest are forgotten, and come again when another peer is read. */
export const LATER_MAX = 16_384
/** Tries for one id: an honest peer may keep what nobody can judge any more. */
const TRIES_MAX = 4

/** Codes of verdicts that another day may be different. */
const PASSING: ReadonlySet<string> = new Set([
  "NOT_ORDERED",
  "MEMBER_ROOT",
  "MEMBER_PERIOD",
  "POW_ANCHOR",
])

export const isPassing = (code: string): boolean => PASSING.has(code)

interface Later {
  readonly id: Bytes
  readonly peer: string
  tries: number
}

export class SyncLater {
  readonly #later = new Map<string, Later>()
  readonly #isVouched: (id: Bytes) => boolean

  constructor(isVouched: (id: Bytes) => boolean) {
    this.#isVouched = isVouched
  }

  get size(): number {
    return this.#later.size
  }

  /** This peer has it, and it could not be judged. */
  add(id: Bytes, peer: string): void {
    const name = toHex(id)
    const known = this.#later.get(name)
    if (known !== undefined && known.tries >= TRIES_MAX) return
    this.#later.delete(name)
    this.#later.set(name, { id: id.slice(), peer, tries: known?.tries ?? 0 })
    if (this.#later.size <= LATER_MAX) return
    for (const oldest of this.#later.keys()) {
      this.#later.delete(oldest)
      return
    }
  }

  /** It is here. */
  came(id: Bytes): void {
    this.#later.delete(toHex(id))
  }

  /** What to ask for now, by peer, at most FETCH_MAX ids a request. `all`: not only what the ledger has ordered. */
  due(all: boolean): readonly { readonly peer: string; readonly ids: readonly Bytes[] }[] {
    const byPeer = new Map<string, Bytes[]>()
    for (const each of this.#later.values()) {
      if (each.tries >= TRIES_MAX || (!all && !this.#isVouched(each.id))) continue
      each.tries += 1
      const ids = byPeer.get(each.peer) ?? []
      byPeer.set(each.peer, ids)
      ids.push(each.id)
    }
    return [...byPeer].flatMap(([peer, ids]) => {
      const requests: { peer: string; ids: Bytes[] }[] = []
      for (let at = 0; at < ids.length; at += FETCH_MAX)
        requests.push({ peer, ids: ids.slice(at, at + FETCH_MAX) })
      return requests
    })
  }
}
