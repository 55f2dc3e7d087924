/**
 * README.md holds what it says: every `sotto …` line in it is a command of the registry with options it has, every npm script it names is in the
 * manifest, and every file that any of the documents links or names is there.
 */
import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { commandOf, COMMANDS } from "../../src/cli/registry.ts"
import { parse } from "../../src/cli/parse.ts"

const home = new URL("../../../", import.meta.url)
const read = (name: string) => readFileSync(new URL(name, home), "utf8")

const DOCUMENTS = [
  "README.md",
  "ARCHITECTURE.md",
  "PROTOCOL.md",
  "SECURITY.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "BENCHMARKS.md",
]

/** Lines of the fenced blocks, without comments. */
function commandLines(text: string): string[] {
  return Array.from(text.matchAll(/^```sh\n(.*?)^```/gms), ([, block = ""]) => block.split("\n"))
    .flat()
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
}

/** The words of a simple shell command, up to a pipe, a redirection or its end. */
function words(line: string): string[] {
  const [simple = ""] = line.split(/\s[|<>]\s?/)
  return Array.from(simple.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, bare]) => quoted ?? bare ?? "")
}

/** `sotto …` wherever it stands in a line: first, behind a pipe, or behind a variable. */
function sottoCalls(line: string): string[][] {
  return line
    .split(/\s\|\s/)
    .map((part) => words(part.replace(/^([A-Z_]+=\S+\s+)+/, "")))
    .filter(([first]) => first === "sotto" || first === "bin/sotto")
    .map(([, ...rest]) => rest)
}

const scripts = (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts

describe("README.md", () => {
  const lines = commandLines(read("README.md"))
  const calls = lines.flatMap(sottoCalls)

  it("shows commands that the registry has, with arguments and options that they take", () => {
    assert.ok(calls.length >= 10, "the README shows how the commands are used")
    for (const call of calls) {
      const { command } = parse(call)
      assert.ok(commandOf(command.id) !== undefined, `sotto ${call.join(" ")}`)
    }
  })

  it("would not pass with a command that is none, or an option that is not taken", () => {
    assert.throws(() => parse(["sned", "bob", "hello"]))
    assert.throws(() => parse(["id", "--wait", "delivered"]))
    assert.deepEqual(sottoCalls("echo hello | sotto send bob"), [["send", "bob"]])
  })

  it("begins with npm start and npm test", () => {
    const npm = lines.filter((line) => line.startsWith("npm "))
    assert.deepEqual(npm.slice(0, 2), ["npm start", "npm test"])
  })
})

describe("the documents", () => {
  for (const name of DOCUMENTS) {
    const text = read(name)

    it(`${name} names commands that are there`, () => {
      for (const [, spoken = ""] of text.matchAll(/`(?:bin\/)?sotto\s([a-z][^`]*)`/g)) {
        const said = spoken.replaceAll(/\s+/g, " ")
        const names = COMMANDS.some(({ id }) => said === id || said.startsWith(`${id} `))
        assert.ok(names, `sotto ${said}`)
      }
    })

    it(`${name} names npm scripts that are there`, () => {
      for (const [, script = ""] of text.matchAll(/`npm run ([a-z:-]+)/g))
        assert.ok(script in scripts, `npm run ${script}`)
    })

    it(`${name} links to files and headings that are there`, () => {
      for (const [, target = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
        if (/^https?:/.test(target)) continue
        const [file = "", heading] = target.split("#")
        assert.ok(file === "" || existsSync(new URL(file, home)), `${name} links to ${target}`)
        if (heading !== undefined)
          assert.ok(headingsOf(file === "" ? text : read(file)).has(heading), `no #${heading}`)
      }
    })

    it(`${name} names files that are there`, () => {
      const paths = /`((?:src|test|bench|scripts|bin|docs|packaging)\/[\w./-]*)`/g
      const missing = Array.from(text.matchAll(paths), ([, path = ""]) => path).filter(
        (path) => !existsSync(new URL(path, home)),
      )
      assert.deepEqual(missing, [])
    })
  }
})

/** Anchors as code hosts make them from headings. */
function headingsOf(text: string): Set<string> {
  return new Set(
    Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  )
}
