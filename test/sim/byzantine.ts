/**
 * Byzantine validators by name. Each runs a correct replica underneath and lies on its way to the network, with its own key: the
 * simulation gives it no other, so it forges nobody.
 */
import { concat } from "../../src/crypto/bytes.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { encodeMessage } from "../../src/consensus/codec.ts"
import { newViewPreimage, viewChangePreimage, votePreimage } from "../../src/consensus/preimage.ts"
import { batchOf, NULL_BATCH } from "../../src/consensus/item.ts"
import { primaryOf } from "../../src/consensus/quorum.ts"
import type {
  Batch,
  BlockRecord,
  Blocks,
  Message,
  NewView,
  Peer,
  PreparedProof,
  PrePrepare,
  Signed,
  Status,
  ViewChange,
  Vote,
} from "../../src/consensus/types.ts"
import type { SimNode } from "./node.ts"
import type { Random } from "./random.ts"

export const BEHAVIOURS = [
  "silent",
  "slow",
  "equivocate",
  "conflicting-votes",
  "stale-replay",
  "malformed",
  "lying-view-change",
  "lying-state-transfer",
] as const
export type Behaviour = (typeof BEHAVIOURS)[number]

/** How a Byzantine node reaches the others. */
export interface Wire {
  /** Peers that a broadcast goes to. */
  validators(): readonly Peer[]
  put(to: Peer, message: Message | Bytes, delayMs?: number): void
}

/** A message without its signature: to be changed and signed again. */
function unsigned<M extends { signature: Bytes }>(message: M): Omit<M, "signature"> {
  const copy: Partial<M> & Omit<M, "signature"> = { ...message }
  delete copy.signature
  return copy
}

type Unsigned<V extends Vote> = Omit<V, "signature">

export class Byzantine {
  readonly behaviour: Behaviour
  readonly #node: SimNode
  readonly #random: Random
  readonly #wire: Wire
  readonly #meshId: Bytes
  readonly #requestMs: number
  /** Old messages, own and others'. */
  readonly #memory: Message[] = []
  /** Second batches by "term view height". */
  readonly #other = new Map<string, Batch>()
  readonly #echoed = new Set<string>()

  constructor(
    behaviour: Behaviour,
    node: SimNode,
    random: Random,
    wire: Wire,
    meshId: Bytes,
    requestMs: number,
  ) {
    this.behaviour = behaviour
    this.#node = node
    this.#random = random
    this.#wire = wire
    this.#meshId = meshId
    this.#requestMs = requestMs
  }

  /** Takes the place of the network for everything the replica underneath sends. */
  transmit(to: Peer | undefined, message: Message): void {
    this.#keep(message)
    const targets = to === undefined ? this.#wire.validators() : [to]
    switch (this.behaviour) {
      case "silent":
        return
      case "slow":
        for (const peer of targets) this.#wire.put(peer, message, 0.9 * this.#requestMs)
        return
      case "equivocate":
        this.#equivocate(targets, message)
        return
      case "conflicting-votes":
        this.#conflict(targets, message)
        return
      case "stale-replay":
        for (const peer of targets) this.#wire.put(peer, message)
        this.#replay()
        return
      case "malformed":
        for (const peer of targets) this.#malform(peer, message)
        return
      case "lying-view-change":
        this.#lieAboutViews(targets, message)
        return
      case "lying-state-transfer":
        this.#lieAboutBlocks(targets, message)
    }
  }

  /** Sees what the replica underneath gets. */
  received(message: Message | Bytes): void {
    if (message instanceof Uint8Array) return
    this.#keep(message)
    if (this.behaviour === "conflicting-votes" || this.behaviour === "equivocate")
      this.#echo(message)
    if (this.behaviour === "lying-view-change" && this.#random.chance(2)) this.#forceView()
  }

  #keep(message: Message): void {
    if (this.#memory.length < 400) this.#memory.push(message)
    else this.#memory[this.#random.between(0, 399)] = message
  }

  #sign<V extends Vote>(vote: Unsigned<V>): V {
    const signature = this.#node.holder.sign(votePreimage(this.#meshId, vote))
    return { ...vote, signature } as V
  }

  // ---- two faces

