/** Who may be let into a group anew, by whom, and what nobody can do by it; with real sessions, and members who check as members do. */
import assert from "node:assert/strict"
import { beforeEach, describe, it } from "node:test"
import fc from "fast-check"
import { encodeAbout, type Group, groupIn, memberIn, objectionTo } from "../../src/chat/group.ts"
import {
  decodePlea,
  encodePlea,
  isPlea,
  isReturn,
  makeMark,
  numberOf,
  RETURN_EVERY_MS,
} from "../../src/chat/return.ts"
import { isGranted, plan, readWish, type Wish, wishing, writeWish } from "../../src/chat/wishes.ts"
import { type Address, addressBytes, addressFromBytes } from "../../src/crypto/address.ts"
import { type Bytes, Reader, Writer } from "../../src/crypto/bytes.ts"
import { primitives } from "../../src/crypto/primitives/native.ts"
import {
  addMembers,
  changeGroup,
  createGroup,
  createKeyPackage,
  joinFromWelcome,
  mergeCommit,
  process,
  type SessionState,
  updateSelf,
} from "../../src/crypto/session.ts"
import { strictDecoder } from "../helpers/decoders.ts"

const NOW_MS = 1_800_000_000_000
const NOW_SECONDS = NOW_MS / 1_000
const { ed25519 } = primitives
const publicOf = (seed: Bytes) => ed25519.publicFromPrivate(ed25519.importPrivate(seed))

interface Who {
  readonly root: Bytes
  readonly address: Address
  readonly leaf: Bytes
}

function someone(): Who {
  const root = ed25519.generate()
  const address = addressFromBytes(
    new Writer().raw(publicOf(root)).raw(primitives.randomBytes(32)).finish(),
  )
  return { root, address, leaf: ed25519.generate() }
}

const packageOf = ({ address, leaf }: Pick<Who, "address" | "leaf">, mark?: Bytes) =>
  createKeyPackage({
    identity: addressBytes(address),
    signatureSeed: leaf,
    lastResort: false,
    notAfterSeconds: 2 ** 33,
    ...(mark === undefined ? {} : { mark }),
  })

const GROUP_ID = new Uint8Array(16).fill(7)
/** Ada runs the group; Bob comes back; Cyd lets him in; Eve is no member. */
let [ada, bob, cyd, eve] = [] as unknown as [Who, Who, Who, Who]
let states: { ada: SessionState; bob: SessionState; cyd: SessionState }
let group: Group

const joined = async (welcome: Bytes, pair: Awaited<ReturnType<typeof packageOf>>) => {
  const read = await joinFromWelcome(welcome, pair)
  assert(read.kind === "joined", read.kind === "ignored" ? read.code : "")
  return read.state
}

beforeEach(async () => {
  ;[ada, bob, cyd, eve] = [someone(), someone(), someone(), someone()]
  const founded = await createGroup({
    groupId: GROUP_ID,
    identity: addressBytes(ada.address),
    signatureSeed: ada.leaf,
    about: encodeAbout({ name: "Team", admins: [ada.address] }),
  })
  const [bobs, cyds] = [await packageOf(bob), await packageOf(cyd)]
  const made = await addMembers(founded, [bobs.public, cyds.public], NOW_SECONDS)
  states = {
    ada: mergeCommit(founded, made.next),
    bob: await joined(made.welcome, bobs),
    cyd: await joined(made.welcome, cyds),
  }
  group = groupIn(states.ada) ?? assert.fail()
})

const leafOf = (who: Who) => memberIn(group, who.address)?.leaf ?? assert.fail()

/** Cyd's commit as Ada reads it: the objection of everybody, or the state after it. */
async function byCyd(add: readonly Bytes[], remove: readonly number[]) {
  const made = await changeGroup(states.cyd, { add, remove }, NOW_SECONDS)
  const read = await process(states.ada, made.commit)
  assert(read.kind === "commit", read.kind === "ignored" ? read.code : "")
  return { read, made, objection: objectionTo(group, read) }
}

const markOf = (who: Who, number = NOW_MS, { root = who.root, id = GROUP_ID } = {}) =>
  makeMark(root, id, number, publicOf(who.leaf))

