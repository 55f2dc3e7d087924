/**
 * Which part this peer plays in the ledger, and the change from one to the other while it runs: it follows as long as the set of
 * validators does not hold its keys, and validates while the set, or the next one, does.
 */
import type { Scheme } from "../../consensus/hybrid.ts"
import type { Ledger, LedgerRules } from "../../consensus/ledger.ts"
import { seatOf, type ValidatorSet } from "../../consensus/quorum.ts"
import { openTermOf } from "../../consensus/recovery.ts"
import type { BlockRecord, Item, ValidatorKeys } from "../../consensus/types.ts"
import type { LedgerChain } from "./chain.ts"
import type { SignatureChecks } from "./checks.ts"
import type { Standpoint } from "./driver.ts"
import { LedgerFollower } from "./follower.ts"
import type { LedgerPart } from "./part.ts"
import { LedgerValidator } from "./validator.ts"
import type { Want } from "./wanted.ts"
import type { Network } from "../network/parts.ts"
import type { Validator } from "./validator-keys.ts"

export interface SeatParts {
  readonly rules: LedgerRules
  /** The least time between two ticks. */
  readonly periodMs: number
  readonly chain: LedgerChain
  readonly scheme: Scheme
  readonly checks: SignatureChecks
  /** The profile's `ledger` directory and the mark beside new keys; undefined where nothing outlives the process. */
  readonly directory: string | undefined
  readonly newMark: string | undefined
  /** This peer's validator keys, if it has any by now. */
  readonly validator: () => Validator | undefined
  /** Who may be at the other end of a stream now. */
  readonly members: () => readonly ValidatorKeys[]
  /** Whether envelopes are known here that have no place yet. */
  readonly waits: () => boolean
  /** A proposal names what is not admitted here. */
  readonly want: (items: readonly Item[], why: Want) => void
  /** A block is certified and stored. In order of height, each once. */
  readonly onBlock: (applied: readonly Item[]) => void
  /** It is known for the first time that there is no later block. */
  readonly onNewest: () => void
  /** Links have come or gone, or the driver has stopped. */
  readonly onLinks: () => void
  /** Another part has begun. */
  readonly onPart: () => void
  readonly note: (line: string) => void
  readonly onFault: (error: unknown) => void
}

export class LedgerSeat {
  readonly #parts: SeatParts
  #network: Network | undefined
  #part: LedgerPart | undefined
  #switching: Promise<void> | undefined
  #stopped = false

  constructor(parts: SeatParts) {
    this.#parts = parts
  }

  get part(): LedgerPart | undefined {
    return this.#part
  }

  /** Throws StoreError. */
  async start(at: Standpoint, network: Network): Promise<void> {
    this.#network = network
    this.#part = await this.#begin(at, network)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#switching
    await this.#part?.stop()
  }

  /**
   * The set may have changed: who comes into it begins to validate, who is out of it for good follows. One whose term has just ended
   * stays until a block of the next one is there: others may still lack its last votes.
   */
  fit(): void {
    const { ledger, role } = this.#part ?? {}
    const validator = this.#parts.validator()
    if (ledger === undefined || validator === undefined || this.#stopped) return
    const isFollowing = role === "following"
    const belongs = isSeated(ledger, validator) || (!isFollowing && isIn(ledger.lastSet, validator))
    if (belongs === isFollowing) this.#switching ??= this.#switch()
  }

  async #switch(): Promise<void> {
    try {
      await this.#change()
    } catch (error) {
      // a part that cannot begin is not begun again and again: the next block tries
      this.#parts.onFault(error)
      return
    } finally {
      this.#switching = undefined
    }
    this.fit()
  }

  async #change(): Promise<void> {
    const { chain, rules, note, onPart } = this.#parts
    const [before, network] = [this.#part, this.#network]
    if (before === undefined || network === undefined) return
    await before.stop()
    const { ledger } = before
    const low = openTermOf(ledger.height, rules.termHeights, chain.stable)
    const recent: BlockRecord[] = []
    for await (const record of chain.records(low * rules.termHeights)) recent.push(record)
    this.#part = await this.#begin({ ledger, recent }, network)
    note(`ledger: ${this.#part.role} from height ${ledger.height} on`)
    for (const peer of network.transport.peers()) this.#part.connected(peer)
    onPart()
  }

  async #begin(at: Standpoint, network: Network): Promise<LedgerPart> {
    const validator = this.#parts.validator()
    return validator !== undefined && isSeated(at.ledger, validator)
      ? await this.#validate(validator, at, network)
      : this.#follow(at.ledger, network)
  }

  #follow(ledger: Ledger, network: Network): LedgerFollower {
    const { chain, scheme, checks, waits, onBlock, onNewest, note, onFault } = this.#parts
    const follower = new LedgerFollower({
      ledger,
      chain,
      scheme,
      checks,
      peers: () => network.transport.peers(),
      ask: (peer, after, limit) => network.blocksFrom(peer, after, limit),
      lied: (peer) => void network.distrust(peer).catch(onFault),
      waits,
      onBlock: (_, applied) => onBlock(applied),
      onNewest,
      note,
      onFault,
    })
    follower.start()
    return follower
  }

  #validate(validator: Validator, at: Standpoint, network: Network): Promise<LedgerValidator> {
    const { rules, periodMs, scheme, checks, chain, directory, newMark, members } = this.#parts
    const { want, onBlock, onLinks: onChange, note, onFault } = this.#parts
    return LedgerValidator.start(at, {
      rules,
      periodMs,
      scheme,
      checks,
      chain,
      network,
      validator,
      directory,
      newMark,
      members,
      want,
      onBlock,
      onChange,
      note,
      onFault,
    })
  }
}

const isIn = (set: ValidatorSet, { keys }: Validator) => seatOf(set, keys.ed25519) >= 0

/** In force now or from the next term on. */
const isSeated = ({ set, fields }: Ledger, validator: Validator) =>
  isIn(set, validator) || isIn(fields.nextSet, validator)
