/**
 * What one envelope costs whoever gets it. A foreign one: the question whether its tag is expected, with a thousand channels open, and
 * one decapsulation after the miss. One of ours, with a text of 1 KiB: the whole way from the text to the envelope, MLS included,
 * and back. Admission, disk and network are the other benchmarks' matter. The floors are the bare primitives in the same run.
 */
import { primitives as p } from "#primitives"
import { type Channel, openChannel, readPayload, sealContents } from "../src/chat/channel.ts"
import { openEnvelope, usedUp } from "../src/chat/opening.ts"
import type { Content } from "../src/chat/content.ts"
import { encodeAddress } from "../src/crypto/address.ts"
import type { Bytes } from "../src/crypto/bytes.ts"
import { ENVELOPE_BYTES, importIntroPrivate, openIntro } from "../src/crypto/envelope.ts"
import {
  addMembers,
  createGroup,
  createKeyPackage,
  joinFromWelcome,
  ownLeaf,
} from "../src/crypto/session.ts"
import { epochKeys } from "../src/crypto/tags.ts"
import { TagMap } from "../src/node/chat/tag-map.ts"
import { type Bench, median, type Result, timeCall } from "./bench.ts"

const CHANNELS = 1_000
const TEXT_BYTES = 1024
/** Foreign envelopes to ask about in turn: none is in the processor's cache when it is its turn again. */
const FOREIGN = 4_096
const SEALED_TOGETHER = 100
const RUNS = 9

export const envelopeBench: Bench = { name: "envelope", run }

async function run(): Promise<Result[]> {
  const [ada, bob] = await pair()
  return [miss(ada), decapsulation(), ...(await thread(ada, bob)), ...floors()]
}

/** Two people's ends of one channel. */
async function pair(): Promise<[Channel, Channel]> {
  const seeds = [p.ed25519.generate(), p.ed25519.generate()] as const
  const [first, second] = [p.randomBytes(64), p.randomBytes(64)]
  const joining = await createKeyPackage({
    identity: second,
    signatureSeed: seeds[1],
    lastResort: true,
    notAfterSeconds: 2 ** 33,
  })
  const about = {
    theirName: "",
    trusted: true,
    peer: encodeAddress({ ed25519Root: p.randomBytes(32), slhDsaRootHash: p.randomBytes(32) }),
  }
  const group = await createGroup({
    groupId: p.randomBytes(16),
    identity: first,
    signatureSeed: seeds[0],
  })
  const { next, welcome } = await addMembers(group, [joining.public], Math.floor(Date.now() / 1000))
  const joined = await joinFromWelcome(welcome, joining)
  if (joined.kind === "ignored") throw new Error(`no group: ${joined.code}`)
  return [await openChannel(next, about), await openChannel(joined.state, about)]
}

/** The same channel a thousand times over, each with tags of its own. */
function channelsLike(channel: Channel): Channel[] {
  return Array.from({ length: CHANNELS }, () => ({
    ...channel,
    groupId: p.randomBytes(16),
    epochs: channel.epochs.map((epoch) => ({
      ...epoch,
      keys: epochKeys(p.randomBytes(32)),
    })),
  }))
}

function miss(channel: Channel): Result {
  const tags = new TagMap()
  for (const each of channelsLike(channel)) tags.follow(each)
  const foreign = Array.from({ length: FOREIGN }, () => p.randomBytes(ENVELOPE_BYTES))
  let at = 0
  return timeCall("envelope.miss_us", () => {
    const envelope = foreign[at++ % FOREIGN]
    if (envelope !== undefined && tags.find(envelope) !== undefined) throw new Error("a hit")
  })
}

function decapsulation(): Result {
  const key = importIntroPrivate(p.randomBytes(32), p.randomBytes(p.mlKem1024.seedBytes))
  const meshId = p.randomBytes(32)
  const foreign = p.randomBytes(ENVELOPE_BYTES)
  return timeCall("envelope.decap_us", () => openIntro(meshId, key, foreign))
}

/** In sequence, as a thread goes on: every message moves the ratchets. */
async function thread(ada: Channel, bob: Channel): Promise<Result[]> {
  const meshId = p.randomBytes(32)
  const seal: number[] = []
  const open: number[] = []
  let [sender, reader] = [ada, bob]
  let counter = 0
  for (let i = 0; i <= RUNS; i++) {
    const envelopes: Bytes[] = []
    const began = performance.now()
    for (let n = 0; n < SEALED_TOGETHER; n++) {
      const sealed = await sealContents(sender, meshId, [text()])
      sender = sealed.channel
      envelopes.push(...sealed.envelopes)
    }
    const between = performance.now()
    for (const envelope of envelopes)
      reader = await read(reader, meshId, counter++, envelope, ownLeaf(sender.state))
    const ended = performance.now()
    // the first is for warming up
    if (i > 0) {
      seal.push((1000 * (between - began)) / envelopes.length)
      open.push((1000 * (ended - between)) / envelopes.length)
    }
  }
  return [micros("envelope.seal_us", seal), micros("envelope.open_us", open)]
}

const text = (): Content => ({
  kind: "text",
  id: p.randomBytes(16),
  sentAtMs: 0,
  lamport: 1,
  text: "x".repeat(TEXT_BYTES),
})

async function read(
  channel: Channel,
  meshId: Bytes,
  counter: number,
  envelope: Bytes,
  leaf: number,
): Promise<Channel> {
  const epoch = channel.epochs[0]?.epoch ?? 0
  const opened = openEnvelope(channel, meshId, { epoch, leaf, counter }, envelope)
  if (opened?.fragment === undefined) throw new Error("the envelope does not open")
  const payload = await readPayload(opened.channel, { epoch, leaf }, opened.fragment.data)
  if (payload.kind !== "contents" || payload.contents.length !== 1) throw new Error("no text")
  return usedUp(payload.channel, { epoch, leaf, counter }, opened.fragment)
}

const micros = (metric: string, values: readonly number[]): Result => ({
  metric,
  value: median(values),
  unit: "us",
  runs: values.length,
})

function floors(): Result[] {
  const key = p.mlKem1024.privateFromSeed(p.randomBytes(p.mlKem1024.seedBytes))
  const { ciphertext } = p.mlKem1024.encapsulate(
    p.mlKem1024.importPublic(p.mlKem1024.publicFromPrivate(key)),
  )
  const [secret, nonce, body] = [p.randomBytes(32), p.randomBytes(12), p.randomBytes(TEXT_BYTES)]
  const sealed = p.aesGcmSeal(secret, nonce, body)
  const hexadecimal = new Map(Array.from({ length: 32 * CHANNELS }, (_, i) => [`${i}`, i]))
  return [
    timeCall("floor.map_miss_us", () => hexadecimal.get("none")),
    timeCall("floor.ml_kem_1024_decap_us", () => p.mlKem1024.decapsulate(key, ciphertext)),
    timeCall("floor.aes_gcm_seal_1kib_us", () => p.aesGcmSeal(secret, nonce, body)),
    timeCall("floor.aes_gcm_open_1kib_us", () => p.aesGcmOpen(secret, nonce, sealed)),
  ]
}