describe("coming back into a group", () => {
  it("is brought about by any member, for whoever has signed for it with the root key of their address", async () => {
    const again = await packageOf(bob, markOf(bob))
    const { read, made, objection } = await byCyd([again.public], [leafOf(bob)])
    assert.equal(objection, undefined)
    const after = groupIn(read.next) ?? assert.fail()
    assert.deepEqual(
      after.members.map(({ address }) => address).sort(),
      [...group.members.map((m) => m.address)].sort(),
    )
    assert.equal(memberIn(after, bob.address)?.returned, NOW_MS)
    const back = await joined(made.welcome ?? assert.fail(), again)
    assert.equal(memberIn(groupIn(back) ?? assert.fail(), bob.address)?.returned, NOW_MS)

    // The number stays with the leaf, whatever becomes of its keys, a new signature key included.
    const rotated = await updateSelf(back, ed25519.generate())
    const seen = await process(read.next, rotated.commit)
    assert(seen.kind === "commit")
    assert.equal(memberIn(groupIn(seen.next) ?? assert.fail(), bob.address)?.returned, NOW_MS)
  })

  it("is nothing that a member can do to another who has not asked for it", async () => {
    const forged: Record<string, Bytes> = {
      "without a mark": (await packageOf(bob)).public,
      "signed by another root": (await packageOf(bob, markOf(bob, NOW_MS, { root: cyd.root })))
        .public,
      "for another group": (await packageOf(bob, markOf(bob, NOW_MS, { id: new Uint8Array(16) })))
        .public,
      "for another leaf key": (
        await packageOf({ ...bob, leaf: cyd.leaf.map((b) => b ^ 1) }, markOf(bob))
      ).public,
      "that is no mark": (await packageOf(bob, new Uint8Array(73))).public,
    }
    for (const [what, keyPackage] of Object.entries(forged)) {
      const { objection } = await byCyd([keyPackage], [leafOf(bob)])
      assert.equal(objection, "NOT_AN_ADMIN", what)
    }
  })

  it("brings in nobody who was not there, takes out nobody else, and does nothing besides", async () => {
    const bobs = (await packageOf(bob, markOf(bob))).public
    const eves = (await packageOf(eve, markOf(eve))).public
    const other = await byCyd([eves], [leafOf(bob)])
    assert.equal(other.objection, "NOT_AN_ADMIN", "somebody else in his place")
    const more = await byCyd([bobs, eves], [leafOf(bob)])
    assert.equal(more.objection, "NOT_AN_ADMIN", "and somebody besides")
    const fewer = await byCyd([bobs], [leafOf(bob), leafOf(ada)])
    assert.equal(fewer.objection, "NOT_AN_ADMIN", "and somebody less")
  })

  it("works once for each mark, and not again within ten minutes", async () => {
    const first = await packageOf(bob, markOf(bob))
    const { read, made } = await byCyd([first.public], [leafOf(bob)])
    const cydNow = mergeCommit(states.cyd, made.next)
    const now = groupIn(read.next) ?? assert.fail()
    const leaf = memberIn(now, bob.address)?.leaf ?? assert.fail()
    const judged = async (mark: Bytes) => {
      const next = await packageOf(bob, mark)
      const again = await changeGroup(cydNow, { add: [next.public], remove: [leaf] }, NOW_SECONDS)
      const seen = await process(read.next, again.commit)
      assert(seen.kind === "commit")
      return objectionTo(now, seen)
    }
    assert.equal(await judged(markOf(bob)), "NOT_AN_ADMIN", "the same mark")
    assert.equal(await judged(markOf(bob, NOW_MS + RETURN_EVERY_MS - 1)), "NOT_AN_ADMIN")
    assert.equal(await judged(markOf(bob, NOW_MS + RETURN_EVERY_MS)), undefined)
  })

  it("cannot be used to put a key into the tree that is there already", async () => {
    const again = await packageOf(bob, markOf(bob))
    const { read, made } = await byCyd([again.public], [leafOf(bob)])
    const cydNow = mergeCommit(states.cyd, made.next)
    const leaf = memberIn(groupIn(read.next) ?? assert.fail(), bob.address)?.leaf ?? assert.fail()
    await assert.rejects(
      changeGroup(cydNow, { add: [again.public], remove: [leaf] }, NOW_SECONDS),
      (error) => (error as { code?: string }).code === "BAD_KEY_PACKAGE",
    )
  })

  it("is a wish of the member who was asked, until the group is so, and nobody else's", () => {
    const wish: Wish = {
      kind: "readmit",
      who: bob.address,
      number: NOW_MS,
      keyPackage: new Uint8Array(40),
    }
    assert.equal(isGranted(group, cyd.address, wish), false)
    const next = plan(group, cyd.address, [wish], () => false)
    assert.deepEqual(next?.readmit, [wish])
    assert.deepEqual(next.remove, [leafOf(bob)])
    assert.deepEqual(next.grants, [wish])
    const isBack = {
      ...group,
      members: group.members.map((each) =>
        each.address === bob.address ? { ...each, returned: NOW_MS } : each,
      ),
    }
    assert(isGranted(isBack, cyd.address, wish), "somebody else was faster")
    const gone = {
      ...group,
      members: group.members.filter(({ address }) => address !== bob.address),
    }
    assert(isGranted(gone, cyd.address, wish), "somebody who runs the group wants him out")
    const removal: Wish = { kind: "remove", who: bob.address }
    assert.deepEqual(plan(group, ada.address, [wish, removal], () => false)?.readmit, [])
    const newer = { ...wish, number: NOW_MS + 1 }
    assert.deepEqual(wishing([wish], newer), [newer])
    for (const each of [wish, { kind: "return" } as const]) {
      const out = new Writer()
      writeWish(out, each)
      assert.deepEqual(readWish(new Reader(out.finish())), each)
    }
  })

  it("takes any bytes for a mark without a word", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 128 }), (mark) => {
        assert(numberOf(mark) >= 0)
        assert.equal(
          isReturn(GROUP_ID, bob.address, publicOf(bob.leaf), {
            mark,
            proof: mark,
            before: 0,
          }),
          false,
        )
      }),
    )
  })

  it("is asked for in bytes that are decoded strictly", () => {
    const plea = { group: GROUP_ID, keyPackage: new Uint8Array(3_500).fill(9) }
    const bytes = encodePlea(plea)
    assert(isPlea(bytes))
    assert.deepEqual(decodePlea(bytes), plea)
    strictDecoder(bytes, decodePlea, encodePlea)
  })
})
