/** Who founds a mesh alone becomes its first member; nobody else is made one unasked. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Api } from "../../src/node/api/types.ts"
import { vouchForFounder } from "../../src/tui/founder.ts"

/** Says how the mesh stands, and what was asked of it after that. */
async function askedBy(status: object, join: () => Promise<unknown> = () => Promise.resolve({})) {
  const asked: string[] = []
  const call = (method: string) => {
    asked.push(method)
    return method === "status" ? Promise.resolve(status) : join()
  }
  vouchForFounder({ call } as unknown as Api)
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  return asked
}

const mesh = (validators: number) => ({ name: "home", meshId: "", validators })

describe("who founds a mesh", () => {
  it("alone asks to be its member, and bears it when that comes to nothing", async () => {
    const status = { mesh: mesh(1), ledger: { role: "validating" } }
    assert.deepEqual(await askedBy(status), ["status", "members.join"])
    const refused = () => Promise.reject(new Error("no"))
    assert.deepEqual(await askedBy(status, refused), ["status", "members.join"])
  })

  it("with others, without a ledger, or by somebody else's validator asks for nothing", async () => {
    for (const status of [
      { mesh: mesh(4), ledger: { role: "validating" } },
      { mesh: mesh(0), ledger: null },
      { mesh: mesh(1), ledger: { role: "following" } },
      { mesh: null, ledger: null },
    ])
      assert.deepEqual(await askedBy(status), ["status"])
  })
})
