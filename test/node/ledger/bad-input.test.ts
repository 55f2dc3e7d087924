/**
 * A real validator over real streams, and a validator of its mesh that sends it what no honest one would. Nothing of that is believed, and
 * whoever goes on with it is cut off and hung up. The genesis has four validators: the honest one has seat 0, the liar seat 1.
 */
import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { certificateOf } from "../../../src/consensus/certificate.ts"
import { encodeMessage } from "../../../src/consensus/codec.ts"
import { batchOf } from "../../../src/consensus/item.ts"
import { Ledger, type LedgerRules } from "../../../src/consensus/ledger.ts"
import { MESSAGE_MAX_BYTES } from "../../../src/consensus/limits.ts"
import { viewChangePreimage, votePreimage } from "../../../src/consensus/preimage.ts"
import type { BlockRecord, Certificate, Commit, Prepare } from "../../../src/consensus/types.ts"
import { type Bytes, Writer } from "../../../src/crypto/bytes.ts"
import { FRAME_BYTES_MAX, helloPreimage, PBFT_PROTOCOL } from "../../../src/node/ledger/links.ts"
import { workItem } from "../../../src/node/ledger/rules.ts"
import { newPeerKey } from "../../../src/node/transport/peer-key.ts"
import { Streams } from "../../../src/node/transport/streams.ts"
import { startTransport } from "../../../src/node/transport/transport.ts"
import { validatorFrom } from "../../../src/node/ledger/validator-keys.ts"
import { hash } from "../../consensus/parts.ts"
import {
  genesisFor,
  newValidators,
  type ValidatorPeer,
  validatorPeer,
} from "../../helpers/validator-peers.ts"
import { until } from "../../helpers/wait.ts"

const LIAR = 1
/** One more than is borne. */
const TOO_OFTEN = 17
const soon = () => AbortSignal.timeout(10_000)
const secrets = newValidators(4)
const genesis = genesisFor(secrets, 0)
const validators = secrets.map(validatorFrom)

/** A peer that has proved to be the liar's, and sends frames. */
async function liarAt(t: TestContext, honest: ValidatorPeer) {
  const transport = await startTransport({
    key: await newPeerKey(),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    topics: [],
    ipColocationWeight: 0,
  })
  const streams = new Streams(transport.libp2p, () => undefined)
  t.after(async () => {
    await streams.stop()
    await transport.stop()
  })
  const to = await transport.dial(honest.peer.addresses(), soon())
  const limits = { frameBytesMax: 2 * FRAME_BYTES_MAX }
  const frames = await streams.open(to, PBFT_PROTOCOL, limits, soon())
  const { keys, sign } = validators[LIAR]!
  const preimage = helloPreimage(honest.ledger.rules.meshId, transport.peer, to)
  const hello = new Writer().u8(1).raw(honest.ledger.rules.meshId).raw(keys.ed25519)
  await frames.send(hello.raw(sign(preimage)).finish(), soon())
  await frames.receive(soon())
  return {
    send: (...messages: readonly Bytes[]) => {
      const writer = new Writer()
      for (const message of messages) writer.bytes(message, 4)
      return frames.send(writer.finish(), soon()).catch(() => undefined)
    },
    sendRaw: (frame: Bytes) => frames.send(frame, soon()).catch(() => undefined),
    isHungUp: () => !transport.peers().includes(to),
  }
}

const rulesOf = ({ ledger }: ValidatorPeer): LedgerRules => ledger.rules

function vote<V extends Prepare | Commit>(
  { meshId }: LedgerRules,
  fields: Partial<V> & Pick<V, "type">,
  signedBy = fields.signer ?? LIAR,
): V {
  const whole = { term: 0, view: 0, height: 1, digest: hash("a batch"), signer: LIAR, ...fields }
  const signature = validators[signedBy].sign(votePreimage(meshId, whole))
  return { ...whole, signature } as unknown as V
}

/** The first block, with a certificate of seats 1 to 3. */
function firstBlock(rules: LedgerRules): BlockRecord {
  const batch = batchOf([workItem(hash("an envelope"))])
  const { height, parent, stateRoot, hash: digest } = new Ledger(rules).plan(batch)
  const votes = [1, 2, 3].map((signer) => vote<Commit>(rules, { type: "commit", digest, signer }))
  return { height, parent, stateRoot, batch, certificate: certificateOf(votes) }
}

type Forge = (certificate: Certificate) => Certificate
const FORGERIES: Readonly<Record<string, Forge>> = {
  "a signer twice": ({ signatures: [a, b], ...rest }) => ({ ...rest, signatures: [a!, a!, b!] }),
  "a signer who is no validator": ({ signatures: [a, b, c], ...rest }) => ({
    ...rest,
    signatures: [a!, b!, { ...c!, signer: 4 }],
  }),
  "one bad signature of three": ({ signatures: [a, b, c], ...rest }) => ({
    ...rest,
    signatures: [a!, b!, { ...c!, signature: b!.signature }],
  }),
  "signatures for another view": (certificate) => ({ ...certificate, view: 1 }),
  "two signatures": ({ signatures: [a, b], ...rest }) => ({ ...rest, signatures: [a!, b!] }),
}

