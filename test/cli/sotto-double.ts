/** `sotto`, whole, in front of the small node: what the command tests run as a process. */
import { run } from "../../src/cli/run.ts"
import { startDouble } from "../helpers/node-double.ts"

process.exit(
  await run(process.argv.slice(2), {
    startNode: startDouble,
    runChat: async (mode, api) => {
      const attached = await api
      const { name } = await attached.call("status", {})
      process.stdout.write(`the ${mode} of ${name ?? "nobody"}\n`)
      return 0
    },
  }),
)
