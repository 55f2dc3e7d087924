/** What members state about commits in blobs: who signed it, for which epoch, and how it is encoded. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Channel, readPayload } from "../../src/chat/channel.ts"
import { hold, noted, settle } from "../../src/chat/commits.ts"
import {
  decodeFarStatement,
  encodeFarStatement,
  FAR_COMMIT_BYTES_MAX,
  type FarStatement,
  isFarStatement,
  readFarStatement,
} from "../../src/chat/far-commit.ts"
import { encodeBlobRef, newBlobKey } from "../../src/crypto/blob.ts"
import { concat } from "../../src/crypto/bytes.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import { epochOf, ownLeaf, updateSelf } from "../../src/crypto/session.ts"
import { channelsOf } from "../helpers/chat-channels.ts"
import { strictDecoder } from "../helpers/decoders.ts"

const atNow = ({ state }: Channel) => ({ epoch: Number(epochOf(state)), leaf: ownLeaf(state) })

describe("a statement about a commit in a blob", () => {
  const commit = primitives.randomBytes(32)
  const statements: readonly FarStatement[] = [
    { kind: "commit", ref: { size: 9, key: newBlobKey(), root: primitives.randomBytes(32) } },
    { kind: "confirmation", commit },
    { kind: "missing", commit },
  ]

  for (const signing of ["ed25519", "composite"] as const)
    it(`is its author's, of their epoch, and every byte of it is signed (${signing})`, async () => {
      const [ada, bob] = await channelsOf(2, signing)
      const others = await channelsOf(2, signing)
      assert(ada !== undefined && bob !== undefined && others[0] !== undefined)
      for (const statement of statements) {
        const payload = await encodeFarStatement(ada.state, statement)
        assert(isFarStatement(payload))
        const by = atNow(ada)
        assert.deepEqual(await readFarStatement(bob.state, by, payload), statement)
        const read = await readPayload(bob, { ...by }, payload)
        assert.deepEqual(read, { kind: "statement", statement })
        for (const no of [
          { ...by, leaf: 1 },
          { ...by, leaf: 7 },
          { ...by, epoch: by.epoch + 1 },
        ])
          assert.equal(await readFarStatement(bob.state, no, payload), undefined)
        assert.equal(await readFarStatement(others[0].state, by, payload), undefined)
        const step = signing === "composite" ? 97 : 1
        for (let at = 0; at < payload.length; at += step) {
          const changed = payload.with(at, (payload[at] ?? 0) ^ 1)
          assert.equal(await readFarStatement(bob.state, by, changed), undefined, `byte ${at}`)
        }
        assert.equal(
          await readFarStatement(bob.state, by, concat(payload, Uint8Array.of(0))),
          undefined,
        )
      }
    })

  it("is decoded strictly", async () => {
    const [ada] = await channelsOf(1)
    assert(ada !== undefined)
    for (const statement of statements) {
      const payload = await encodeFarStatement(ada.state, statement)
      strictDecoder(payload, decodeFarStatement)
    }
    const tooLong = { size: FAR_COMMIT_BYTES_MAX + 1, key: commit, root: commit }
    const empty = { ...tooLong, size: 0 }
    for (const [ref, code] of [
      [tooLong, "TOO_LARGE"],
      [empty, "BAD_ENCODING"],
    ] as const)
      assert.throws(
        () =>
          decodeFarStatement(concat(Uint8Array.of(1, 1), encodeBlobRef(ref), Uint8Array.of(0, 0))),
        { code },
      )
  })

  it("is still its author's when the epoch has ended, and worth nothing then", async () => {
    const [ada, bob, cyd] = await channelsOf(3)
    assert(ada !== undefined && bob !== undefined && cyd !== undefined)
    const payload = await encodeFarStatement(bob.state, { kind: "missing", commit })
    const said = await encodeFarStatement(bob.state, { kind: "confirmation", commit })
    const { commit: whole } = await updateSelf(cyd.state)
    const waiting = { envelope: commit, leaf: 2, own: null, payload: whole, far: null }
    const settled = await settle(hold(ada, waiting), commit, { height: 1, index: 0 })
    assert(settled?.kind === "entered")
    const { channel } = settled
    assert.equal((await readPayload(channel, atNow(bob), payload)).kind, "statement")
    const read = await readPayload(channel, atNow(bob), said)
    assert(read.kind === "statement" && read.statement.kind === "confirmation")
    assert.equal(noted(channel, atNow(bob), read.statement, commit), undefined)
  })
})
