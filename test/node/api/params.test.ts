import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { ApiError } from "../../../src/node/api/errors.ts"
import { checkParams, METHODS } from "../../../src/node/api/params.ts"
import type { Method } from "../../../src/node/api/types.ts"

const id = "0123456789abcdef0123456789abcdef"

/** A valid example of everything each method takes. */
const EXAMPLES: { readonly [M in Method]: Readonly<Record<string, unknown>> } = {
  status: {},
  "profile.create": { name: "alice", passphrase: null, ticket: "sotto-invite1x" },
  "profile.restore": { path: "/tmp/a.backup", passphrase: "long enough" },
  "mesh.join": {
    ticket: "sotto-invite1x",
    name: "home",
    validators: ["sotto-validator1x"],
    open: true,
    powBits: 0,
  },
  "validator.key": {},
  "validators.list": {},
  "validators.propose": { add: ["sotto-validator1x"], remove: ["abcdef01"] },
  "proposals.list": {},
  "proposals.approve": { proposal: "abcdef01" },
  "ledger.show": {},
  "ledger.resume": {},
  "ledger.verify": {},
  "mesh.ticket": {},
  "mesh.invite": { count: 10 },
  "members.list": {},
  "members.join": { ticket: "sotto-invite1x" },
  "members.cancel": {},
  "members.revoke": { member: "abcdef01" },
  unlock: { passphrase: "" },
  id: {},
  "identity.show": {},
  "identity.rotate": { forgetOld: true },
  "contacts.list": {},
  "contacts.add": { code: "sotto1x", name: "bob" },
  "contacts.remove": { contact: "bob" },
  "contacts.accept": { contact: "bob", anyway: true },
  "contacts.safety": { contact: "bob" },
  "contacts.verify": { contact: "bob", number: "0123456789".repeat(6) },
  "contacts.unverify": { contact: "bob" },
  "contacts.block": { contact: "bob" },
  "contacts.rename": { contact: "bob", name: "rob" },
  "groups.create": { name: "team", members: ["bob"] },
  "groups.show": { group: "team" },
  "groups.add": { group: "team", members: ["bob", "eve"] },
  "groups.remove": { group: "team", member: "bob" },
  "groups.rename": { group: "team", name: "crew" },
  "groups.admin": { group: "team", member: "bob", admin: true },
  "groups.accept": { group: "team" },
  "groups.rejoin": { group: "team" },
  "groups.leave": { group: "team" },
  "threads.hide": { thread: "bob" },
  "threads.list": {},
  "messages.search": { query: "words from:bob", limit: 50 },
  "messages.page": { thread: "bob", before: "1", limit: 500 },
  "messages.send": { to: "bob", text: "", id },
  "messages.react": { id, signs: ["👍", "🎉"] },
  "messages.edit": { id, text: "otherwise" },
  "messages.delete": { id, forAll: true },
  "messages.export": {
    id,
    path: "/a",
    others: true,
    unordered: true,
    original: true,
    replace: true,
  },
  "messages.show": { id },
  "threads.lifetime": { thread: id, seconds: 60, blocks: 3 },
  "threads.tell": { thread: id, read: true, typing: false },
  "threads.again": { thread: "bob" },
  "threads.typing": { thread: id, active: true },
  "messages.retry": { id },
  "files.send": { to: "bob", path: "/tmp/a", text: "", id },
  "files.list": { thread: "bob", limit: 10 },
  "files.save": { id, directory: "/tmp", name: "a", overwrite: false },
  "files.preview": { id, width: 80, height: 48 },
  "files.cancel": { id },
  "transfers.list": {},
  "threads.read": { thread: "bob", through: "1" },
  "backup.write": { path: "/tmp/sotto.backup", passphrase: "", replace: true },
  subscribe: {},
  stop: {},
}
const OPTIONAL = new Set([
  "profile.create.ticket",
  "mesh.join.ticket",
  "mesh.join.name",
  "mesh.join.validators",
  "identity.rotate.forgetOld",
  "mesh.join.open",
  "mesh.join.powBits",
  "members.join.ticket",
  "contacts.add.name",
  "contacts.accept.anyway",
  "messages.page.before",
  "messages.send.id",
  "messages.send.replyTo",
  "messages.delete.forAll",
  "messages.export.others",
  "messages.export.unordered",
  "messages.export.original",
  "messages.export.replace",
  "threads.lifetime.seconds",
  "threads.lifetime.blocks",
  "threads.tell.read",
  "threads.tell.typing",
  "files.send.text",
  "files.send.id",
  "files.list.thread",
  "files.list.limit",
  "files.save.name",
  "files.save.overwrite",
  "backup.write.replace",
])

