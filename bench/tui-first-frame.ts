/**
 * One process of the benchmark: from its start to the frame that shows the newest of 100,000 messages, with the code cache that
 * the command line uses. What building the test double took is taken off; a node has its messages in a store.
 */
import { enableCompileCache } from "node:module"

enableCompileCache()
const { asTty, longApi, streams } = await import("./tui.ts")

const before = performance.now()
const api = longApi()
const building = performance.now() - before

const tty = streams((text) => {
  if (!text.includes("message number 100000")) return
  process.send?.(performance.now() - building, () => process.exit(0))
})
const { runTui } = await import("../src/tui/app.tsx")
await runTui(api, { ...asTty(tty), env: { LANG: "C.UTF-8" } })
