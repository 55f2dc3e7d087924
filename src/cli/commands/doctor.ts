/**
 * `sotto doctor`: looks at what a person would otherwise have to look at, changes nothing, starts nothing. A red line comes with
 * what to do. Exit 0 when nothing is red, 6 otherwise.
 */
import { accessSync, constants, statfsSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { connectApi } from "../../node/api/client.ts"
import { ApiError } from "../../node/api/errors.ts"
import type { Status } from "../../node/api/types.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"
import { CliError } from "../failure.ts"
import {
  loadProvingKey,
  loadVerificationKey,
  loadWitnessGenerator,
  ProofFilesError,
} from "../../node/semaphore-files.ts"
import { VERSION } from "../../node/version.ts"

/** What the store should have left to grow into. */
const FREE_BYTES_MIN = 256 << 20
const NODE_MAJOR = 24

interface Finding {
  readonly check: string
  /** `null`: neither good nor bad, worth knowing. */
  readonly ok: boolean | null
  readonly found: string
  readonly fix?: string
}

export async function run(context: Context): Promise<void> {
  const { out } = context
  const findings = [
    runtime(),
    await proofs(),
    ...directory(context.places.dataDir),
    ...(await node(context)),
    terminal(),
  ]
  if (out.json) out.object({ findings })
  else
    for (const { check, ok, found, fix } of findings) {
      const style = ok === null ? "dim" : ok ? "green" : "red"
      out.text({ text: ok === null ? "·  " : ok ? "ok " : "!! ", style }, check.padEnd(12), found)
      if (fix !== undefined) out.text(" ".repeat(15), { text: `→ ${fix}`, style: "bold" })
    }
  const red = findings.filter(({ ok }) => ok === false)
  if (red.length > 0)
    throw new CliError("UNWELL", `not well: ${red.map(({ check }) => check).join(", ")}`)
}

function runtime(): Finding {
  const { node: version, openssl } = process.versions
  const ok = Number(version.split(".")[0]) >= NODE_MAJOR
  return {
    check: "runtime",
    ok,
    found: `Node ${version}, OpenSSL ${openssl}`,
    ...(ok ? {} : { fix: "start it through bin/sotto, which brings Node 24" }),
  }
}

/** What membership is proved and checked with: shipped as data, and believed only byte for byte. */
async function proofs(): Promise<Finding> {
  const check = "proofs"
  try {
    await Promise.all([loadProvingKey(), loadVerificationKey(), loadWitnessGenerator()])
    return { check, ok: true, found: "keys and circuit as they were shipped" }
  } catch (error) {
    if (!(error instanceof ProofFilesError)) throw error
    return { check, ok: false, found: error.message, fix: "install sotto again" }
  }
}

function directory(path: string): Finding[] {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined)
    return [{ check: "data", ok: null, found: `${path} is not there yet`, fix: "`sotto init`" }]
  const open = (stat.mode & 0o077) !== 0
  const writable = canWrite(path)
  const { bavail, bsize } = statfsSync(path)
  const free = bavail * bsize
  return [
    {
      check: "data",
      ok: writable && !open,
      found: writable
        ? open
          ? `${path} is open to other users`
          : path
        : `${path} is not writable`,
      ...(writable ? (open ? { fix: `chmod 700 ${path}` } : {}) : { fix: "check its owner" }),
    },
    {
      check: "disk",
      ok: free >= FREE_BYTES_MIN,
      found: `${Math.floor(free / (1 << 20))} MiB free`,
      ...(free >= FREE_BYTES_MIN ? {} : { fix: "make room, or move the data with --data" }),
    },
  ]
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function node({ places, signal }: Context): Promise<Finding[]> {
  const { socketPath } = places
  try {
    const api = await connectApi(socketPath, { signal })
    const status = await api.call("status", {}, { signal })
    await api.close()
    return running(status)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const stale = statSync(socketPath, { throwIfNoEntry: false }) !== undefined
    if (error.code !== "GONE")
      return [{ check: "node", ok: false, found: error.message, fix: "restart the node" }]
    return [
      {
        check: "node",
        ok: null,
        found: stale
          ? `none runs; ${dirname(socketPath)} holds a dead one's socket, which the next replaces`
          : "none runs",
        fix: "`sotto node` keeps one running; without it, messages wait until you look",
      },
    ]
  }
}

function running(status: Status): Finding[] {
  const { pid, version, mesh, identity, unprotected, peers, alone, waiting } = status
  const other = version !== VERSION
  const classical = peers.filter((peer) => !peer.postQuantum).length
  return [
    {
      check: "node",
      ok: !other,
      found: `process ${pid}, version ${version}`,
      ...(other ? { fix: `this is version ${VERSION}: restart the node` } : {}),
    },
    mesh === null
      ? { check: "mesh", ok: false, found: "none", fix: "`sotto init`, or `sotto join TICKET`" }
      : { check: "mesh", ok: true, found: mesh.name },
    {
      check: "identity",
      ok: identity === "none" ? null : identity === "open",
      found: unprotected ? `${identity}, without a passphrase` : identity,
      ...(identity === "locked" ? { fix: "`sotto unlock`" } : {}),
    },
    peers.length === 0
      ? {
          check: "peers",
          ok: false,
          found: alone?.reason ?? "none",
          fix: "start another peer of this mesh, or check that its addresses can be reached",
        }
      : {
          check: "peers",
          ok: true,
          found: `${peers.length}${classical > 0 ? `, ${classical} of them not post-quantum` : ""}`,
        },
    {
      check: "outbox",
      ok: waiting === 0 ? true : null,
      found: `${counted(waiting, "message")} waiting`,
    },
  ]
}

function terminal(): Finding {
  const { TERM = "unknown", LC_ALL, LC_CTYPE, LANG } = process.env
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== "")
  const unicode = /utf-?8/i.test(locale ?? "")
  const dumb = TERM === "dumb"
  return {
    check: "terminal",
    ok: dumb || !unicode ? null : true,
    found: `${TERM}, ${locale ?? "no locale"}`,
    ...(unicode ? {} : { fix: "a UTF-8 locale shows more: LANG=C.UTF-8" }),
  }
}
