// Installs and builds when, and only when, something changed since the last time. Runs on any Node from 20 on,
// before anything is installed, so it uses nothing but Node itself. A second run with nothing to do takes milliseconds.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const home = join(dirname(fileURLToPath(import.meta.url)), "..")
const quiet = process.argv.includes("--quiet")
const force = process.argv.includes("--force")
const say = (text) => quiet || process.stderr.write(`${text}\n`)

const major = Number(process.versions.node.split(".")[0])
if (major < 20) {
  process.stderr.write(
    `sotto needs Node 20 or newer to install itself; this is ${process.version}.\n`,
  )
  process.exit(1)
}

const stampOf = (name) => join(home, name === "build" ? "dist" : "node_modules", `.sotto-${name}`)
const upToDate = (name, value) =>
  existsSync(stampOf(name)) && readFileSync(stampOf(name), "utf8") === value

function run(what, command, args) {
  const done = spawnSync(command, args, { cwd: home, encoding: "utf8", maxBuffer: 1 << 26 })
  if (done.status === 0) return
  process.stderr.write(
    `${done.stdout ?? ""}${done.stderr ?? ""}\n${what} failed: ${command} ${args.join(" ")}\n`,
  )
  process.exit(1)
}

function install() {
  const value = createHash("sha256")
    .update(readFileSync(join(home, "package-lock.json")))
    .update(readFileSync(join(home, "package.json")))
    .update(`${process.platform}-${process.arch}`)
    .digest("hex")
  if (upToDate("install", value)) return
  say("Installing (once; about half a minute) …")
  run("The install", "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"])
  writeFileSync(stampOf("install"), value)
}

const sources = ["src", "test", "bench", "scripts", "tsconfig.json"]

function fingerprint() {
  const hash = createHash("sha256")
  const visit = (path) => {
    const at = join(home, path)
    const stat = statSync(at, { throwIfNoEntry: false })
    if (stat === undefined) return
    if (stat.isDirectory()) {
      for (const name of readdirSync(at).sort()) visit(join(path, name))
    } else if (/\.(tsx?|json)$/.test(path) && !path.startsWith(join("test", "vectors"))) {
      hash.update(`${path}\0${stat.mtimeMs}\0${stat.size}\0`)
    }
  }
  for (const path of [...sources, "package-lock.json"]) visit(path)
  for (const name of ["bundle", "circuit"])
    hash.update(readFileSync(join(home, `scripts/${name}.mjs`)))
  return hash.digest("hex")
}

function build() {
  const value = fingerprint()
  if (!force && upToDate("build", value) && existsSync(join(home, "dist/src/cli/main.js"))) return
  say("Building …")
  // A file that left the sources must leave dist as well, or its tests would go on running.
  sweep("dist")
  const node = join(home, "node_modules/.bin/node")
  run("The build", existsSync(node) ? node : process.execPath, [
    join(home, "node_modules/typescript/bin/tsc"),
    "-p",
    "tsconfig.json",
  ])
  for (const [what, name] of [
    ["The circuit", "circuit"],
    ["The bundle", "bundle"],
  ])
    run(what, existsSync(node) ? node : process.execPath, [join(home, `scripts/${name}.mjs`)])
  mkdirSync(dirname(stampOf("build")), { recursive: true })
  writeFileSync(stampOf("build"), fingerprint())
}

function sweep(path) {
  const at = join(home, path)
  if (!existsSync(at)) return
  for (const name of readdirSync(at)) {
    const inner = join(path, name)
    if (statSync(join(home, inner)).isDirectory()) sweep(inner)
    else if (name.endsWith(".js")) {
      const source = inner.replace(/^dist[\\/]/, "").replace(/\.js$/, "")
      if (!existsSync(join(home, `${source}.ts`)) && !existsSync(join(home, `${source}.tsx`)))
        rmSync(join(home, inner))
    }
  }
}

install()
build()
