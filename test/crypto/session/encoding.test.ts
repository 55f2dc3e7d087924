/** A state is stored as ts-mls writes it, though its tree is encoded once for all messages of an epoch. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encodeGroupState } from "ts-mls"
import { primitives } from "#primitives"
import {
  addMembers,
  createGroup,
  createKeyPackage,
  decodeState,
  encodeState,
  encrypt,
  joinFromWelcome,
  mergeCommit,
  process as read,
  type SessionState,
  updateSelf,
} from "../../../src/crypto/session.ts"
import { unwrap } from "../../../src/crypto/session/state.ts"

const STATE_VERSION = 1
const nowSeconds = 1_800_000_000

const stored = (state: SessionState): SessionState => {
  const bytes = encodeState(state)
  assert.deepEqual(bytes.subarray(1), encodeGroupState(unwrap(state)))
  assert.equal(bytes[0], STATE_VERSION)
  const again = decodeState(bytes)
  assert.deepEqual(encodeState(again), bytes)
  return again
}

async function taken(state: SessionState, message: Uint8Array): Promise<SessionState> {
  const result = await read(state, message)
  assert(result.kind !== "ignored", "a sound message")
  return result.next
}

describe("a stored state", () => {
  it("has the same bytes after every step of a conversation as if all of it had been encoded anew", async () => {
    const pairs = await Promise.all(
      Array.from({ length: 3 }, () =>
        createKeyPackage({
          identity: primitives.randomBytes(64),
          signatureSeed: primitives.ed25519.generate(),
          lastResort: true,
          notAfterSeconds: 2 ** 33,
        }),
      ),
    )
    const alone = await createGroup({
      groupId: primitives.randomBytes(16),
      identity: primitives.randomBytes(64),
      signatureSeed: primitives.ed25519.generate(),
    })
    stored(alone)
    const packages = pairs.map((pair) => pair.public)
    const founded = await addMembers(alone, packages, nowSeconds)
    let ada = stored(founded.next)
    const [first] = pairs
    assert(first !== undefined)
    const joined = await joinFromWelcome(founded.welcome, first)
    assert(joined.kind === "joined")
    let bob = stored(joined.state)
    for (let epoch = 0; epoch < 5; epoch++) {
      for (let text = 0; text < 3; text++) {
        const said = await encrypt(ada, Uint8Array.of(epoch, text))
        ada = stored(said.next)
        bob = stored(await taken(bob, said.message))
      }
      const update = await updateSelf(bob)
      ada = stored(await taken(ada, update.commit))
      bob = stored(mergeCommit(bob, update.next))
    }
  })
})
