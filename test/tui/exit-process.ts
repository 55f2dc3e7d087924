/** A process of its own for the tests of leaving: the screen on the real terminal it was started in, and one way to die. */
import { FakeApi } from "./fake-api.ts"

process.env["NODE_ENV"] = "production"
const { runTui } = await import("../../src/tui/app.tsx")

const ways: Readonly<Record<string, () => void>> = {
  "throw in a timer": () => {
    throw new Error("a defect")
  },
  "rejected promise": () => void Promise.reject(new Error("a defect")),
  "process.exit": () => process.exit(3),
  SIGTERM: () => void process.kill(process.pid, "SIGTERM"),
  SIGINT: () => void process.kill(process.pid, "SIGINT"),
  SIGHUP: () => void process.kill(process.pid, "SIGHUP"),
}

const api = new FakeApi()
api.past("bob", "still here")
const way = ways[process.argv[2] ?? ""]
// The test presses a key when it has seen the screen; what is sent is the signal to go.
if (way !== undefined) void api.called("messages.send").then(() => setTimeout(way, 1))
process.exitCode = await runTui(api, { bell: false })
