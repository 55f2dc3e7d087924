/**
 * What large groups cost, MLS alone: groups of 8 to 500 made at once, nobody of whom has committed yet (the dearest state), then
 * with everybody having committed once. Sizes of a Welcome for one newcomer and of a commit, and what making and reading them takes. The
 * same with composite signatures, up to what such a group holds, and a pair of each kind.
 */
import { primitives as p } from "#primitives"
import {
  addMembers,
  createGroup,
  createKeyPackage,
  encodeState,
  encrypt,
  generateSignatureSeed,
  joinFromWelcome,
  type KeyPackagePair,
  mergeCommit,
  process as read,
  type SessionState,
  type Signing,
  SIGNINGS,
  updateSelf,
} from "../src/crypto/session.ts"
import { type Bench, median, type Result } from "./bench.ts"

const SIZES: Readonly<Record<Signing, readonly number[]>> = {
  ed25519: [3, 8, 30, 100, 250, 500],
  composite: [3, 8, 30, 60],
}
const RUNS = 3
/** Added by one commit: a Welcome has 1.7 KB for each newcomer, and with the tree of a large group it would become too long. */
const ADDED_TOGETHER = 50

export const groupsBench: Bench = { name: "groups", run }

async function run(): Promise<Result[]> {
  const results: Result[] = []
  for (const signing of SIGNINGS)
    for (const size of SIZES[signing]) results.push(...(await measure(size, signing)))
  return results
}

const nowSeconds = () => Math.floor(Date.now() / 1000)

function newcomer(signing: Signing): Promise<KeyPackagePair> {
  return createKeyPackage({
    identity: p.randomBytes(64),
    signatureSeed: generateSignatureSeed(signing),
    lastResort: true,
    notAfterSeconds: 2 ** 33,
  })
}

/** By processor time, whatever else the machine does. */
async function timed<T>(into: number[], work: () => Promise<T>): Promise<T> {
  const began = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(began)
  into.push((user + system) / 1000)
  return result
}

async function joined(welcome: Uint8Array, pair: KeyPackagePair): Promise<SessionState> {
  const joined = await joinFromWelcome(welcome, pair)
  if (joined.kind === "ignored") throw new Error(`no group: ${joined.code}`)
  return joined.state
}

async function processed(state: SessionState, message: Uint8Array): Promise<SessionState> {
  const taken = await read(state, message)
  if (taken.kind === "ignored") throw new Error(`not read: ${taken.code}`)
  return taken.next
}

async function measure(size: number, signing: Signing): Promise<Result[]> {
  const times: Record<string, number[]> = {}
  const sizes: Record<string, number> = {}
  const time = <T>(name: string, work: () => Promise<T>) => timed((times[name] ??= []), work)
  for (let i = 0; i < RUNS; i++) {
    const alone = await createGroup({
      groupId: p.randomBytes(16),
      identity: p.randomBytes(64),
      signatureSeed: generateSignatureSeed(signing),
    })
    const pairs = await Promise.all(Array.from({ length: size - 2 }, () => newcomer(signing)))
    let founder = alone
    let welcome: Uint8Array = new Uint8Array()
    for (let at = 0; at < pairs.length; at += ADDED_TOGETHER) {
      const some = pairs.slice(at, at + ADDED_TOGETHER).map((pair) => pair.public)
      const founded = await addMembers(founder, some, nowSeconds())
      founder = founded.next
      welcome = founded.welcome
    }
    const first = pairs.at(-1)
    if (first === undefined) throw new Error("somebody is in it")
    let other = await joined(welcome, first)
    const last = await time("key_package", () => newcomer(signing))
    const added = await time("add", () => addMembers(founder, [last.public], nowSeconds()))
    other = await time("add_read", () => processed(other, added.commit))
    const member = await time("join", () => joined(added.welcome, last))
    const update = await time("commit", () => updateSelf(added.next))
    other = await time("commit_read", () => processed(other, update.commit))
    await processed(member, update.commit)
    const merged = mergeCommit(added.next, update.next)
    const text = await time("text", () => encrypt(merged, p.randomBytes(256)))
    other = await time("text_read", () => processed(other, text.message))
    // What every text and every receipt costs besides, at whoever writes it and at whoever reads it.
    await time("store", () => Promise.resolve(encodeState(other)))
    Object.assign(sizes, {
      key_package: last.public.length,
      text: text.message.length,
      welcome: added.welcome.length,
      add: added.commit.length,
      commit: update.commit.length,
      state: encodeState(other).length,
    })
  }
  const of = signing === "composite" ? `pq_${size}` : `${size}`
  return [
    ...Object.entries(sizes).map(([name, bytes]) => {
      return { metric: `groups.${of}_${name}_bytes`, value: bytes, unit: "bytes", runs: RUNS }
    }),
    ...Object.entries(times).map(([name, values]) => {
      return { metric: `groups.${of}_${name}_ms`, value: median(values), unit: "ms", runs: RUNS }
    }),
  ]
}
