/**
 * Every error has an end where somebody can do something about it: each stable code in the sources is one of the API's, with a sentence and
 * a next step on the screen and at the command line, or it is known here why nobody ever meets it by that name.
 */
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { nextStep } from "../../src/cli/sentences.ts"
import { API_ERROR_CODES } from "../../src/node/api/errors.ts"
import { SENTENCES } from "../../src/tui/sentences.ts"

/** From dist/test/cli. */
const SOURCES = fileURLToPath(new URL("../../../src", import.meta.url))

/** By class: codes that end before they reach a person, and where. */
const INNER: Readonly<Record<string, readonly string[]>> = {
  // whoever decodes answers with a verdict or a code of its own; what is left is a damaged file or store, said as such
  CryptoErrorCode: [
    "BAD_LENGTH",
    "BAD_ENCODING",
    "BAD_VERSION",
    "BAD_KEY",
    "BAD_SIGNATURE",
    "TOO_LARGE",
  ],
  SessionErrorCode: [
    "BAD_STATE",
    "BAD_KEY_PACKAGE",
    "BAD_PRIVATE_KEY_PACKAGE",
    "NO_SUCH_MEMBER",
    "ALREADY_A_MEMBER",
    "TOO_LARGE",
  ],
  // between peers: another one is asked, or the same one later
  StreamErrorCode: ["NOT_CONNECTED", "UNSUPPORTED", "TIMEOUT", "TOO_LARGE"],
  SyncErrorCode: ["SYNC_LIED"],
  TransportErrorCode: ["DIAL_FAILED", "BAD_PEER_ADDRESS", "NO_RELAY"],
  VerifyErrorCode: ["UNTRUSTED", "VERIFIER_LOST"],
  DirectoryErrorCode: ["OLDER_CARD", "STOPPED"],
  ShelfCode: ["RECORD_ROOM", "RECORD_STALE", "SHELF_FULL", "TOO_OFTEN"],
  MeshErrorCode: ["NO_GENESIS"],
  // own envelopes are admitted anew and tried again; a thread that was lost is started again
  MailboxErrorCode: ["NOT_ADMITTED"],
  MineErrorCode: ["MINER_LOST"],
  ProveErrorCode: ["PROVER_LOST", "NO_MEMBER"],
  // before there is a node: their messages are for people (startSentence, failure.ts)
  PathErrorCode: ["BAD_PROFILE", "NO_PLACE"],
  StoreErrorCode: ["STORE_CLOSED", "STORE_FAILED"],
  // the command line's own, each thrown with its sentence and its next step
  CliErrorCode: [
    "USAGE",
    "NO_INPUT",
    "OFFLINE",
    "TIMEOUT",
    "REFUSED",
    "NO_START",
    "UNWELL",
    "BAD_LEDGER",
    "BAD_EXPORT",
    "SIGINT",
    "SIGTERM",
  ],
}

const sourceFiles = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => readFileSync(join(SOURCES, name), "utf8"))

/** The codes of a union that some file declares. */
function codesOf(union: string): readonly string[] {
  const declared = new RegExp(`type ${union} =([^]*?)\\n(?:\\n|$)`)
  for (const text of sourceFiles) {
    const [, body] = declared.exec(text) ?? []
    if (body !== undefined) return [...body.matchAll(/"([A-Z0-9_]+)"/g)].map(([, code]) => code!)
  }
  assert.fail(`${union} is declared nowhere`)
}

describe("errors", () => {
  it("of the API have a sentence and a next step each", () => {
    for (const code of API_ERROR_CODES) {
      assert.match(SENTENCES[code].what, /^[A-Z].*[.!?]$/, code)
      assert.match(SENTENCES[code].next, /^[A-Z].*[.!?]$/, code)
      // the message of this one is the sentence: it names the field
      if (code !== "BAD_PARAMS") assert.ok((nextStep(code) ?? "").length > 0, code)
    }
  })

  it("of every part are the API's, or end before they reach anybody", () => {
    const known = new Set<string>(API_ERROR_CODES)
    const unions = new Set(
      sourceFiles.flatMap((text) =>
        [...text.matchAll(/extends CodedError<(\w+)>/g)].map(([, union]) => union!),
      ),
    )
    assert.ok(unions.size >= 18, "the sources were read")
    for (const union of unions) {
      const codes = codesOf(union)
      assert.ok(codes.length > 0, union)
      const inner = INNER[union] ?? []
      const lost = codes.filter((code) => !known.has(code) && !inner.includes(code))
      assert.deepEqual(lost, [], `${union}: no sentence, and nobody said why`)
      assert.deepEqual(
        inner.filter((code) => !codes.includes(code)),
        [],
        `${union}: gone since`,
      )
    }
  })
})
