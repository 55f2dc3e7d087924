/**
 * MLS by published stories. The working group's own files carry no licence and are not kept here: `npm run mls-vectors -- DIR` checks
 * them. The story of our suite is kept, so that a change of the suite's bytes is seen, and others can build from it.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, fromHex, toHex } from "../../../src/crypto/bytes.ts"
import * as session from "../../../src/crypto/session.ts"
import { checkVectors } from "../../../scripts/mls-vectors/check.ts"
import { readVectors } from "../../helpers/vectors.ts"

interface Story {
  readonly key_package: string
  readonly init_priv: string
  readonly encryption_priv: string
  readonly signature_priv: string
  readonly welcome: string
  readonly epochs: readonly { readonly commit: string; readonly epoch_authenticator: string }[]
}

const [story] = readVectors("sotto/passive-client-welcome.json") as [Story]

const check = (vector: unknown) => checkVectors("passive-client-welcome", [vector])

test("ts-mls follows the kept story of our suite to its last epoch", async () => {
  assert.deepEqual(await check(story), { passed: 1, leftOut: 0, failures: [] })
})

test("so does the session room, whose joining and tree checks are its own", async () => {
  const secrets = [story.init_priv, story.encryption_priv, story.signature_priv].map(fromHex)
  const pair = { public: fromHex(story.key_package), private: concat(Uint8Array.of(1), ...secrets) }
  const joined = await session.joinFromWelcome(fromHex(story.welcome), pair)
  assert(joined.kind === "joined")
  let { state } = joined
  for (const { commit } of story.epochs) {
    const read = await session.process(state, fromHex(commit))
    assert(read.kind === "commit")
    state = read.next
  }
  assert.equal(session.epochOf(state), 1n + BigInt(story.epochs.length))
  assert.equal(session.members(state).length, 3, "ada, ben and dan")
})

test("a story with one other byte does not pass", async () => {
  const flipped = (hex: string) => {
    const bytes = fromHex(hex)
    const last = bytes.length - 1
    bytes[last] = (bytes[last] ?? 0) ^ 1
    return toHex(bytes)
  }
  const [first, ...rest] = story.epochs
  assert(first !== undefined)
  for (const wrong of [
    { ...story, welcome: flipped(story.welcome) },
    { ...story, init_priv: flipped(story.init_priv) },
    { ...story, epochs: [{ ...first, commit: flipped(first.commit) }, ...rest] },
    { ...story, epochs: [{ ...first, epoch_authenticator: "00" }, ...rest] },
  ]) {
    const { passed, failures } = await check(wrong)
    assert.equal(passed, 0)
    assert.equal(failures.length, 1)
  }
})

test("a vector that lacks a field fails, and one of a suite that is not run here is counted as left out", async () => {
  assert.equal(
    (await check({ ...story, welcome: undefined })).failures[0]?.why,
    "welcome is no text",
  )
  assert.equal((await check({ ...story, cipher_suite: 3 })).leftOut, 1)
})
