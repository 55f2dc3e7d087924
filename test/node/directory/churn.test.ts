import assert from "node:assert/strict"
import { it } from "node:test"
import { churn } from "../../helpers/directory-churn.ts"

it("directory: of thirty peers a fifth leave and as many come, and 99 of 100 lookups still succeed", async () => {
  const { asked, found, wrong } = await churn(20)
  assert.equal(asked, 20)
  assert.equal(wrong, 0)
  assert(found >= 0.99 * asked, `${found} of ${asked}`)
})
