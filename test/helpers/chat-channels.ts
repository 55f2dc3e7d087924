/** Members of one group as channels, without mailboxes, clocks or disks: what the pure rules of chat are tested with. */
import assert from "node:assert/strict"
import { type Channel, NEW_GROUP, openChannel } from "../../src/chat/channel.ts"
import { encodeAbout } from "../../src/chat/group.ts"
import { type Address, addressBytes, addressFromBytes } from "../../src/crypto/address.ts"
import { Writer } from "../../src/crypto/bytes.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import {
  changeGroup,
  createGroup,
  createKeyPackage,
  generateSignatureSeed,
  joinFromWelcome,
  mergeCommit,
  type SessionState,
  type Signing,
} from "../../src/crypto/session.ts"

function someone(signing: Signing) {
  const address = addressFromBytes(
    new Writer().raw(primitives.randomBytes(32)).raw(primitives.randomBytes(32)).finish(),
  )
  return { address, signatureSeed: generateSignatureSeed(signing) }
}

/** A group of so many, by leaf; the first runs it. */
export async function channelsOf(count: number, signing: Signing = "ed25519"): Promise<Channel[]> {
  const [founder, ...others] = Array.from({ length: count }, () => someone(signing))
  assert(founder !== undefined)
  const packages = await Promise.all(
    others.map(({ address, signatureSeed }) =>
      createKeyPackage({
        identity: addressBytes(address),
        signatureSeed,
        lastResort: true,
        notAfterSeconds: 2 ** 33,
      }),
    ),
  )
  const group = await createGroup({
    groupId: primitives.randomBytes(16),
    identity: addressBytes(founder.address),
    signatureSeed: founder.signatureSeed,
    about: encodeAbout({ name: "Team", admins: [founder.address] }),
  })
  const alone = { peer: founder.address, theirName: "", trusted: true, group: NEW_GROUP }
  if (others.length === 0) return [await openChannel(group, alone)]
  const add = packages.map((each) => each.public)
  const { next, welcome } = await changeGroup(group, { add, remove: [] }, 2 ** 31)
  assert(welcome !== undefined)
  const states: { state: SessionState; peer: Address }[] = [
    { state: mergeCommit(group, next), peer: founder.address },
  ]
  for (const [i, { address }] of others.entries()) {
    const joined = await joinFromWelcome(welcome, packages[i] ?? assert.fail())
    assert(joined.kind === "joined")
    states.push({ state: joined.state, peer: address })
  }
  return Promise.all(
    states.map(({ state, peer }) =>
      openChannel(state, { peer, theirName: "", trusted: true, group: NEW_GROUP }),
    ),
  )
}
