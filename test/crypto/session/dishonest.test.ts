import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Node, RatchetTree } from "ts-mls"
import { utf8 } from "../../../src/crypto/bytes.ts"
import * as session from "../../../src/crypto/session.ts"
import { unwrap } from "../../../src/crypto/session/state.ts"
import { addition, altered, forgeCommit, forgeWelcome, inline, proposeAlone } from "./forge.ts"
import { adds, assertAgreed, groupOf, NOW, Person, updates } from "./story.ts"

async function verdictOn(reader: Person, message: Uint8Array): Promise<string> {
  const read = await session.process(reader.state, message)
  return read.kind === "ignored" ? read.code : read.kind
}

async function answerTo(welcome: Uint8Array, pair: session.KeyPackagePair): Promise<string> {
  const joined = await session.joinFromWelcome(welcome, pair)
  return joined.kind === "ignored" ? joined.code : joined.kind
}

describe("a dishonest member", () => {
  it("cannot remove someone without new path secrets, nor commit nothing without them", async () => {
    const [ada, ben, cleo] = await groupOf("ada", "ben", "cleo")
    const removal = inline({ proposalType: "remove", remove: { removed: ben.leafOf(cleo) } })
    assert.equal(await verdictOn(ben, await forgeCommit(ada.state, removal)), "PATH_MISSING")
    assert.equal(await verdictOn(ben, await forgeCommit(ada.state, inline())), "PATH_MISSING")
  })

  it("cannot bring in proposals of kinds we do not take part in", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const unwanted = [
      inline({
        proposalType: "group_context_extensions",
        groupContextExtensions: { extensions: [] },
      }),
      inline({
        proposalType: "reinit",
        reinit: {
          groupId: utf8("x"),
          version: "mls10",
          cipherSuite: unwrap(ada.state).groupContext.cipherSuite,
          extensions: [],
        },
      }),
      inline({ proposalType: 0xf000, proposalData: utf8("x") }),
      {
        proposals: [{ proposalOrRefType: "reference", reference: new Uint8Array(32) }],
        path: undefined,
      },
    ] as const
    for (const commit of unwanted)
      assert.equal(
        await verdictOn(
          ben,
          await forgeCommit(ada.state, { ...commit, proposals: [...commit.proposals] }),
        ),
        "UNWANTED_PROPOSAL",
      )
  })

  it("cannot propose outside a commit, nor speak in public messages", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const proposal = { proposalType: "remove", remove: { removed: ben.leafOf(ada) } } as const
    assert.equal(
      await verdictOn(ben, await proposeAlone(ada.state, proposal, false)),
      "UNWANTED_PROPOSAL",
    )
    assert.equal(
      await verdictOn(ben, await proposeAlone(ada.state, proposal, true)),
      "UNEXPECTED_KIND",
    )
    assert.equal(await ben.reads(await ada.says("never mind")), "never mind")
  })

  it("cannot add someone whose key packages are broken, however many", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const dora = await new Person("dora").keyPackage()
    const ed = await new Person("ed").keyPackage()
    const unsigned = [dora, ed].map((pair) =>
      addition(pair.public, (fields) => (fields.signature[0]! ^= 1)),
    )
    const renamed = addition(dora.public, (fields) => {
      fields.leafNode.credential = { credentialType: "basic", identity: utf8("someone else") }
    })
    const sameKeys = addition(
      dora.public,
      (fields) => (fields.initKey = fields.leafNode.hpkePublicKey),
    )
    const shortKey = addition(dora.public, (fields) => (fields.initKey = fields.initKey.slice(1)))
    const stranger = addition(dora.public, (fields) => {
      fields.leafNode.credential = { credentialType: "x509", certificates: [utf8("x")] }
    })
    for (const proposals of [unsigned, [renamed], [sameKeys], [shortKey], [stranger]])
      assert.equal(
        await verdictOn(ben, await forgeCommit(ada.state, inline(...proposals))),
        "BAD_KEY_PACKAGE",
      )
  })

  it("cannot add someone who is there, or one person twice", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const bens = addition((await ben.keyPackage()).public)
    const dora = new Person("dora")
    const twice = [await dora.keyPackage(), await dora.keyPackage()]
    for (const proposals of [[bens], twice.map((pair) => addition(pair.public))])
      assert.equal(
        await verdictOn(ben, await forgeCommit(ada.state, inline(...proposals))),
        "INVALID_COMMIT",
      )
  })

  it("cannot fill the group beyond its limit", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    // one message does not hold as many as the group does
    const half = session.sessionLimits.MEMBERS_MAX / 2
    const packages = Array.from({ length: half - 1 }, async (_, i) => (await new Person(`${i}`).keyPackage()).public) // prettier-ignore
    const made = await session.addMembers(ada.state, await Promise.all(packages), NOW)
    await ben.sees(made.commit)
    ada.state = session.mergeCommit(ada.state, made.next)
    const { public: one } = await new Person("dora").keyPackage()
    const crowd = Array.from({ length: half }, () => addition(one))
    const commit = await forgeCommit(ada.state, inline(...crowd))
    assert.equal(await verdictOn(ben, commit), "GROUP_FULL")
  })

  it("cannot commit without the epoch's confirmation, and costs the others nothing by trying", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const dora = addition((await new Person("dora").keyPackage()).public)
    assert.equal(await verdictOn(ben, await forgeCommit(ada.state, inline(dora))), "INVALID_COMMIT")
    await updates(ada, [ben])
    await assertAgreed(ada, ben)
  })

  it("cannot become someone else in a commit, nor take a key that is taken", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const honest = await session.updateSelf(ada.state)
    const leaf = unwrap(honest.next).ratchetTree[2 * ada.leafOf(ada)] as Node & { nodeType: "leaf" }
    const benLeaf = unwrap(ada.state).ratchetTree[2 * ada.leafOf(ben)] as Node & {
      nodeType: "leaf"
    }
    assert.equal(leaf.leaf.leafNodeSource, "commit")
    const asBen = { ...leaf.leaf, credential: benLeaf.leaf.credential }
    const otherKey = { ...leaf.leaf, signaturePublicKey: benLeaf.leaf.signaturePublicKey }
    const takenKey = { ...leaf.leaf, hpkePublicKey: benLeaf.leaf.hpkePublicKey }
    const noKey = { ...leaf.leaf, hpkePublicKey: new Uint8Array(3) }
    const expected = [
      [asBen, "IDENTITY_CHANGED"],
      [otherKey, "INVALID_COMMIT"],
      [takenKey, "INVALID_COMMIT"],
      [noKey, "INVALID_COMMIT"],
    ] as const
    for (const [leafNode, code] of expected) {
      const forged = await forgeCommit(ada.state, { proposals: [], path: { leafNode, nodes: [] } })
      assert.equal(await verdictOn(ben, forged), code)
    }
  })

  it("cannot name a leaf that does not exist as its victim", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const honest = await session.updateSelf(ada.state)
    const leaf = unwrap(honest.next).ratchetTree[2 * ada.leafOf(ada)] as Node & { nodeType: "leaf" }
    assert(leaf.leaf.leafNodeSource === "commit")
    for (const removed of [2, 77, 0xffff_ffff]) {
      const { proposals } = inline({ proposalType: "remove", remove: { removed } })
      const path = { leafNode: leaf.leaf, nodes: [] }
      const forged = await forgeCommit(ada.state, { proposals, path })
      assert.equal(await verdictOn(ben, forged), "INVALID_COMMIT")
    }
  })

  it("cannot pass a message off as of another group, epoch or kind", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const message = await ada.says("hello")
    assert.equal(await verdictOn(ben, altered(message, { groupId: utf8("x") })), "OTHER_GROUP")
    assert.equal(await verdictOn(ben, altered(message, { epoch: 0n })), "EPOCH_GONE")
    assert.equal(await verdictOn(ben, altered(message, { epoch: 2n ** 64n - 1n })), "FUTURE_EPOCH")
    for (const contentType of ["commit", "proposal"] as const)
      assert.equal(await verdictOn(ben, altered(message, { contentType })), "NOT_AUTHENTIC")
    assert.equal(await verdictOn(ben, message), "application")
  })
})

