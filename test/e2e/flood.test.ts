/**
 * The mailbox stays usable when someone floods it. Three honest peers, each a process; whoever floods floods the one in the middle, which
 * is the one whose hearing is timed. What the honest say is members' envelopes, while the flood goes on. The flooder is stopped and let
 * go on in turns while they talk, so that what else the machine does weighs on both sides of the comparison.
 */
import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { after, before, describe, it, type TestContext } from "node:test"
import type { Command, Heard } from "../helpers/member-peer.ts"
import type { Flood } from "../helpers/flooder.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { until } from "../helpers/wait.ts"

/** As often as fills the time that the flood takes. */
const EVERY_MS = { unpaid: 150, quota: 40 } as const
const SAID = 60
/** The flooder goes on and rests for so long in turns; what is on its way when it rests has so long to arrive. */
const TURN_MS = 400
const ECHO_MS = 150
/** "At most doubled"; what is below this is so whatever it doubled from: five processes on two cores wait for each other. */
const UNNOTICED_MS = 20
/** What the machine does besides can only make it look worse: one try that holds is enough. */
const TRIES = 3
const GROWTH_MAX_BYTES = 24 * 1024 * 1024

const program = (name: string) => new URL(`../helpers/${name}.js`, import.meta.url).pathname

class Peer {
  readonly heard = new Map<string, number>()
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  constructor(directory: string, bootstrap: readonly string[]) {
    const args = ["--expose-gc", program("member-peer"), directory, ...bootstrap]
    this.#child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] })
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  async next<T>(): Promise<T> {
    const answer = await this.#answers.next()
    if (answer.done === true) throw new Error("the peer has ended")
    return JSON.parse(answer.value) as T
  }

  tell<T>(command: Command): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
    return this.next<T>()
  }

  kill = () => void this.#child.kill("SIGKILL")
}

interface Summary {
  readonly sent: number
  readonly identities: number
  readonly isCutOff: boolean
}

interface Flooder {
  /** Its peer ids so far. */
  readonly ids: readonly string[]
  readonly signal: (name: "SIGSTOP" | "SIGCONT") => void
  readonly hasEnded: () => boolean
  readonly ended: () => Promise<Summary>
}

interface Medians {
  readonly calmMs: number
  readonly floodedMs: number
}

const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000

/** Lets the flooder go on and rest in turns. `end` lets it go on for good, and tells of a moment what it was: undefined is neither. */
function takingTurns(flooder: Flooder) {
  const turns = [{ fromMs: nowMs(), isOn: true }]
  const timer = setInterval(() => {
    const isOn = !(turns.at(-1)?.isOn ?? false)
    if (flooder.hasEnded()) return
    flooder.signal(isOn ? "SIGCONT" : "SIGSTOP")
    turns.push({ fromMs: nowMs(), isOn })
  }, TURN_MS)
  const end = () => {
    clearInterval(timer)
    flooder.signal("SIGCONT")
    return (atMs: number): boolean | undefined => {
      const turn = turns.findLast(({ fromMs }) => fromMs <= atMs)
      if (turn === undefined || turn.isOn) return turn?.isOn
      return atMs - turn.fromMs < ECHO_MS ? undefined : false
    }
  }
  return { end }
}

interface About {
  readonly bytes: number
  readonly worst: Readonly<Record<string, number>>
  readonly connected: readonly string[]
}

const median = (values: readonly number[]) => values.toSorted((x, y) => x - y)[values.length >> 1] ?? NaN // prettier-ignore

