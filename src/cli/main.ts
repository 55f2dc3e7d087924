/** Where `bin/sotto` begins. Nothing is loaded before it is needed, and what was compiled once is kept compiled. */
import { enableCompileCache } from "node:module"
import type { Parts } from "./parts.ts"

// The cache is on disk, where nothing of an ephemeral peer may be; what its code is would show that it ran.
if (!process.argv.includes("--ephemeral")) enableCompileCache()

const parts: Parts = {
  startNode: async (options) => (await import("../node/node.ts")).startNode(options),
  runChat: async (mode, api, options) => {
    if (mode === "line") return (await import("../tui/line.ts")).runLine(api, options)
    return (await import("../tui/app.tsx")).runTui(api, options)
  },
}

const { run } = await import("./run.ts")
process.exit(await run(process.argv.slice(2), parts))
