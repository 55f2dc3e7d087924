import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdirSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { VERSION } from "../../src/node/version.ts"
import { REAL, sotto } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"

const home = join(dirname(fileURLToPath(import.meta.url)), "../../..")

describe("bin/sotto: the program as it is installed", () => {
  it("runs on the Node it brought, through a link from anywhere", (t) => {
    const elsewhere = join(temporaryDirectory(t), "bin")
    mkdirSync(elsewhere)
    symlinkSync(join(home, "bin/sotto"), join(elsewhere, "sotto"))
    const { stdout, status } = spawnSync(join(elsewhere, "sotto"), ["version", "--json"], {
      cwd: elsewhere,
      encoding: "utf8",
    })
    assert.equal(status, 0)
    assert.deepEqual(JSON.parse(stdout), { v: 1, version: VERSION, node: process.versions.node })
  })

  it("makes a real identity and finds it again, bundled, workers and all", async (t) => {
    const data = temporaryDirectory(t)
    const run = (...args: string[]) => sotto(["--data", data, ...args], { script: REAL })
    const made = await run("init", "--name", "alice", "--no-passphrase", "--json")
    assert.equal(made.exit, 0, made.err)
    const { address } = JSON.parse(made.out) as { address: string }
    assert.match(address, /^sotto1[a-z0-9]{100,}$/)
    assert.equal((await run("id")).out, `${address}\n`)
    const again = await run("init", "--name", "alice", "--no-passphrase", "--json")
    assert.equal(again.exit, 2)
    assert.equal(
      (JSON.parse(again.err) as { error: { code: string } }).error.code,
      "ALREADY_EXISTS",
      "an error keeps its code through the bundle",
    )
  })
})
