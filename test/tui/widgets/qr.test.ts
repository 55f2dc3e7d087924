import assert from "node:assert/strict"
import { test } from "node:test"
import { encode } from "uqr"
import { rowText } from "../../../src/tui/rows.ts"
import { qrRows } from "../../../src/tui/widgets/qr.ts"
import { ADDRESS } from "../fake-api.ts"

const UPPER = new Set(["█", "▀"])
const LOWER = new Set(["█", "▄"])

/** The drawn half blocks as modules again, top down. */
const modules = (rows: readonly string[]): boolean[][] =>
  rows.flatMap((row) => {
    const cells = Array.from(row)
    return [cells.map((cell) => UPPER.has(cell)), cells.map((cell) => LOWER.has(cell))]
  })

test("every module is drawn where the standard puts it, dark on light", () => {
  const { data, version } = encode(ADDRESS.toUpperCase(), { ecc: "L", border: 2, boostEcc: false })
  assert.ok(version <= 5, "the code of a person fits version 5")
  const drawn = modules((qrRows(ADDRESS, 80, 40, true) ?? []).map(rowText))
  assert.deepEqual(drawn.slice(0, data.length), data)
})

test("without colours the light modules are the drawn ones", () => {
  const { data } = encode(ADDRESS.toUpperCase(), { ecc: "L", border: 2, boostEcc: false })
  const drawn = modules((qrRows(ADDRESS, 80, 40, false) ?? []).map(rowText))
  assert.deepEqual(
    drawn.slice(0, data.length).map((row) => row.map((dark) => !dark)),
    data,
  )
})

test("it is drawn whole or not at all", () => {
  assert.equal(qrRows(ADDRESS, 40, 40, true), null)
  assert.equal(qrRows(ADDRESS, 80, 20, true), null)
  assert.equal(qrRows("x".repeat(5000), 500, 500, true), null)
})
