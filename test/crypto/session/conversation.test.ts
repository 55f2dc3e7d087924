import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { utf8 } from "../../../src/crypto/bytes.ts"
import * as session from "../../../src/crypto/session.ts"
import { adds, assertAgreed, groupOf, NOW, Person, removes, rotates, updates } from "./story.ts"

describe("a conversation", () => {
  it("carries words both ways between two people, with who said them", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    await assertAgreed(ada, ben)
    assert.equal(await ben.reads(await ada.says("hello")), "hello")
    assert.equal(await ada.reads(await ben.says("hello yourself")), "hello yourself")
    const read = await session.process(ben.state, await ada.says("and now?"))
    assert(read.kind === "application")
    assert.deepEqual(read.sender, session.members(ben.state)[0])
    assert.equal(read.epoch, 1n)
  })

  it("binds what travels in the clear to the message", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const { message } = await session.encrypt(ada.state, utf8("inside"), utf8("outside"))
    const read = await session.process(ben.state, message)
    assert(read.kind === "application")
    assert.deepEqual(read.authenticated, utf8("outside"))
    const at = Buffer.from(message).indexOf("outside")
    const altered = message.slice()
    altered.set(utf8("0utside"), at)
    assert.equal(await ben.reads(altered), "NOT_AUTHENTIC")
  })

  it("survives messages that overtake each other", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const messages = []
    for (const text of ["one", "two", "three", "four"]) messages.push(await ada.says(text))
    for (const index of [3, 0, 2, 1])
      assert.equal(await ben.reads(messages[index]!), ["one", "two", "three", "four"][index])
  })

  it("refuses what was read before", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const message = await ada.says("once")
    assert.equal(await ben.reads(message), "once")
    assert.equal(await ben.reads(message), "REPLAYED")
    assert.equal(await ada.reads(message), "OWN_MESSAGE")
  })

  it("gives up on a sender who is too many messages ahead, until those in between come", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const near = await ada.says("near")
    for (let sent = 0; sent < session.sessionLimits.MESSAGES_AHEAD; sent++) await ada.says("lost")
    const far = await ada.says("far")
    assert.equal(await ben.reads(far), "TOO_FAR_AHEAD")
    assert.equal(await ben.reads(near), "near")
    assert.equal(await ben.reads(far), "far")
  })

  it("keeps the keys of overtaken messages, but not without end", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const overtaken = []
    const kept = session.sessionLimits.OVERTAKEN_MESSAGES
    for (let sent = 0; sent < kept + 2; sent++) overtaken.push(await ada.says(`${sent}`))
    // first one of those in between: the last is too far ahead to be reached in one leap
    assert.equal(await ben.reads(overtaken[2]!), "2")
    assert.equal(await ben.reads(await ada.says("last")), "last")
    assert.equal(await ben.reads(overtaken[0]!), "REPLAYED")
    assert.equal(await ben.reads(overtaken[1]!), "1")
  })

  it("goes on after both have restarted, in the middle of an epoch and after an update", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const early = await ada.says("early")
    assert.equal(await ben.reads(await ada.says("late")), "late")
    ada.restarts()
    ben.restarts()
    assert.equal(await ben.reads(early), "early")
    assert.equal(await ben.reads(early), "REPLAYED")
    await updates(ben, [ada])
    ada.restarts()
    ben.restarts()
    assert.equal(await ada.reads(await ben.says("still here")), "still here")
    await assertAgreed(ada, ben)
  })

  it("reads messages of the last three epochs and not of the one before", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const old: Uint8Array[] = []
    for (const epoch of [1, 2, 3, 4]) {
      old.push(await ada.says(`epoch ${epoch}`))
      await updates(ada, [ben])
    }
    assert.equal(session.epochOf(ben.state), 5n)
    assert.equal(await ben.reads(old[0]!), "EPOCH_GONE")
    for (const epoch of [2, 3, 4]) {
      assert.equal(await ben.reads(old[epoch - 1]!), `epoch ${epoch}`)
      ben.restarts()
      assert.equal(await ben.reads(old[epoch - 1]!), "REPLAYED")
    }
  })

  it("does not read ahead of a commit that has not come", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const update = await session.updateSelf(ada.state)
    ada.state = session.mergeCommit(ada.state, update.next)
    const message = await ada.says("from the next epoch")
    assert.equal(await ben.reads(message), "FUTURE_EPOCH")
    await ben.sees(update.commit)
    assert.equal(await ben.reads(message), "from the next epoch")
  })

  it("keeps groups apart", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const cleo = await new Person("cleo").found("another group")
    assert.equal(await ben.reads(await cleo.says("hello")), "OTHER_GROUP")
    assert.equal(await cleo.reads(await ada.says("hello")), "OTHER_GROUP")
  })

  it("changes no state and no argument that it is given", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const states = () => [ada, ben].map((person) => session.encodeState(person.state))
    const before = states()
    const { message } = await session.encrypt(ada.state, utf8("text"))
    const sent = message.slice()
    const first = await session.process(ben.state, message)
    const second = await session.process(ben.state, message)
    const { commit } = await session.updateSelf(ada.state)
    const told = commit.slice()
    assert.equal((await session.process(ben.state, commit)).kind, "commit")
    assert.equal((await session.process(ben.state, commit)).kind, "commit")
    assert.equal(first.kind, "application")
    assert.equal(second.kind, "application")
    assert.deepEqual([message, commit], [sent, told])
    assert.deepEqual(states(), before)
  })
})