describe("a flooded mailbox", { timeout: 240_000 }, () => {
  let peers: readonly [Peer, Peer, Peer]
  let at: string
  /** Envelopes of members 0 and 1 that were said already. */
  let said = 0

  const root = mkdtempSync(join(tmpdir(), "sotto-flood-"))
  before(async () => {
    const directory = () => mkdtempSync(join(root, "peer-"))
    const middle = new Peer(directory(), [])
    assert.equal(await middle.next(), "up")
    const [address = ""] = await middle.tell<string[]>({ do: "addresses" })
    at = address
    const first = new Peer(directory(), [address])
    const last = new Peer(directory(), [address])
    peers = [first, middle, last]
    for (const each of [first, last]) assert.equal(await each.next(), "up")
    await until("a line", async () => (await middle.tell({ do: "links" })) === 2, 60_000)
  })
  after(() => {
    for (const { kill } of peers) kill()
    rmSync(root, { recursive: true, force: true })
  })

  /** When each envelope came to a peer, all so far. */
  async function heardBy(peer: Peer): Promise<ReadonlyMap<string, number>> {
    for (const { id, atMs } of await peer.tell<Heard[]>({ do: "heard" })) peer.heard.set(id, atMs)
    return peer.heard
  }

  /** Median times from the first peer to the middle one while the flooder goes on and while it rests, everything having arrived. */
  async function honestTalk(flooder: Flooder, everyMs: number): Promise<Medians> {
    const [first, middle, last] = peers
    // a member's 256 envelopes are enough for four times
    const member = Math.floor(said / (4 * SAID))
    const from = said % (4 * SAID)
    said += SAID
    const turns = takingTurns(flooder)
    const told = await first.tell<Heard[]>({ do: "say", member, from, to: from + SAID, everyMs }) // prettier-ignore
    const isFlooded = turns.end()
    for (const peer of [middle, last])
      await until(
        "everything honest has arrived",
        async () => {
          const heard = await heardBy(peer)
          return told.every(({ id }) => heard.has(id))
        },
        60_000,
      )
    const took = (flooded: boolean) =>
      told
        .filter(({ atMs }) => isFlooded(atMs) === flooded)
        .map(({ id, atMs }) => (middle.heard.get(id) ?? NaN) - atMs)
    return { calmMs: median(took(false)), floodedMs: median(took(true)) }
  }

  /** Runs until it has sent everything. */
  async function startFlood(kind: Flood, count: number): Promise<Flooder> {
    const args = [program("flooder"), at, kind, String(count)]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    const ids: string[] = []
    createInterface({ input: child.stderr }).on("line", (line) => ids.push(line))
    const summary = once(createInterface({ input: child.stdout }), "line")
    const exit = once(child, "exit")
    await until("the flood has begun", () => ids.length > 0, 60_000)
    return {
      ids,
      signal: (name) => void child.kill(name),
      hasEnded: () => child.exitCode !== null,
      ended: async () => {
        const [line] = (await summary) as [string]
        await exit
        return JSON.parse(line) as Summary
      },
    }
  }

  /** Talks beside the flood until the median is at most doubled, a few times at most. */
  async function bears(
    t: TestContext,
    kind: keyof typeof EVERY_MS,
    count: number,
  ): Promise<Flooder> {
    for (let tries = 1; ; tries++) {
      const flooder = await startFlood(kind, count)
      const { calmMs, floodedMs } = await honestTalk(flooder, EVERY_MS[kind])
      t.diagnostic(`median ${calmMs.toFixed(1)} ms, under flood ${floodedMs.toFixed(1)} ms`)
      if (floodedMs <= Math.max(2 * calmMs, UNNOTICED_MS)) return flooder
      assert.ok(tries < TRIES, `${floodedMs} ms under flood, ${calmMs} ms when it rests`)
      await flooder.ended()
    }
  }

  it("by 10,000 envelopes without admission: honest talk goes on, the flooder is cut off, memory stays", async (t) => {
    const [, middle] = peers
    const before = await middle.tell<About>({ do: "memory" })
    const flooder = await bears(t, "unpaid", 10_000)
    const { sent, identities, isCutOff } = await flooder.ended()
    const { ids } = flooder
    // what was under way when the last one was cut off is let go
    let now = await middle.tell<About>({ do: "memory" })
    await until(
      "memory is as before",
      async () => {
        now = await middle.tell<About>({ do: "memory" })
        return now.bytes - before.bytes < GROWTH_MAX_BYTES
      },
      30_000,
    )
    t.diagnostic(`${sent} sent by ${identities} identities; memory ${((now.bytes - before.bytes) / 2 ** 20).toFixed(1)} MiB more`) // prettier-ignore
    assert.ok(sent >= 10_000)
    assert.ok(isCutOff, "it was never cut off")
    for (const id of ids) assert.ok(!now.connected.includes(id), "the flooder is connected still")
    assert.ok(Math.min(...ids.map((id) => now.worst[id] ?? 0)) < -80, "their score fell")
  })

  it("by a member at ten times its quota: its quota is taken, and nothing else", async (t) => {
    const [, middle, last] = peers
    const before = (await heardBy(middle)).size
    const saidBefore = said
    const flooder = await bears(t, "quota", 2_560)
    const { sent, isCutOff } = await flooder.ended()
    const { ids } = flooder
    assert.ok(sent >= 2_560)
    // 32 payloads of eight envelopes, beside what the honest said
    for (const peer of [middle, last])
      await until("its quota has arrived", async () => (await heardBy(peer)).size >= before + said - saidBefore + 256) // prettier-ignore
    assert.equal((await heardBy(middle)).size, before + said - saidBefore + 256)
    // nothing of it need be the fault of whoever passed it on
    assert.equal(isCutOff, false)
    const about = await middle.tell<About>({ do: "memory" })
    for (const id of ids) assert.ok((about.worst[id] ?? 0) >= 0, "it lost standing")
  })
})

describe("replayed envelopes", { timeout: 120_000 }, () => {
  it("are known by a lookup and go no further", async (t) => {
    const middle = new Peer(temporaryDirectory(t), [])
    t.after(middle.kill)
    assert.equal(await middle.next(), "up")
    const [address = ""] = await middle.tell<string[]>({ do: "addresses" })
    const args = [program("flooder"), address, "replay", "6400"]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "ignore"] })
    await once(child, "exit")
    assert.equal((await middle.tell<Heard[]>({ do: "heard" })).length, 64)
  })
})
