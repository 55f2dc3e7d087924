/**
 * Where a profile lives, after the XDG base directory specification: private data under `$XDG_DATA_HOME/sotto/<profile>`, the
 * socket under `$XDG_RUNTIME_DIR/sotto/`. A data directory named by hand (`--data`) holds everything, the socket too. Pure:
 * computed from what is passed in, so that a command and its node, started apart, always arrive at the same place.
 */
import { createHash } from "node:crypto"
import { isAbsolute, join, resolve } from "node:path"
import { CodedError } from "../crypto/errors.ts"

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, the final zero included. */
export const SOCKET_PATH_BYTES_MAX = process.platform === "linux" ? 107 : 103

export type PathErrorCode =
  /** A profile is called by 1 to 32 of a-z, 0-9, `-` and `_`, the first a letter or digit. */
  | "BAD_PROFILE"
  /** No home directory, or no place short enough for a socket. */
  | "NO_PLACE"

export class PathError extends CodedError<PathErrorCode> {}

export interface Places {
  readonly profile: string
  readonly dataDir: string
  readonly socketPath: string
}

export interface PlaceOptions {
  /** `--data`. */
  readonly data?: string | undefined
  /** `--profile`; before `SOTTO_PROFILE`, before "default". */
  readonly profile?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home: string
  readonly uid: number
  readonly temporary: string
}

/** Throws PathError. */
export function placesOf(options: PlaceOptions): Places {
  const { env, cwd } = options
  const profile = options.profile ?? given(env["SOTTO_PROFILE"]) ?? "default"
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(profile))
    throw new PathError(
      "BAD_PROFILE",
      "a profile is called by up to 32 of a-z, 0-9, - and _, the first a letter or a digit",
    )
  const runtime = absolute(env["XDG_RUNTIME_DIR"])
  if (options.data !== undefined) {
    const dataDir = resolve(cwd, options.data)
    return { profile, dataDir, socketPath: fitting(join(dataDir, "run", "node.sock"), options) }
  }
  const dataDir = join(dataHome(options), "sotto", profile)
  const wanted =
    runtime === undefined
      ? join(dataDir, "run", "node.sock")
      : join(runtime, "sotto", `${profile}.sock`)
  return { profile, dataDir, socketPath: fitting(wanted, options) }
}

function dataHome({ env, home }: PlaceOptions): string {
  const named = absolute(env["XDG_DATA_HOME"])
  if (named !== undefined) return named
  if (!isAbsolute(home))
    throw new PathError("NO_PLACE", "there is no home directory: name a place with --data")
  return join(home, ".local", "share")
}

/** The wanted path when it fits a socket address; otherwise a short one that only this user's directory can hold. */
function fitting(wanted: string, { env, uid, temporary }: PlaceOptions): string {
  if (Buffer.byteLength(wanted) <= SOCKET_PATH_BYTES_MAX) return wanted
  const name = `${createHash("sha256").update(wanted).digest("hex").slice(0, 24)}.sock`
  const base = absolute(env["XDG_RUNTIME_DIR"]) ?? temporary
  const short = join(base, `sotto-${uid}`, name)
  if (Buffer.byteLength(short) > SOCKET_PATH_BYTES_MAX)
    throw new PathError("NO_PLACE", `no socket path fits ${SOCKET_PATH_BYTES_MAX} bytes`)
  return short
}

const given = (value: string | undefined) => (value === "" ? undefined : value)

/** The specification has relative values ignored. */
const absolute = (value: string | undefined) =>
  value !== undefined && isAbsolute(value) ? value : undefined
