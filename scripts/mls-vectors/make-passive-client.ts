/**
 * A passive-client vector of sotto's own cipher suite: somebody joins a group of four by a Welcome and sees five commits, with and
 * without paths, and one that changes a signature key.
 */
import { Reader, toHex, utf8 } from "../../src/crypto/bytes.ts"
import * as session from "../../src/crypto/session.ts"
import { SUITE_IDS } from "../../src/crypto/session/suite.ts"
import { type SessionState, unwrap } from "../../src/crypto/session/state.ts"
import { primitives } from "#primitives"

const NOW = Math.floor(Date.now() / 1000)
const ALWAYS = 2 ** 40

const packageOf = (name: string) =>
  session.createKeyPackage({
    identity: utf8(name),
    signatureSeed: primitives.randomBytes(32),
    lastResort: false,
    notAfterSeconds: ALWAYS,
  })

const authenticatorOf = (state: SessionState) => toHex(unwrap(state).keySchedule.epochAuthenticator)

export async function passiveClientVector(): Promise<object> {
  const ada = await session.createGroup({
    groupId: utf8("a vector"),
    identity: utf8("ada"),
    signatureSeed: primitives.randomBytes(32),
  })
  const [ben, cleo, dan] = [await packageOf("ben"), await packageOf("cleo"), await packageOf("dan")]
  const welcomed = await session.addMembers(ada, [cleo.public, ben.public], NOW)
  const secrets = new Reader(ben.private)
  secrets.u8()

  let state = welcomed.next
  const epochs: { proposals: string[]; commit: string; epoch_authenticator: string }[] = []
  async function step(change: (state: SessionState) => Promise<session.PendingCommit>) {
    const { commit, next } = await change(state)
    state = next
    epochs.push({
      proposals: [],
      commit: toHex(commit),
      epoch_authenticator: authenticatorOf(next),
    })
  }

  const vector = {
    cipher_suite: SUITE_IDS.ed25519,
    external_psks: [],
    key_package: toHex(ben.public),
    init_priv: toHex(secrets.raw(32)),
    encryption_priv: toHex(secrets.raw(32)),
    signature_priv: toHex(secrets.raw(32)),
    welcome: toHex(welcomed.welcome),
    ratchet_tree: null,
    initial_epoch_authenticator: authenticatorOf(welcomed.next),
    epochs,
  }
  await step((at) => session.updateSelf(at))
  await step((at) => session.addMembers(at, [dan.public], NOW))
  await step((at) => session.updateSelf(at, primitives.randomBytes(32)))
  await step((at) => session.removeMembers(at, [1]))
  await step((at) => session.updateSelf(at))
  return vector
}
