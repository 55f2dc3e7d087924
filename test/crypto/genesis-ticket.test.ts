import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { addressFromBytes } from "../../src/crypto/address.ts"
import { decodeGenesis, encodeGenesis, type Genesis, meshIdOf } from "../../src/crypto/genesis.ts"
import { decodeTicket, encodeTicket, looksLikeTicket } from "../../src/crypto/ticket.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte)
const validator = { ed25519: filled(32, 1), mlDsa65: filled(1952, 2), slhDsaSha2: filled(32, 3) }
const genesis: Genesis = {
  name: "home",
  salt: filled(32, 5),
  powBits: 12,
  validators: [validator, validator],
}

describe("genesis: what all peers of a mesh agree on", () => {
  it("has one encoding, strictly decoded", () => {
    const bytes = encodeGenesis(genesis)
    assert.deepEqual(decodeGenesis(bytes), genesis)
    strictDecoder(bytes, decodeGenesis, encodeGenesis)
  })

  it("gives another mesh id when anything in it differs", () => {
    const variants = [
      genesis,
      { ...genesis, name: "hone" },
      { ...genesis, salt: filled(32, 6) },
      { ...genesis, powBits: 13 },
      { ...genesis, validators: [validator] },
      { ...genesis, policy: "open" as const },
      { ...genesis, periodSeconds: 61 },
      { ...genesis, policy: "open" as const, periodSeconds: 61 },
    ]
    const ids = variants.map((each) => Buffer.from(meshIdOf(encodeGenesis(each))).toString("hex"))
    assert.equal(new Set(ids).size, variants.length)
  })

  it("has its second version only where the first cannot say it: an open mesh", () => {
    const open: Genesis = { ...genesis, policy: "open" }
    const bytes = encodeGenesis(open)
    assert.equal(bytes[0], 2)
    assert.deepEqual(decodeGenesis(bytes), open)
    strictDecoder(bytes, decodeGenesis, encodeGenesis)
    assert.deepEqual(encodeGenesis({ ...genesis, policy: "invited" }), encodeGenesis(genesis))
    const policyAt = bytes.length - encodeGenesis(genesis).length
    assert.equal(policyAt, 1, "one byte more")
  })

  it("has its third version only for periods of another length than 60 seconds", () => {
    for (const policy of ["open", "invited"] as const)
      for (const periodSeconds of [5, 59, 61, 3600]) {
        const bytes = encodeGenesis({ ...genesis, policy, periodSeconds })
        assert.equal(bytes[0], 3)
        const { policy: read, ...rest } = decodeGenesis(bytes)
        assert.deepEqual([read ?? "invited", rest], [policy, { ...genesis, periodSeconds }])
        strictDecoder(bytes, decodeGenesis, encodeGenesis)
      }
    assert.deepEqual(encodeGenesis({ ...genesis, periodSeconds: 60 }), encodeGenesis(genesis))
    for (const periodSeconds of [0, 4, 3601])
      assert.equal(
        codeOf(() => encodeGenesis({ ...genesis, periodSeconds })),
        "TOO_LARGE",
      )
    const sixty = encodeGenesis({ ...genesis, periodSeconds: 61 })
    // name, salt, bits and policy come before it
    sixty.set([0, 60], 1 + 1 + genesis.name.length + 32 + 1 + 1)
    assert.equal(
      codeOf(() => decodeGenesis(sixty)),
      "BAD_ENCODING",
      "one genesis has one encoding",
    )
  })

  it("refuses what no mesh can have: no name, a name too long, impossible work, another version", () => {
    assert.equal(
      codeOf(() => encodeGenesis({ ...genesis, name: "" })),
      "BAD_ENCODING",
    )
    assert.equal(
      codeOf(() => encodeGenesis({ ...genesis, name: "x".repeat(65) })),
      "TOO_LARGE",
    )
    assert.equal(
      codeOf(() => encodeGenesis({ ...genesis, powBits: 60 })),
      "TOO_LARGE",
    )
    const other = encodeGenesis(genesis)
    other[0] = 4
    assert.equal(
      codeOf(() => decodeGenesis(other)),
      "BAD_VERSION",
    )
  })
})

describe("invite ticket: the mesh, where its peers are, who invites", () => {
  const meshId = filled(32, 8)
  const inviter = { address: addressFromBytes(filled(64, 9)), name: "Ada" }
  const id = "12D3KooWKQSA2aGQoLxHqcdTDjXoVGB1nVeq6b9jNAE7HAtjnMvU"
  const peers = [
    `/ip4/192.0.2.7/tcp/4001/p2p/${id}`,
    `/ip4/192.0.2.7/tcp/4002/ws/p2p/${id}`,
    "/dns4/example.net/tcp/443/tls/ws",
  ]

  it("reads back what it carries, with and without inviter and voucher", () => {
    for (const ticket of [
      { meshId, peers: [] },
      { meshId, peers, inviter },
      { meshId, peers, voucher: filled(96, 4) },
      { meshId, peers, inviter, voucher: filled(1, 4) },
    ]) {
      const text = encodeTicket(ticket)
      assert(looksLikeTicket(text))
      assert.deepEqual(decodeTicket(text), ticket)
    }
  })

  it("names at most eight peers", () => {
    const many = Array.from({ length: 20 }, (_, i) => `/ip4/192.0.2.${i}/tcp/1`)
    assert.equal(decodeTicket(encodeTicket({ meshId, peers: many })).peers.length, 8)
  })

  it("catches mistyped, cut, altered and foreign text with a code", () => {
    const text = encodeTicket({ meshId, peers, inviter })
    for (const wrong of [
      text.slice(0, -1),
      `${text}q`,
      text.toUpperCase(),
      inviter.address,
      "",
      "x".repeat(6000),
    ])
      assert.match(
        codeOf(() => decodeTicket(wrong)),
        /^(BAD_ENCODING|TOO_LARGE)$/,
      )
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom("q", "p", "z", "r", "y", "9", "x", "8"),
        (at, character) => {
          const altered = text.slice(0, at) + character + text.slice(at + 1)
          if (altered !== text)
            assert.equal(
              codeOf(() => decodeTicket(altered)),
              "BAD_ENCODING",
            )
        },
      ),
    )
  })
})