describe("a dishonest Welcome", () => {
  const parentOf = (tree: RatchetTree, index: number) => {
    const node = tree[index]
    assert(node?.nodeType === "parent")
    return node.parent
  }
  const leafOf = (tree: RatchetTree, leaf: number) => {
    const node = tree[2 * leaf]
    assert(node?.nodeType === "leaf")
    return node.leaf
  }

  /** Ada's group of five with all parents filled, and dora just added; plus what dora needs to join. */
  async function invitation() {
    const people = await groupOf("ada", "ben", "cleo", "finn", "gita")
    const [ada, ...others] = people
    for (const person of people)
      await updates(
        person,
        people.filter((other) => other !== person),
      )
    const pair = await new Person("dora").keyPackage()
    const { next } = await session.addMembers(ada.state, [pair.public], NOW)
    assert.equal(others.length, 4)
    return { next, pair }
  }

  it("is taken when nothing is wrong with it, or the cases below would prove nothing", async () => {
    const { next, pair } = await invitation()
    assert.equal(await answerTo(await forgeWelcome(next, pair.public, {}), pair), "joined")
  })

  const badTrees: [string, (tree: RatchetTree) => void][] = [
    ["awaits a leaf beyond the tree", (tree) => (parentOf(tree, 7).unmergedLeaves = [0xffff_ffff])],
    ["awaits a leaf that is blank", (tree) => (parentOf(tree, 7).unmergedLeaves = [6])],
    ["awaits a leaf of another branch", (tree) => (parentOf(tree, 1).unmergedLeaves = [5])],
    ["awaits leaves out of order", (tree) => (parentOf(tree, 7).unmergedLeaves = [5, 4])],
    ["awaits a leaf that parents below do not", (tree) => (parentOf(tree, 7).unmergedLeaves = [0])],
    ["has a leaf where a parent belongs", (tree) => (tree[9] = tree[8])],
    ["has a parent where a leaf belongs", (tree) => (tree[8] = tree[7])],
    ["has one member twice", (tree) => (tree[12] = tree[0])],
    [
      "gives two nodes one key",
      (tree) => {
        parentOf(tree, 1).hpkePublicKey = parentOf(tree, 3).hpkePublicKey
      },
    ],
    [
      "names a member otherwise than they signed",
      (tree) => {
        leafOf(tree, 1).credential = { credentialType: "basic", identity: utf8("mallory") }
      },
    ],
    [
      "gives a member a key they did not sign",
      (tree) => {
        leafOf(tree, 1).hpkePublicKey = leafOf(tree, 1).hpkePublicKey.slice().reverse()
      },
    ],
    [
      "has a parent that no member's path accounts for",
      (tree) => {
        parentOf(tree, 3).hpkePublicKey = parentOf(tree, 3).hpkePublicKey.slice().reverse()
      },
    ],
    [
      "has a parent with a hash of nothing",
      (tree) => (parentOf(tree, 1).parentHash = new Uint8Array(32)),
    ],
    [
      "lacks the newcomer's place among the awaited",
      (tree) => (parentOf(tree, 7).unmergedLeaves = []),
    ],
  ]
  for (const [what, tree] of badTrees) {
    it(`is refused when its tree ${what}`, async () => {
      const { next, pair } = await invitation()
      const welcome = await forgeWelcome(next, pair.public, { tree })
      assert.equal(await answerTo(welcome, pair), "BAD_TREE")
    })
  }

  it("is refused when the tree is not the one the group agreed on", async () => {
    const { next, pair } = await invitation()
    const welcome = await forgeWelcome(next, pair.public, {
      info: (info) => (info.groupContext = { ...info.groupContext, treeHash: new Uint8Array(32) }),
    })
    assert.equal(await answerTo(welcome, pair), "BAD_TREE")
  })

  it("is refused when it was signed by someone else, or by nobody in the group", async () => {
    const { next, pair } = await invitation()
    for (const [signer, code] of [
      [1, "NOT_AUTHENTIC"],
      [7, "BAD_TREE"],
      [0xffff_ffff, "BAD_TREE"],
    ] as const) {
      const welcome = await forgeWelcome(next, pair.public, {
        info: (info) => (info.signer = signer),
      })
      assert.equal(await answerTo(welcome, pair), code)
    }
  })

  it("is refused when its confirmation is wrong, its tree missing, or its group has extensions", async () => {
    const { next, pair } = await invitation()
    const wrong = [
      [
        "NOT_AUTHENTIC",
        {
          info: (info: { confirmationTag: Uint8Array }) =>
            (info.confirmationTag = new Uint8Array(32)),
        },
      ],
      ["BAD_TREE", { info: (info: { extensions: unknown[] }) => (info.extensions = []) }],
    ] as const
    for (const [code, alter] of wrong) {
      const welcome = await forgeWelcome(next, pair.public, alter)
      assert.equal(await answerTo(welcome, pair), code)
    }
    const extended = await forgeWelcome(next, pair.public, {
      info: (info) => {
        const extensions = [{ extensionType: 0xf000, extensionData: utf8("x") }]
        info.groupContext = { ...info.groupContext, extensions }
      },
    })
    assert.equal(await answerTo(extended, pair), "UNEXPECTED_KIND")
  })

  it("is refused by someone who is not in its tree", async () => {
    const { next } = await invitation()
    const stranger = await new Person("stranger").keyPackage()
    const welcome = await forgeWelcome(next, stranger.public, {})
    assert.equal(await answerTo(welcome, stranger), "NOT_FOR_US")
  })

  it("does no harm where an honest one follows", async () => {
    const [ada, ben] = await groupOf("ada", "ben")
    const dora = new Person("dora")
    await adds(ada, [dora], [ben])
    await assertAgreed(ada, ben, dora)
  })
})
