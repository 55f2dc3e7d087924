/**
 * Somebody who wants the mailbox to be of no use to others, in a process of their own and with a gossipsub of their own (gossip-stranger.ts), which
 * waits for nobody. Whoever is cut off comes again as somebody else until everything was sent. Says in one line how often that
 * happened, how much was sent, and whether it was cut off in the end. It runs behind the others: whoever floods has a machine of their
 * own, and what this one costs is not the flooded peer's business. Arguments: an address, the kind of flood, how many envelopes.
 */
import { getPriority, setPriority } from "node:os"
import type { TestContext } from "node:test"
import { primitives } from "#primitives"
import { concat, utf8 } from "../../src/crypto/bytes.ts"
import { ADMISSION_BYTES, ENVELOPE_BYTES } from "../../src/crypto/envelope.ts"
import { mailboxTopic } from "../../src/node/mailbox/mailbox.ts"
import { DATA, gossipStranger, type Stranger, TOPIC } from "./gossip-stranger.ts"
import { admitted, meshId } from "./membership-fixture.ts"

/**
 * `unpaid`: no admission, or proofs that nobody made. `quota`: a member's 32 payloads of eight, and then nine times as many under keys
 * that are used up. `replay`: a member's envelopes over and over, some under a changed admission.
 */
export type Flood = "unpaid" | "quota" | "replay"

/** Written in one go. Nobody stops to ask whether what nobody paid for is welcome. */
const TOGETHER = { unpaid: 256, quota: 32, replay: 32 } as const
const TRIES_MAX = 1024
const REFUSED_MS = 200

const bare = () =>
  concat(new Uint8Array(ADMISSION_BYTES), primitives.randomBytes(ENVELOPE_BYTES - ADMISSION_BYTES))

/** Everything is made before the first is sent: what making costs is not the flooded peer's business. */
const MAKE: Readonly<Record<Flood, (count: number) => (i: number) => Uint8Array>> = {
  unpaid() {
    const signed = Array.from({ length: 32 }, (_, slot) => admitted(bare(), 3, slot))
    return (i) => {
      if (i % 2 === 0) return bare()
      // a signature that holds, under a proof of something else
      const envelope = signed[i % 32]!.slice()
      envelope.set(primitives.randomBytes(31), 8)
      envelope[7] = 0
      return envelope
    }
  },
  quota(count) {
    const all = Array.from({ length: count + TOGETHER.quota }, (_, i) =>
      admitted(bare(), 2, (i >> 3) % 32, i & 7),
    )
    return (i) => all[i]!
  },
  replay() {
    const all = Array.from({ length: 64 }, (_, i) => admitted(bare(), 3, i >> 3, i & 7))
    const other = admitted(bare(), 1, 31, 7).slice(0, ADMISSION_BYTES)
    return (i) => {
      const envelope = all[i % all.length]!
      return i < all.length || i % 2 === 0
        ? envelope
        : concat(other, envelope.slice(ADMISSION_BYTES))
    }
  },
}

const [address = "", kind = "unpaid", count = "0"] = process.argv.slice(2)
const make = MAKE[kind as Flood](Number(count))
const together = TOGETHER[kind as Flood]
setPriority(Math.min(19, getPriority() + 5))
const topic = utf8(mailboxTopic(meshId))
const stops: (() => unknown)[] = []
const t = { after: (stop: () => unknown) => stops.push(stop) } as unknown as TestContext

let sent = 0
let identities = 0
let refused = 0
let stranger: Stranger | undefined
while (sent < Number(count) && identities + refused < TRIES_MAX) {
  try {
    if (stranger?.connected() !== true) {
      stranger = await gossipStranger(t, address, mailboxTopic(meshId))
      identities += 1
      process.stderr.write(`${stranger.id}\n`)
    }
    const batch = Array.from({ length: together }, (_, i) => make(sent + i))
    await stranger.send(...batch.map((data) => [[DATA, data], [TOPIC, topic]] as const)) // prettier-ignore
    sent += together
    // a moment for the answer: being cut off is one
    await new Promise((resolve) => setTimeout(resolve, 5))
  } catch {
    // refused before a word was said: the flooded peer has had enough of this host for the moment
    stranger = undefined
    refused += 1
    await new Promise((resolve) => setTimeout(resolve, REFUSED_MS))
  }
}
// what was written may still be on its way, and so may the answer
const patienceMs = kind === "unpaid" ? 60_000 : 0
for (let waited = 0; waited < patienceMs && stranger?.connected() === true; waited += 50)
  await new Promise((resolve) => setTimeout(resolve, 50))
const isCutOff = stranger?.connected() !== true
process.stdout.write(`${JSON.stringify({ sent, identities, refused, isCutOff })}\n`)
for (const stop of stops) await stop()
process.exit(0)