  #otherBatch(message: PrePrepare): Batch | undefined {
    const place = `${message.term} ${message.view} ${message.height}`
    let other = this.#other.get(place)
    if (other === undefined && message.batch !== undefined && message.batch.items.length > 0) {
      const { items } = message.batch
      other = batchOf(items.length > 1 ? [...items].reverse() : [...items, ...items])
      this.#other.set(place, other)
    }
    return other
  }

  #otherDigest(vote: Vote): Bytes | undefined {
    const batch = this.#other.get(`${vote.term} ${vote.view} ${vote.height}`)
    if (batch === undefined) return undefined
    if (vote.type !== "commit") return batch.digest
    const ledger = this.#node.replica?.ledger
    return ledger?.height === vote.height - 1 ? ledger.plan(batch).hash : undefined
  }

  #equivocate(targets: readonly Peer[], message: Message): void {
    const half = Math.ceil(this.#wire.validators().length / 2)
    const order = this.#wire.validators()
    for (const peer of targets) {
      const first = order.indexOf(peer) < half
      if (first || !("digest" in message) || !("signer" in message) || !("view" in message)) {
        this.#wire.put(peer, message)
        continue
      }
      if (message.type === "pre-prepare") {
        const batch = this.#otherBatch(message)
        if (batch === undefined) this.#wire.put(peer, message)
        else
          this.#wire.put(peer, {
            ...this.#sign<PrePrepare>({ ...message, digest: batch.digest }),
            batch,
          })
        continue
      }
      const digest = this.#otherDigest(message)
      this.#wire.put(peer, digest === undefined ? message : this.#sign({ ...message, digest }))
    }
  }

  /** Votes for whatever anyone proposes or prepares, to everyone. */
  #echo(message: Message): void {
    const replica = this.#node.replica
    if (replica === undefined || replica.seat < 0) return
    if (message.type !== "pre-prepare" && message.type !== "prepare" && message.type !== "commit")
      return
    const place = `${message.type} ${message.term} ${message.view} ${message.height} ${message.digest.join()}`
    if (this.#echoed.has(place) || this.#echoed.size > 5000) return
    this.#echoed.add(place)
    const { term, view, height, digest } = message
    const signer = replica.seat
    const types: ("prepare" | "commit")[] = []
    const { size } = replica.ledger.set
    if (message.type === "commit") types.push("commit")
    else if (primaryOf(term, view, size) !== signer) types.push("prepare")
    for (const type of types) {
      const vote = this.#sign<Vote>({ type, term, view, height, digest, signer }) as Message
      for (const peer of this.#wire.validators()) this.#wire.put(peer, vote)
    }
    if (message.type === "commit" || replica.ledger.height !== height - 1) return
    // It commits to batches that never prepared, as soon as it can tell their block.
    const batch = message.type === "pre-prepare" ? message.batch : undefined
    if (batch === undefined) return
    const hash = replica.ledger.plan(batch).hash
    const vote = this.#sign<Vote>({ type: "commit", term, view, height, digest: hash, signer })
    for (const peer of this.#wire.validators()) this.#wire.put(peer, vote)
  }

  #conflict(targets: readonly Peer[], message: Message): void {
    for (const peer of targets) {
      if (
        message.type !== "prepare" &&
        message.type !== "commit" &&
        message.type !== "checkpoint"
      ) {
        this.#wire.put(peer, message)
        continue
      }
      const lie = this.#sign<Vote>({ ...message, digest: this.#random.bytes(32) }) as Message
      const pair = this.#random.chance(50) ? [message, lie] : [lie, message]
      for (const vote of pair) if (this.#random.chance(80)) this.#wire.put(peer, vote)
    }
  }

  // ---- the past

  #replay(): void {
    for (let i = 0; i < 2; i++)
      if (this.#memory.length > 0 && this.#random.chance(40))
        this.#wire.put(this.#random.pick(this.#wire.validators()), this.#random.pick(this.#memory))
  }

  // ---- nonsense

  #malform(peer: Peer, message: Message): void {
    if (this.#random.chance(50)) this.#wire.put(peer, message)
    if (
      "digest" in message &&
      "signer" in message &&
      "view" in message &&
      this.#random.chance(60)
    ) {
      const step = this.#random.pick([-1, 1])
      const changed = this.#random.pick<Partial<Vote>>([
        { height: Math.max(0, message.height + step) },
        { view: Math.max(0, message.view + step) },
        { term: Math.max(0, message.term + step) },
        { digest: this.#random.bytes(32) },
        { signer: this.#random.between(0, 5) },
      ])
      this.#wire.put(peer, this.#sign({ ...message, ...changed }))
      return
    }
    const bytes = encodeMessage(message).slice()
    const damage = this.#random.between(0, 2)
    if (damage === 0)
      bytes[this.#random.between(0, bytes.length - 1)]! ^= 1 << this.#random.between(0, 7)
    const out =
      damage === 1
        ? bytes.subarray(0, this.#random.between(0, bytes.length - 1))
        : damage === 2
          ? concat(bytes, this.#random.bytes(3))
          : bytes
    this.#wire.put(peer, out)
  }

  // ---- view changes

  #resign(change: Omit<ViewChange, "signature">): ViewChange {
    const signature = this.#node.holder.sign(viewChangePreimage(this.#meshId, change))
    return { ...change, signature }
  }

  /** A proof of nothing: for the null batch or one of its own making, in a view it led itself where there is one. */
  #fakeProof(term: number, below: number, height: number): PreparedProof {
    const size = this.#node.replica?.ledger.set.size ?? 4
    const own = this.#node.replica?.seat ?? 0
    let view = below - 1
    while (view > 0 && primaryOf(term, view, size) !== own) view--
    if (primaryOf(term, view, size) !== own) view = below - 1
    const digest = this.#random.chance(60)
      ? NULL_BATCH.digest
      : batchOf([{ type: "tick", period: 1000 + height }]).digest
    const primary = primaryOf(term, view, size)
    const signed = (type: "prepare" | "pre-prepare", signer: number): Bytes =>
      this.#sign<Vote>({ type, term, view, height, digest, signer }).signature
    let signers: number[] = []
    const kind = this.#random.between(0, 2)
    if (kind === 0) signers = Array.from({ length: size }, (_, seat) => seat)
    if (kind === 1) signers = [own]
    const prepares = signers
      .filter((signer) => signer !== primary)
      .map((signer): Signed => ({ signer, signature: signed("prepare", signer) }))
    return { height, view, digest, proposal: signed("pre-prepare", primary), prepares }
  }

  #lieAboutViews(targets: readonly Peer[], message: Message): void {
    for (const peer of targets) this.#wire.put(peer, this.#lieInView(message))
  }

  #lieInView(message: Message): Message {
    if (message.type === "new-view") return this.#lieInNewView(message)
    if (message.type !== "view-change") return message
    const change = unsigned(message)
    switch (this.#random.between(0, 4)) {
      case 0:
        return this.#resign({ ...change, prepared: [] })
      case 1: {
        const height = (message.tip?.height ?? this.#node.replica?.executed ?? 0) + 1
        const proof = this.#fakeProof(message.term, message.view, height)
        return this.#resign({ ...change, prepared: [proof] })
      }
      case 2: {
        const { type, term, view, prepared, signer } = change
        return this.#resign({ type, term, view, prepared, signer })
      }
      case 3:
        return message.tip === undefined
          ? message
          : this.#resign({ ...change, tip: { ...message.tip, height: message.tip.height + 1 } })
      default:
        return message
    }
  }

  #lieInNewView(message: NewView): Message {
    const rest = unsigned(message)
    const lies: readonly Omit<NewView, "signature">[] = [
      { ...rest, proposals: rest.proposals.slice(1) },
      { ...rest, changes: rest.changes.map((change) => rest.changes[0] ?? change) },
      { ...rest, changes: rest.changes.slice(1) },
    ]
    if (this.#random.chance(40)) return message
    const lie = this.#random.pick(lies)
    return { ...lie, signature: this.#node.holder.sign(newViewPreimage(this.#meshId, lie)) }
  }

  /** Asks for another view for no reason. */
  #forceView(): void {
    const replica = this.#node.replica
    if (replica === undefined || replica.seat < 0) return
    const height = replica.executed + 1
    const view = replica.view + this.#random.between(1, 3)
    const prepared = this.#random.chance(50) ? [this.#fakeProof(replica.term, view, height)] : []
    const change = this.#resign({
      type: "view-change",
      term: replica.term,
      view,
      prepared,
      signer: replica.seat,
    })
    for (const peer of this.#wire.validators()) this.#wire.put(peer, change)
  }

  // ---- state transfer

  #lieAboutBlocks(targets: readonly Peer[], message: Message): void {
    for (const peer of targets) {
      if (message.type === "blocks") this.#wire.put(peer, this.#forgedBlocks(message))
      else if (message.type === "status") {
        const lie: Status = { ...message, executed: message.executed + this.#random.between(0, 50) }
        this.#wire.put(peer, lie)
        // It answers what nobody asked, with a chain of its own.
        this.#wire.put(peer, this.#ownChain())
      } else this.#wire.put(peer, message)
    }
  }

  /** Signatures of this node alone, one of them or as many as a quorum, in one seat or in all. */
  #forgedSignatures(vote: Omit<Vote, "signature" | "signer">): Signed[] {
    const replica = this.#node.replica
    const own = replica?.seat ?? 0
    const size = replica?.ledger.set.size ?? 4
    const one = (signer: number): Signed => ({
      signer,
      signature: this.#sign<Vote>({ ...vote, signer }).signature,
    })
    const kind = this.#random.between(0, 2)
    if (kind === 0) return [one(own)]
    if (kind === 1) return Array.from({ length: size }, () => one(own))
    return Array.from({ length: size }, (_, signer) => one(signer))
  }

  #forgedBlocks(message: Blocks): Blocks {
    const records = message.records.map((record): BlockRecord => {
      if (this.#random.chance(50)) return record
      const { certificate } = record
      return this.#random.chance(50)
        ? { ...record, batch: batchOf([...record.batch.items].reverse().slice(1)) }
        : {
            ...record,
            certificate: {
              ...certificate,
              signatures: certificate.signatures.slice(0, this.#random.between(0, 2)),
            },
          }
    })
    return { ...message, records }
  }

  #ownChain(): Blocks {
    const ledger = this.#node.replica?.ledger
    if (ledger === undefined) return { type: "blocks", records: [] }
    const plan = ledger.plan(batchOf([{ type: "tick", period: ledger.now.period + 1 }]))
    const { term } = ledger
    const { height, parent, stateRoot, batch, hash: digest } = plan
    const vote = { type: "commit" as const, term, view: 0, height, digest }
    const certificate = { ...vote, signatures: this.#forgedSignatures(vote) }
    return { type: "blocks", records: [{ height, parent, stateRoot, batch, certificate }] }
  }
}
