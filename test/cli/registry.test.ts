import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { spawnSync } from "node:child_process"
import { API_ERROR_CODES, ApiError } from "../../src/node/api/errors.ts"
import { CliError, failureOf } from "../../src/cli/failure.ts"
import { nearest, parse } from "../../src/cli/parse.ts"
import { COMMANDS, GLOBAL_OPTIONS, type Option } from "../../src/cli/registry.ts"
import { sotto } from "../helpers/sotto.ts"

const options = (command: (typeof COMMANDS)[number]) =>
  Object.entries<Option>({ ...GLOBAL_OPTIONS, ...command.options })

describe("registry: one table, and nothing beside it", () => {
  it("has a file for every command, a command for every file, and each can be loaded", async () => {
    for (const command of COMMANDS) assert.equal(typeof (await command.load()).run, "function")
    const here = dirname(fileURLToPath(import.meta.url))
    const files = readdirSync(join(here, "../../src/cli/commands")).filter((f) => f.endsWith(".js"))
    assert.deepEqual(files.sort(), COMMANDS.map(({ id }) => `${id.replace(" ", "-")}.js`).sort())
  })

  it("says everything once: ids, option letters, and one type for one option name", () => {
    assert.equal(new Set(COMMANDS.map(({ id }) => id)).size, COMMANDS.length)
    const types = new Map<string, string>()
    for (const command of COMMANDS) {
      const letters = options(command).flatMap(([, { short }]) => short ?? [])
      assert.equal(new Set(letters).size, letters.length, command.id)
      for (const [name, { type, short, multiple }] of options(command)) {
        const form = JSON.stringify([type, short, multiple])
        assert.equal(types.get(name) ?? form, form, `--${name} differs between commands`)
        types.set(name, form)
      }
    }
  })

  it("puts optional arguments last, and at most one that takes the rest", () => {
    for (const { id, args } of COMMANDS) {
      const first = args.findIndex((arg) => arg.optional === true)
      if (first !== -1)
        assert(
          args.slice(first).every((arg) => arg.optional === true),
          id,
        )
      assert(
        args.slice(0, -1).every((arg) => arg.rest !== true),
        id,
      )
    }
  })

  it("is what help prints: every command, argument and option that is not hidden", async () => {
    const overview = (await sotto(["help"])).out
    for (const command of COMMANDS) {
      assert(overview.includes(`  ${command.id}`) && overview.includes(command.help), command.id)
    }
    for (const id of ["send", "node", "init", "contact add"]) {
      const command = COMMANDS.find((each) => each.id === id)!
      const { out } = await sotto(["help", ...id.split(" ")])
      for (const { name, help } of command.args) assert(out.includes(name) && out.includes(help))
      for (const [name, { help, hidden }] of Object.entries(command.options)) {
        assert.equal(out.includes(help), hidden !== true, `${id} --${name}`)
      }
    }
  })

  it("is what completion knows, in scripts their shells can read", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { out, exit } = await sotto(["completion", shell])
      assert.equal(exit, 0)
      for (const command of COMMANDS) {
        for (const word of command.id.split(" ")) assert(out.includes(word), `${shell} ${word}`)
        for (const [name, { hidden }] of options(command))
          assert.equal(
            new RegExp(`(--|-l )${name}\\b`).test(out),
            hidden !== true,
            `${shell} ${name}`,
          )
      }
      if (shell === "bash") assert.equal(spawnSync("bash", ["-n"], { input: out }).status, 0)
    }
  })

  it("completes words and options in bash", async () => {
    const { out } = await sotto(["completion", "bash"])
    const complete = (...words: string[]) => {
      const quoted = words.map((word) => `"${word}"`).join(" ")
      const script = `${out}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _sotto; echo "\${COMPREPLY[*]}"`
      return spawnSync("bash", ["-c", script], { encoding: "utf8" }).stdout.trim().split(" ")
    }
    assert.deepEqual(complete("sotto", "sen"), ["send"])
    assert.deepEqual(complete("sotto", "contact", "r"), ["rename", "remove"])
    assert.deepEqual(complete("sotto", "send", "--w"), ["--wait"])
    assert.deepEqual(complete("sotto", "contact", "add", "--na"), ["--name"])
    assert.deepEqual(complete("sotto", "node", "s"), ["stop", "status"])
  })
})

describe("registry: parsing", () => {
  it("finds the longest command, options anywhere, and leaves the rest as arguments", () => {
    const {
      command,
      args,
      options: values,
    } = parse(["--json", "contact", "--name", "b", "add", "x"])
    assert.deepEqual(
      [command.id, args, values["name"], values["json"]],
      ["contact add", ["x"], "b", true],
    )
    assert.equal(parse(["node", "--listen", "a", "--listen", "b"]).command.id, "node")
    assert.deepEqual(parse(["send", "bob", "--", "-x"]).args, ["bob", "-x"])
    assert.equal(parse([]).command.id, "chat")
  })

  it("guesses what was meant only when it is near", () => {
    const words = COMMANDS.map(({ id }) => id)
    assert.equal(nearest("snd", words), "send")
    assert.equal(nearest("thredas", words), "threads")
    assert.equal(nearest("frobnicate", words), undefined)
  })
})

describe("failures: an exit code and a next step for every code", () => {
  it("maps every code of the API within 1 to 9, and a bug to 1", () => {
    for (const code of API_ERROR_CODES) {
      const { exit, message } = failureOf(new ApiError(code, "so it is"))
      assert(exit >= 1 && exit <= 9)
      assert.equal(message, "so it is")
    }
    assert.equal(failureOf(new ApiError("LOCKED", "x", { hint: "its own" })).hint, "its own")
    assert.equal(failureOf(new CliError("SIGINT", "x")).exit, 130)
    assert.equal(failureOf(new TypeError("x")).exit, 1)
  })
})
