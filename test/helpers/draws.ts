/**
 * Loaded before every test file: what the property tests draw. A plain run draws the same each time, so that it tells whether the code
 * changed and not whether the dice did; `DRAW=any` draws anew, `DRAW=12345` repeats what a failure printed. In schedules of several
 * people the event loop still decides who is first.
 */
import fc from "fast-check"

const draw = process.env["DRAW"] ?? "20260101"
if (draw !== "any") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(draw) })
