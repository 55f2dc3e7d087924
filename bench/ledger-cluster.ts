/**
 * Validators and followers as processes, and one measuring process in between: it gives every validator the same ids, as if each had
 * admitted them from gossip, and takes an id for ordered when f+1 validators have a certified block with it on disk, so that at least one
 * of them is honest (the paper's rule for replies).
 */
import { type ChildProcess, fork } from "node:child_process"
import { randomFillSync } from "node:crypto"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { faulty, validatorSet } from "../src/consensus/quorum.ts"
import { foundMesh } from "../src/node/mesh/mesh.ts"
import { type ValidatorSecrets, validatorFrom } from "../src/node/ledger/validator-keys.ts"
import { primitives } from "#primitives"
import { cpuMsOf } from "./cpu.ts"
import type { Behaviour } from "./ledger-byzantine.ts"
import {
  ID_BYTES,
  IDS_FD,
  type Order,
  type PeerPlan,
  TAIL_BYTES,
  type Word,
} from "./ledger-words.ts"

const PROGRAMS = {
  sotto: fileURLToPath(new URL("./ledger-peer.js", import.meta.url)),
  floor: fileURLToPath(new URL("./ledger-floor-peer.js", import.meta.url)),
} as const
const DEADLINE_MS = 120_000
/** Ids in one piece to a validator. */
const ADMIT_MAX = 1024

export interface Block {
  readonly height: number
  readonly term: number
  readonly view: number
  /** When f+1 validators had it, `performance.now()`. */
  readonly at: number
}

interface Peer {
  readonly at: number
  readonly plan: PeerPlan
  child: ChildProcess | undefined
  /** Takes ids that it is to admit. */
  ids: Writable | undefined
  addresses: readonly string[]
  links: number
  height: number
}

/** Keys of validators, in the order of their seats. */
export function newSecrets(n: number): ValidatorSecrets[] {
  const { ed25519, mlDsa65, slhDsaSha2_128s } = primitives
  const all = Array.from({ length: n }, () => ({
    ed25519: ed25519.generate(),
    mlDsa65: mlDsa65.generate(),
    slhDsa: slhDsaSha2_128s.generate(),
  }))
  const keys = all.map((secrets) => validatorFrom(secrets).keys)
  const order = validatorSet(keys).members.map((member) => keys.indexOf(member))
  return order.flatMap((at) => all[at] ?? [])
}

/** The genesis of a mesh of these validators, encoded. */
export const genesisOf = (secrets: readonly ValidatorSecrets[]): Uint8Array =>
  foundMesh("bench", {
    powBits: 0,
    validators: secrets.map((each) => {
      const { ed25519, mlDsa65, slhDsa } = validatorFrom(each).keys
      return { ed25519, mlDsa65, slhDsaSha2: slhDsa }
    }),
  }).bytes

export interface ClusterOptions {
  readonly directory: string
  readonly validators: number
  /** By seat; honest where there is none. */
  readonly behaviours?: readonly Behaviour[]
  readonly secrets?: readonly ValidatorSecrets[]
  readonly genesis?: Uint8Array
  /** Seats that are not started yet: `restart` does it. */
  readonly absent?: readonly number[]
  /** What the peers run: ours, if nothing is said. */
  readonly program?: keyof typeof PROGRAMS
}

/** Where a validator's data lies. */
export const directoryOf = (directory: string, seat: number) => join(directory, `validator${seat}`)

export class LedgerCluster {
  readonly size: number
  readonly blocks: Block[] = []
  /** Called for every id once, when it is ordered: its number, and when it was submitted or due. */
  onOrdered: (number: number, since: number) => void = () => undefined
  readonly #needed: number
  readonly #peers: Peer[] = []
  readonly #genesis: Uint8Array
  readonly #program: string
  readonly #since: number[] = []
  readonly #reports: number[] = []
  readonly #blockReports: number[] = []
  #wake: (() => void)[] = []
  #stopping = false

  private constructor(options: ClusterOptions & { genesis: Uint8Array }) {
    const { validators, genesis, program = "sotto" } = options
    this.size = validators
    this.#program = PROGRAMS[program]
    this.#genesis = genesis
    this.#needed = faulty(validators) + 1
  }