const refusal = (method: Method, params: unknown) => {
  try {
    checkParams(method, params)
  } catch (error) {
    assert(error instanceof ApiError)
    assert.equal(error.code, "BAD_PARAMS")
    return error.message
  }
  return assert.fail(`${method} took ${JSON.stringify(params)}`)
}

describe("params: each method takes exactly what the contract says", () => {
  it("takes a full example and gives back the same fields", () => {
    for (const method of METHODS)
      assert.deepEqual(checkParams(method, EXAMPLES[method]), EXAMPLES[method])
  })

  it("counts absent params as none", () => {
    assert.deepEqual(checkParams("status", undefined), {})
    assert.match(refusal("unlock", undefined), /passphrase is missing/)
  })

  it("names the field that is missing, unless it may be", () => {
    for (const method of METHODS)
      for (const field of Object.keys(EXAMPLES[method])) {
        const rest = { ...EXAMPLES[method] }
        Reflect.deleteProperty(rest, field)
        if (OPTIONAL.has(`${method}.${field}`)) assert.deepEqual(checkParams(method, rest), rest)
        else assert.match(refusal(method, rest), new RegExp(`${field} is missing`))
      }
  })

  it("names the field that is of another type or out of bounds", () => {
    const wrong: readonly unknown[] = [1.5, true, {}, [1], undefined, "\ud800", "x".repeat(300_000)]
    for (const method of METHODS)
      for (const field of Object.keys(EXAMPLES[method]))
        for (const value of wrong.filter(
          (v) => typeof v !== typeof EXAMPLES[method][field] || v !== true,
        ))
          assert.match(
            refusal(method, { ...EXAMPLES[method], [field]: value }),
            new RegExp(`${field} must be`),
          )
    for (const limit of [0, 501, -1, Number.NaN, "5"])
      assert.match(refusal("messages.page", { thread: "bob", limit }), /limit must be/)
    for (const other of [id.toUpperCase(), id.slice(1), `${id}0`])
      assert.match(refusal("messages.retry", { id: other }), /id must be/)
  })

  it("refuses a field it does not know, inherited names included", () => {
    for (const method of METHODS)
      for (const field of ["extra", "toString", "constructor"])
        assert.match(refusal(method, { ...EXAMPLES[method], [field]: 1 }), /there is no field/)
    assert.match(refusal("status", JSON.parse('{"__proto__":1}')), /there is no field/)
  })

  it("never repeats a value, which may be a passphrase", () => {
    const secret = "correct horse battery staple\ud800"
    assert(!refusal("unlock", { passphrase: secret }).includes("horse"))
  })

  it("answers any JSON value with params or BAD_PARAMS, never a crash", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...METHODS),
        fc.oneof(
          fc.jsonValue(),
          fc.dictionary(fc.constantFrom("name", "ticket", "thread", "limit", "to"), fc.jsonValue()),
        ),
        (method, params) => {
          try {
            const checked = checkParams(method, params)
            assert.deepEqual({ ...(params as object) }, checked)
          } catch (error) {
            assert(error instanceof ApiError)
            assert.equal(error.code, "BAD_PARAMS")
          }
        },
      ),
    )
  })
})