describe("membership", () => {
  it("tells everyone who came, who went, and who renewed their keys", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const cleo = new Person("cleo")
    const pair = await cleo.keyPackage()
    const adding = await session.addMembers(ada.state, [pair.public], NOW)
    const added = await ben.sees(adding.commit)
    ada.state = session.mergeCommit(ada.state, adding.next)
    await cleo.join(adding.welcome, pair)
    const came = { ...session.members(ada.state)[2], proof: new Uint8Array(0) }
    assert.deepEqual(
      [added.sender, added.added, added.removed, added.updated, added.ownRemoval],
      [session.members(ada.state)[0], [came], [], [], false],
    )
    const removing = await session.removeMembers(cleo.state, [cleo.leafOf(ben)])
    const gone = await ada.sees(removing.commit)
    assert.deepEqual(gone.removed, [session.members(ben.state)[1]])
    assert.deepEqual(gone.updated, [session.members(ada.state)[1]])
    assert.equal((await ben.sees(removing.commit)).ownRemoval, true)
    cleo.state = session.mergeCommit(cleo.state, removing.next)
    await assertAgreed(ada, cleo)
  })

  it("lets a removed member read nothing after, and what was sent before", async () => {
    const [ada, ben, cleo] = await groupOf("ada", "ben", "cleo")
    const before = await ada.says("before")
    const removing = await session.removeMembers(ada.state, [ada.leafOf(cleo)])
    await ben.sees(removing.commit)
    const past = cleo.state
    assert.equal((await cleo.sees(removing.commit)).ownRemoval, true)
    ada.state = session.mergeCommit(ada.state, removing.next)
    const after = await ada.says("after")
    assert.equal(await ben.reads(after), "after")
    assert.equal(await cleo.reads(after), "FUTURE_EPOCH")
    assert.equal(await cleo.reads(before), "before")
    assert.equal(session.isMember(cleo.state), false)
    await assert.rejects(session.encrypt(cleo.state, utf8("may I?")), { code: "NOT_A_MEMBER" })
    await assert.rejects(session.updateSelf(cleo.state), { code: "NOT_A_MEMBER" })
    cleo.restarts()
    assert.equal(session.isMember(cleo.state), false)
    // Nor does it help to go on from the state before the removal was seen.
    cleo.state = past
    assert.equal(await ben.reads(await cleo.says("late, but sent before")), "late, but sent before")
    await updates(ada, [ben])
    assert.equal(await ben.reads(await ada.says("healed")), "healed")
    await assertAgreed(ada, ben)
  })

  it("lets a new member read nothing from before", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const before = await ada.says("between us")
    const cleo = new Person("cleo")
    await adds(ben, [cleo], [ada])
    assert.equal(await cleo.reads(before), "EPOCH_GONE")
    assert.equal(await cleo.reads(await ada.says("welcome")), "welcome")
    await assertAgreed(ada, ben, cleo)
  })

  it("lets the loser of an epoch rebase: drop its commit, take the winner's, commit again", async () => {
    const [ada, ben, cleo] = await groupOf("ada", "ben", "cleo")
    const winner = await session.updateSelf(ben.state)
    const loser = await session.removeMembers(ada.state, [ada.leafOf(cleo)])
    await ada.sees(winner.commit)
    await cleo.sees(winner.commit)
    ben.state = session.mergeCommit(ben.state, winner.next)
    for (const person of [ben, cleo])
      assert.equal(await person.reads(loser.commit), "STALE_HANDSHAKE")
    await removes(ada, [cleo], [ben, cleo])
    assert.equal(session.isMember(cleo.state), false)
    await assertAgreed(ada, ben)
  })

  it("does not let a merge bring back messages that were read while the commit was on its way", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const pending = await session.updateSelf(ada.state)
    const message = await ben.says("meanwhile")
    assert.equal(await ada.reads(message), "meanwhile")
    ada.state = session.mergeCommit(ada.state, pending.next)
    assert.equal(await ada.reads(message), "REPLAYED")
    await ben.sees(pending.commit)
    await assertAgreed(ada, ben)
  })

  it("does not take our own commit from the network", async () => {
    const [ada] = await groupOf("ada", "ben")
    const { commit } = await session.updateSelf(ada.state)
    assert.equal(await ada.reads(commit), "OWN_MESSAGE")
  })

  it("takes a member back who was removed", async () => {
    const [ada, ben, cleo] = await groupOf("ada", "ben", "cleo")
    await removes(ada, [ben], [cleo, ben])
    const again = new Person("ben")
    await adds(cleo, [again], [ada])
    assert.equal(await again.reads(await ada.says("hello again")), "hello again")
    await assertAgreed(ada, again, cleo)
  })

  it("takes in again, in one step, a member who has lost everything", async () => {
    const [ada, ben, cleo] = await groupOf("ada", "ben", "cleo")
    const before = await ada.says("before")
    const anew = new Person("ben")
    const pair = await anew.keyPackage()
    const made = await session.readmitMembers(cleo.state, [pair.public], NOW)
    const seen = await ada.sees(made.commit)
    assert.deepEqual(
      [seen.removed, seen.added].map((list) => list.map(({ identity }) => identity)),
      [[ben.identity], [ben.identity]],
    )
    assert.equal((await ben.sees(made.commit)).ownRemoval, true)
    cleo.state = session.mergeCommit(cleo.state, made.next)
    await anew.join(made.welcome, pair)
    await assertAgreed(ada, anew, cleo)
    assert.equal(await anew.reads(before), "EPOCH_GONE")
    assert.equal(await anew.reads(await ada.says("there you are")), "there you are")
    await assert.rejects(
      session.readmitMembers(cleo.state, [(await cleo.keyPackage()).public], NOW),
      {
        code: "ALREADY_A_MEMBER",
      },
    )
  })

  it("follows a member to a new signature key, and still reads what the old one signed", async () => {
    const [ada, ben, cleo] = await groupOf("ada", "ben", "cleo")
    const before = session.members(ada.state)
    const late = await ben.says("signed with the old key")
    await rotates(ben, [ada, cleo])
    await assertAgreed(ada, ben, cleo)
    const after = session.members(ada.state)
    assert.notDeepEqual(after[1]!.signatureKey, before[1]!.signatureKey)
    assert.deepEqual([after[0], after[2]], [before[0], before[2]])
    assert.deepEqual(after[1]!.identity, ben.identity)
    const read = await session.process(ada.state, late)
    assert(read.kind === "application")
    assert.deepEqual(read.sender, before[1])
    ben.restarts()
    assert.equal(
      await ada.reads(await ben.says("signed with the new key")),
      "signed with the new key",
    )
    await updates(ben, [ada, cleo])
    const dora = new Person("dora")
    await adds(ben, [dora], [ada, cleo])
    await assertAgreed(ada, ben, cleo, dora)
    await assert.rejects(session.updateSelf(ben.state, new Uint8Array(31)), { code: "BAD_LENGTH" })
  })

  it("tells who wrote a late message even when their leaf has been given away", async () => {
    const [ada, ben, cleo] = await groupOf("ada", "ben", "cleo")
    const late = await ben.says("I was here")
    await removes(ada, [ben], [cleo])
    const dora = new Person("dora")
    await adds(ada, [dora], [cleo])
    assert.equal(cleo.leafOf(dora), 1)
    const read = await session.process(cleo.state, late)
    assert(read.kind === "application")
    assert.deepEqual([read.sender.leaf, read.sender.identity], [1, ben.identity])
  })

  it("refuses to add someone twice, to remove nobody, and to remove oneself", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const cleo = new Person("cleo")
    const packages = [await ben.keyPackage(), await cleo.keyPackage(), await cleo.keyPackage()]
    const [bens, cleos, cleosOther] = packages.map((pair) => pair.public)
    await assert.rejects(session.addMembers(ada.state, [bens!], NOW), { code: "ALREADY_A_MEMBER" })
    await assert.rejects(session.addMembers(ada.state, [cleos!, cleosOther!], NOW), {
      code: "ALREADY_A_MEMBER",
    })
    for (const leaf of [2, 7, ada.leafOf(ada)])
      await assert.rejects(session.removeMembers(ada.state, [leaf]), { code: "NO_SUCH_MEMBER" })
  })
})