  /** Starts validators that all have links to each other. */
  static async start(options: ClusterOptions): Promise<LedgerCluster> {
    const { directory, validators, behaviours = [], absent = [] } = options
    const secrets = options.secrets ?? newSecrets(validators)
    const genesis = options.genesis ?? genesisOf(secrets)
    const cluster = new LedgerCluster({ ...options, genesis })
    try {
      for (const [seat, each] of secrets.entries()) {
        const peer = cluster.#add(directoryOf(directory, seat), behaviours[seat] ?? "honest", each)
        if (!absent.includes(seat)) await cluster.#launch(peer)
      }
      await cluster.linked()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** Starts one more peer, that follows. */
  async follow(directory: string): Promise<number> {
    const peer = this.#add(directory, "honest")
    await this.#launch(peer)
    return peer.at
  }

  #add(directory: string, behaviour: Behaviour, secrets?: ValidatorSecrets): Peer {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (secrets !== undefined) writeFileSync(join(directory, "validator.new"), "")
    const listen = "/ip4/127.0.0.1/tcp/0"
    const base = { directory, genesis: this.#genesis, listen, bootstrap: [], behaviour }
    const plan = secrets === undefined ? base : { ...base, secrets }
    const at = this.#peers.length
    const peer: Peer = {
      at,
      plan,
      child: undefined,
      ids: undefined,
      addresses: [],
      links: 0,
      height: 0,
    }
    this.#peers.push(peer)
    return peer
  }

  async #launch(peer: Peer): Promise<void> {
    const options = {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc", "pipe"],
      // as bin/sotto starts the program
      execArgv: [...process.execArgv, "--max-semi-space-size=4"],
    }
    const child = fork(this.#program, [], options as Parameters<typeof fork>[2] & object)
    peer.child = child
    peer.ids = child.stdio[IDS_FD] as Writable
    // a process that was killed a moment ago takes nothing more
    peer.ids.on("error", () => undefined)
    child.on("message", (word: Word) => this.#hear(peer, word))
    child.once("exit", (code) => {
      peer.child = undefined
      peer.ids = undefined
      peer.links = 0
      if (code !== null && code !== 0 && !this.#stopping)
        process.stderr.write(`ledger peer ${peer.at} ended with ${code}\n`)
      this.#changed()
    })
    const others = this.#peers.filter((other) => other !== peer && other.child !== undefined)
    const bootstrap = others.flatMap(({ addresses }) => addresses)
    const listen = peer.addresses[0]?.replace(/\/p2p\/.*$/, "") ?? peer.plan.listen
    this.#tell(peer, { type: "start", plan: { ...peer.plan, listen, bootstrap } })
    const before = peer.addresses
    peer.addresses = []
    await this.until("a peer to start", () => peer.addresses.length > 0 || peer.child !== child)
    if (peer.child !== child) throw new Error(`peer ${peer.at} did not start`)
    if (peer.addresses.length === 0) peer.addresses = before
  }

  #tell(peer: Peer, order: Order): void {
    // a process that was killed a moment ago takes nothing more
    peer.child?.send(order, () => undefined)
  }

  #hear(peer: Peer, word: Word): void {
    if (word.type === "ready") {
      peer.addresses = word.addresses
      peer.height = word.height
    } else if (word.type === "linked") peer.links = word.links
    else {
      peer.height = word.height
      if (peer.plan.secrets !== undefined) this.#count(word)
    }
    this.#changed()
  }

  #count({ height, term, view, tails }: Extract<Word, { type: "block" }>): void {
    const at = performance.now()
    const reports = (this.#blockReports[height] ?? 0) + 1
    this.#blockReports[height] = reports
    if (reports === this.#needed) this.blocks.push({ height, term, view, at })
    const read = new DataView(tails.buffer, tails.byteOffset, tails.byteLength)
    for (let i = 0; i < tails.length; i += TAIL_BYTES) {
      const number = read.getUint32(i)
      const count = (this.#reports[number] ?? 0) + 1
      this.#reports[number] = count
      if (count === this.#needed) this.onOrdered(number, this.#since[number] ?? NaN)
    }
  }

  /** New ids to every validator that runs, due now. */
  submit(count: number): void {
    this.submitDue(new Array<number>(count).fill(performance.now()))
  }

  /** New ids to every validator that runs, one for each time at which one was due. */
  submitDue(due: readonly number[]): void {
    for (let done = 0; done < due.length; done += ADMIT_MAX) {
      const some = due.slice(done, done + ADMIT_MAX)
      const ids = randomFillSync(new Uint8Array(some.length * ID_BYTES))
      const view = new DataView(ids.buffer)
      for (const [i, since] of some.entries()) {
        view.setUint32((i + 1) * ID_BYTES - TAIL_BYTES, this.#since.length)
        this.#since.push(since)
        this.#reports.push(0)
      }
      for (const { plan, ids: pipe } of this.#peers)
        if (plan.secrets !== undefined) pipe?.write(ids)
    }
  }

  /** Processor time that the running peers have taken so far, all threads, milliseconds. */
  get cpuMs(): number {
    return this.#peers.reduce((sum, { child }) => sum + cpuMsOf(child?.pid), 0)
  }

  /** Of the last block that f+1 validators have. */
  get height(): number {
    return this.blocks.at(-1)?.height ?? 0
  }

  /** Seat of the validator whose proposal a block was. */
  proposer({ term, view }: Block): number {
    return (term + view) % this.size
  }

  heightOf(at: number): number {
    return this.#peers[at]?.height ?? 0
  }

  /** Seat of the primary that decided the last block. */
  get primary(): number {
    const last = this.blocks.at(-1)
    return last === undefined ? 0 : this.proposer(last)
  }

  async kill(at: number): Promise<void> {
    const child = this.#peers[at]?.child
    if (child === undefined) return
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  }

  async restart(at: number): Promise<void> {
    const peer = this.#peers[at]
    if (peer !== undefined) await this.#launch(peer)
  }

  /** Resolves when every running validator has a link to every other. */
  async linked(): Promise<void> {
    const running = () =>
      this.#peers.filter(({ child, plan }) => child !== undefined && plan.secrets !== undefined)
    await this.until("links", () => {
      const all = running()
      return all.every(({ links }) => links >= all.length - 1)
    })
  }

  /** Resolves when the condition holds; looks at every word from a peer. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS
    while (!holds()) {
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`waited ${DEADLINE_MS / 1000} s for ${what} in vain`)
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve)
        timer = setTimeout(resolve, left)
      })
      clearTimeout(timer)
    }
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(
      this.#peers.map(async (peer) => {
        const { child } = peer
        if (child === undefined) return
        const gone = once(child, "exit")
        this.#tell(peer, { type: "stop" })
        const timer = setTimeout(() => child.kill("SIGKILL"), 10_000)
        await gone
        clearTimeout(timer)
      }),
    )
  }
}
