/** People become members by invitation, post by proof, and are taken out again: real processes, the command line as people use it. */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import {
  type Cluster,
  type ClusterNode,
  nodeOf,
  startCluster,
} from "../../scripts/testnet/cluster.ts"
import type { MembershipView, MemberView, ProposalView } from "../../src/node/api/types.ts"
import { decodeTicket, encodeTicket } from "../../src/crypto/ticket.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { befriend, history, until } from "./mesh.ts"

interface Invited {
  readonly tickets: readonly { readonly ticket: string; readonly voucher: string }[]
}
interface Members {
  readonly members: readonly MemberView[]
  readonly own: MembershipView
}

describe("e2e: members by invitation", () => {
  const directory = mkdtempSync(join(tmpdir(), "sotto-members-"))
  let cluster: Cluster
  let invited: Invited

  const node = (at: number): ClusterNode => nodeOf(cluster, at)
  const run = (at: number, ...args: string[]) =>
    sotto([...node(at).arguments, ...args], { script: REAL })
  const works = async <T>(at: number, ...args: string[]): Promise<T> => {
    const done = await run(at, ...args, "--json")
    assert.equal(done.exit, 0, done.err)
    return JSON.parse(done.out) as T
  }
  const refused = async (exit: number, code: string, at: number, ...args: string[]) => {
    const done = await run(at, ...args, "--json")
    assert.equal(done.exit, exit, `${done.out}${done.err}`)
    assert.match(done.err, new RegExp(code))
  }
  const members = (at: number) => works<Members>(at, "mesh", "members")
  const everywhere = async (holds: (members: readonly MemberView[]) => boolean) => {
    for (const { at } of cluster.nodes) {
      const api = await node(at).api()
      const look = async () => (await api.call("members.list", {})).members
      await until(api, look, holds, { timeoutMs: 60_000 })
    }
  }

  before(async () => {
    cluster = await startCluster({
      nodes: 4,
      validators: 2,
      directory,
      identities: [null, null, "alice", "bob"],
    })
    await cluster.meshed()
    await befriend(node(2), node(3))
  })
  after(async () => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it("an operator makes invitations, each with a voucher of its own", async () => {
    invited = await works<Invited>(0, "mesh", "invite", "--count", "10")
    assert.equal(invited.tickets.length, 10)
    assert.equal(new Set(invited.tickets.map(({ voucher }) => voucher)).size, 10)
    await refused(7, "NOT_OPERATOR", 2, "mesh", "invite")
    assert.deepEqual((await members(2)).members, [])
  })

  it("who uses one becomes a member, and everybody sees that there is one", async () => {
    const [first] = invited.tickets
    const { own } = await works<Members>(2, "mesh", "join", first!.ticket)
    assert.equal(own.state, "joined")
    assert.equal(own.refusal, null)
    await everywhere((list) => list.length === 1 && list[0]!.joinedBy === first!.voucher)
    const seen = await members(2)
    assert.deepEqual(
      seen.members.map(({ own: mine, commitment }) => [mine, commitment]),
      [[true, own.commitment]],
    )
    assert.equal((await members(3)).own.state, "none")
    const [again] = invited.tickets
    const twice = await works<Members>(2, "mesh", "join", again!.ticket)
    assert.equal(twice.own.commitment, own.commitment, "one leaf for one installation")
  })

  it("a used voucher, a forged one, and a ticket without any are told apart", async () => {
    const [used, fresh] = invited.tickets
    await refused(9, "VOUCHER_USED", 3, "mesh", "join", used!.ticket)
    const { voucher, ...ticket } = decodeTicket(fresh!.ticket)
    const forged = voucher!.slice()
    forged[100]! ^= 1
    const bad = encodeTicket({ ...ticket, voucher: forged })
    await refused(9, "BAD_VOUCHER", 3, "mesh", "join", bad)
    const other = encodeTicket({ ...ticket, voucher: new Uint8Array([9, 9, 9]) })
    await refused(9, "BAD_VOUCHER", 3, "mesh", "join", other)
    await refused(7, "NOT_INVITED", 3, "mesh", "join", encodeTicket(ticket))
    await refused(7, "NOT_INVITED", 3, "mesh", "join")
    assert.equal((await members(3)).own.state, "none")
    const { own } = await works<Members>(3, "mesh", "join", fresh!.ticket)
    assert.equal(own.state, "joined", "a refused voucher leaves the way open to a good one")
    await everywhere((list) => list.length === 2)
  })

  it("a ticket with a voucher makes a member of whoever begins with it", async () => {
    const third = invited.tickets[2]!
    const data = join(directory, "carol")
    const done = await sotto(
      [
        "--data",
        data,
        "init",
        "--name",
        "carol",
        "--no-passphrase",
        "--ticket",
        third.ticket,
        "--json",
      ],
      { script: REAL },
    )
    assert.equal(done.exit, 0, done.err)
    const { membership } = JSON.parse(done.out) as { membership: MembershipView }
    assert.equal(membership.state, "joined", done.err)
    await everywhere((list) => list.some(({ joinedBy }) => joinedBy === third.voucher))
  })

  it("and one that was used already says so, while everything else works", async () => {
    const data = join(directory, "dora")
    const done = await sotto(
      [
        "--data",
        data,
        "init",
        "--name",
        "dora",
        "--no-passphrase",
        "--ticket",
        invited.tickets[2]!.ticket,
      ],
      { script: REAL },
    )
    assert.equal(done.exit, 0, done.err)
    assert.match(done.err, /the invitation has made a member already/)
  })

  it("is taken out by a quorum of operators, and does not come back by the same voucher", async () => {
    const before = await members(0)
    const [alice] = before.members
    await refused(4, "UNKNOWN_MEMBER", 0, "mesh", "revoke", "0000000000")
    await refused(7, "NOT_OPERATOR", 2, "mesh", "revoke", alice!.commitment)
    const { proposal } = await works<{ proposal: ProposalView }>(
      0,
      "mesh",
      "revoke",
      alice!.joinedBy.slice(0, 12),
    )
    assert.deepEqual(proposal.remove, [alice!.commitment])
    assert.equal(proposal.needed, 2)
    const api = await node(1).api()
    const open = async () => (await api.call("proposals.list", {})).proposals
    await until(api, open, ([first]) => first?.id === proposal.id, { timeoutMs: 60_000 })
    await works(1, "validators", "approve", proposal.id.slice(0, 8))
    await everywhere((list) => !list.some(({ commitment }) => commitment === alice!.commitment))
    assert.equal((await members(2)).own.state, "none")
    await refused(9, "VOUCHER_USED", 2, "mesh", "join", invited.tickets[0]!.ticket)
  })

  it("and people talk all the while", async () => {
    const api = await node(2).api()
    await api.call("messages.send", { to: "bob", text: "still here" })
    await until(
      api,
      async () => (await history(api, "bob")).filter(({ text }) => text === "still here"),
      ([seen]) => seen?.state === "delivered",
      { timeoutMs: 60_000 },
    )
  })
})

describe("e2e: a mesh with one founder", () => {
  const directory = mkdtempSync(join(tmpdir(), "sotto-founder-"))
  after(() => rmSync(directory, { recursive: true, force: true }))
  const run = (...args: string[]) =>
    sotto(["--data", join(directory, "profile"), ...args], { script: REAL })

  it("has its founder as its first member, vouched for by themselves", async () => {
    const made = await run("mesh", "create", "home", "--tickets", "2", "--period", "5")
    assert.equal(made.exit, 0, made.err)
    assert.equal(made.out.trim().split("\n").length, 3, made.out)
    const begun = await run("init", "--name", "alice", "--no-passphrase", "--json")
    assert.equal(begun.exit, 0, begun.err)
    const { membership } = JSON.parse(begun.out) as { membership: MembershipView }
    assert.equal(membership.state, "joined", begun.err)
    const again = await run("mesh", "join", "--json")
    const { own } = JSON.parse(again.out) as { own: MembershipView }
    assert.equal(own.commitment, membership.commitment, "once")
  })
})

describe("e2e: an open mesh", () => {
  const directory = mkdtempSync(join(tmpdir(), "sotto-open-"))
  let cluster: Cluster
  before(async () => {
    const founding = { open: true, powBits: 4 }
    cluster = await startCluster({ nodes: 2, directory, identities: [null, "alice"], founding })
  })
  after(async () => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it("takes whoever works for it", async () => {
    const arguments_ = nodeOf(cluster, 1).arguments
    const run = (...args: string[]) => sotto([...arguments_, ...args], { script: REAL })
    const joined = await run("mesh", "join", "--json")
    assert.equal(joined.exit, 0, joined.err)
    const { own } = JSON.parse(joined.out) as { own: MembershipView }
    assert.equal(own.state, "joined")
    const again = await run("mesh", "join", "--json")
    assert.equal((JSON.parse(again.out) as { own: MembershipView }).own.commitment, own.commitment)
  })
})
