/**
 * ARCHITECTURE.md's tables are held to what they speak of: each limit to the file that names it, each dependency to the manifest and to the
 * licence in its own.
 */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"

const home = new URL("../../../", import.meta.url)
const read = (name: string) => readFileSync(new URL(name, home), "utf8")
const page = read("ARCHITECTURE.md")

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

/** The cells of every table row between a heading and the next one of its kind. */
function rows(heading: string): string[][] {
  const from = page.indexOf(`\n## ${heading}\n`)
  assert.ok(from !== -1, `there is a section ${heading}`)
  const to = page.indexOf("\n## ", from + 1)
  return page
    .slice(from, to === -1 ? undefined : to)
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.slice(1, -1).split("|"))
    .map((cells) => cells.map((cell) => cell.trim()))
}

/** Rows of the table of packages; the one of overrides has fewer columns. */
const packages = () => rows("Dependencies").filter((cells) => cells.length === 5)

const quoted = (cell: string) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, text = ""]) => text)

/** What a constant is set to in the files that a row names. */
const definition = (constant: string, files: string): string | undefined =>
  new RegExp(`const ${constant}\\b[^=]*=\\s*(.*)`).exec(quoted(files).map(read).join("\n"))?.[1]

/** `4_096`, `4 * 1024`, `1 << 20`, `2 ** 20`; nothing else. */
function computed(expression: string): number | undefined {
  const words = expression.replaceAll("_", "").split(" ")
  const [first, second] = [Number(words[0]), Number(words[2])]
  if (words.some((word, i) => (i % 2 === 0 ? !/^\d+$/.test(word) : !/^(\*{1,2}|<<)$/.test(word))))
    return undefined
  if (words[1] === "<<") return first * 2 ** second
  if (words[1] === "**") return first ** second
  return words.filter((_, i) => i % 2 === 0).reduce((product, word) => product * Number(word), 1)
}

const UNITS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, s: 1000 }

/** The number a cell begins with, in its unit; `2^20` too. */
function spoken(cell: string): number | undefined {
  const [, power] = /^\s*2\^(\d+)/.exec(cell) ?? []
  if (power !== undefined) return 2 ** Number(power)
  const [, digits, unit = ""] = /^\s*([\d,]+)\s*(\w*)/.exec(cell) ?? []
  return digits === undefined ? undefined : Number(digits.replaceAll(",", "")) * (UNITS[unit] ?? 1)
}

describe("ARCHITECTURE.md", () => {
  const limits = rows("Limits").filter(([name = ""]) => /^`[A-Z]/.test(name))

  it("names limits that the files it names define", () => {
    assert.ok(limits.length > 40)
    for (const [name = "", , files = ""] of limits)
      for (const constant of quoted(name))
        assert.notEqual(definition(constant, files), undefined, `${constant} in ${files}`)
  })

  it("gives their values, wherever both are plain numbers", () => {
    let compared = 0
    for (const [name = "", values = "", files = ""] of limits)
      for (const [i, constant] of quoted(name).entries()) {
        const defined = computed(definition(constant, files) ?? "")
        const said = spoken(values.split(";")[i] ?? "")
        if (defined === undefined || said === undefined) continue
        compared++
        assert.equal(said, defined, constant)
      }
    assert.ok(compared > 40, `${compared} values were compared`)
  })

  it("names every dependency, with its licence", () => {
    const manifest = JSON.parse(read("package.json")) as Manifest
    const { dependencies, optionalDependencies, devDependencies } = manifest
    const all = { ...dependencies, ...optionalDependencies, ...devDependencies }
    for (const name of Object.keys(all))
      assert.ok(page.includes(`\`${name}\``) || name.startsWith("@types/"), `${name} is named`)
    for (const [names = "", , licence] of packages())
      for (const name of quoted(names).filter((each) => each in dependencies)) {
        const own = JSON.parse(read(`node_modules/${name}/package.json`)) as { license: string }
        assert.equal(licence, own.license, name)
      }
  })

  it("says the versions that the manifest pins, where a row is one package's", () => {
    const { dependencies } = JSON.parse(read("package.json")) as Manifest
    for (const [names = "", versions = ""] of packages()) {
      const [name = "", ...others] = quoted(names)
      const pinned = dependencies[name]?.split("@").at(-1)
      if (others.length === 0 && pinned !== undefined)
        assert.ok(versions.includes(pinned), `${name} ${pinned}`)
    }
  })
})