/** A VIEW-CHANGE of the liar's that rests on this certificate. */
function viewChangeOn(rules: LedgerRules, tip: Certificate): Bytes {
  const fields = { type: "view-change", term: 0, view: 1, tip, prepared: [], signer: LIAR } as const
  const signature = validators[LIAR]!.sign(viewChangePreimage(rules.meshId, fields))
  return encodeMessage({ ...fields, signature })
}

describe("a validator that is sent what no honest one sends", () => {
  it("takes a block that is certified, for comparison", async (t) => {
    const honest = await validatorPeer(t, genesis, secrets[0]!)
    const { send, isHungUp } = await liarAt(t, honest)
    const record = firstBlock(rulesOf(honest))
    await send(encodeMessage({ type: "blocks", records: [record] }))
    await until("the block to be taken", () => honest.ledger.height === 1)
    assert.equal(isHungUp(), false)
  })

  const wrong: Readonly<Record<string, (rules: LedgerRules) => Bytes>> = {
    "of a version that nobody knows": (rules) => {
      const bytes = encodeMessage(vote(rules, { type: "prepare" }))
      bytes[0] = 99
      return bytes
    },
    "with bytes after its end": (rules) =>
      new Uint8Array([...encodeMessage(vote(rules, { type: "prepare" })), 0]),
    "of another mesh": (rules) =>
      encodeMessage(vote({ ...rules, meshId: hash("elsewhere") }, { type: "prepare" })),
    "in another's name": (rules) =>
      encodeMessage(vote(rules, { type: "prepare", signer: 2 }, LIAR)),
    "outside the window": (rules) => encodeMessage(vote(rules, { type: "prepare", height: 129 })),
    "of a primary's that is none": (rules) => {
      const batch = batchOf([workItem(hash("proposed"))])
      const fields = { type: "pre-prepare", term: 0, view: 0, height: 1, signer: LIAR } as const
      const { sign } = validators[LIAR]!
      const preimage = votePreimage(rules.meshId, { ...fields, digest: batch.digest })
      return encodeMessage({ ...fields, digest: batch.digest, signature: sign(preimage), batch })
    },
    ...Object.fromEntries(
      Object.entries(FORGERIES).map(([what, forge]) => [
        `that asks for a view on a certificate with ${what}`,
        (rules: LedgerRules) => viewChangeOn(rules, forge(firstBlock(rules).certificate)),
      ]),
    ),
  }
  it("rejects a message, and hangs up who goes on", async (t) => {
    const honest = await validatorPeer(t, genesis, secrets[0]!)
    for (const [what, make] of Object.entries(wrong))
      await t.test(what, async (each) => {
        const { send, isHungUp } = await liarAt(each, honest)
        const message = make(rulesOf(honest))
        await send(...new Array<Bytes>(TOO_OFTEN - 1).fill(message))
        await send(message)
        await until("the liar to be hung up", isHungUp)
        assert.equal(honest.ledger.height, 0)
      })
  })

  it("takes no block with a forged certificate, and hangs up who sends it", async (t) => {
    const honest = await validatorPeer(t, genesis, secrets[0]!)
    for (const [what, forge] of Object.entries(FORGERIES))
      await t.test(what, async (each) => {
        const { send, isHungUp } = await liarAt(each, honest)
        const { certificate, ...block } = firstBlock(rulesOf(honest))
        const record = { ...block, certificate: forge(certificate) }
        const message = encodeMessage({ type: "blocks", records: [record] })
        await send(...new Array<Bytes>(TOO_OFTEN).fill(message))
        await until("the liar to be hung up", isHungUp)
        assert.equal(honest.ledger.height, 0)
      })
  })

  it("hangs up who announces more than a message may hold", async (t) => {
    const honest = await validatorPeer(t, genesis, secrets[0]!)
    const { sendRaw, isHungUp } = await liarAt(t, honest)
    await sendRaw(new Writer().u32(MESSAGE_MAX_BYTES).raw(new Uint8Array(8)).finish())
    await until("the liar to be hung up", isHungUp)
  })

  it("ignores votes of another term, which an honest laggard may send, and goes on listening", async (t) => {
    const honest = await validatorPeer(t, genesis, secrets[0]!)
    const { send, isHungUp } = await liarAt(t, honest)
    const rules = rulesOf(honest)
    const late = encodeMessage(vote<Prepare>(rules, { type: "prepare", term: 3, height: 400 }))
    await send(...new Array<Bytes>(3 * TOO_OFTEN).fill(late))
    await send(encodeMessage({ type: "blocks", records: [firstBlock(rules)] }))
    await until("the block to be taken", () => honest.ledger.height === 1)
    assert.equal(isHungUp(), false)
  })
})
