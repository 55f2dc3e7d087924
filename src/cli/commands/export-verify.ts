/** `sotto export verify`: checks a file of `sotto export`, with nothing but the file. Exit 7 when it does not hold. */
import { resolve } from "node:path"
import { addressBytes } from "../../crypto/address.ts"
import { concat, toHex } from "../../crypto/bytes.ts"
import { fingerprintDigits } from "../../crypto/safety-number.ts"
import { EXPORT_BYTES_MAX, type ExportVerdict, verifyExport } from "../../node/files/export-file.ts"
import { FileError, openSource } from "../../node/files/file-save.ts"
import type { Context } from "../context.ts"
import { counted } from "../counted.ts"
import { EXPORT_FAULTS } from "../export-sentences.ts"
import { CliError } from "../failure.ts"

const DO_NOT_BELIEVE = "it proves nothing: do not believe what it says"

export async function run(context: Context): Promise<void> {
  const { out } = context
  const verdict = await verifyExport(await read(resolve(context.arg(0))))
  if (!verdict.ok)
    throw new CliError(
      "BAD_EXPORT",
      `${EXPORT_FAULTS[verdict.code]} (${verdict.code})`,
      DO_NOT_BELIEVE,
    )
  const shown = viewOf(verdict)
  mustBe("mesh", context.text("mesh"), shown.mesh.id)
  mustBe("author", context.text("author"), shown.author)
  if (out.json) out.object(shown)
  else print(context, shown)
}

function mustBe(what: "mesh" | "author", wanted: string | undefined, is: string): void {
  if (wanted === undefined || wanted.toLowerCase() === is) return
  throw new CliError("BAD_EXPORT", `it is of another ${what}: ${is}`, DO_NOT_BELIEVE)
}

async function read(path: string): Promise<Uint8Array> {
  try {
    const source = await openSource(path, EXPORT_BYTES_MAX)
    try {
      const pieces: Uint8Array[] = []
      for await (const piece of source.pieces) pieces.push(piece.slice())
      return concat(...pieces)
    } finally {
      await source.close()
    }
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    if (error.code === "NO_FILE") throw new CliError("NO_FILE", error.message)
    throw new CliError("BAD_EXPORT", EXPORT_FAULTS.NOT_AN_EXPORT, DO_NOT_BELIEVE)
  }
}

type Shown = ReturnType<typeof viewOf>

function viewOf(verdict: ExportVerdict) {
  const { said, author, genesis, meshId, order, beside, hasUnknown, groupId, groupName } = verdict
  const file = said.kind === "text" ? said.file : undefined
  return {
    text: said.text,
    id: toHex(said.id),
    edits: said.kind === "edit" ? toHex(said.target) : null,
    file: file === undefined ? null : { name: file.name, size: file.ref.size },
    author: author as string,
    digits: fingerprintDigits(addressBytes(author)),
    sentAtMs: said.sentAtMs,
    mesh: { id: toHex(meshId), name: genesis.name },
    thread: { id: toHex(groupId), group: groupName },
    order,
    beside: beside.map(({ kind }) => kind as string).concat(hasUnknown ? ["unknown"] : []),
  }
}

function print({ out }: Context, shown: Shown): void {
  const { text, edits, file, author, digits, sentAtMs, mesh, thread, order, beside } = shown
  out.text(text)
  if (file !== null) out.line(`file      ${file.name} (${counted(file.size, "byte")})`)
  if (edits !== null) out.line(`edit      says so instead of what message ${edits} said before`)
  out.line("author    ", { text: author, style: "bold" })
  out.line(`digits    ${digits.replace(/(.{5})(?=.)/gu, "$1 ")}  (their half of a safety number)`)
  out.line(`mesh      ${mesh.id}  ${mesh.name}`)
  out.line(`thread    ${thread.id}  ${thread.group ?? "a chat of two"}`)
  out.line(`written   ${new Date(sentAtMs).toISOString()}, as the author's own clock had it`)
  out.line(`order     ${orderText(order)}`)
  if (beside.length > 0) out.line(`besides   ${beside.join(", ")} under the same signature`)
  out.say("The signatures hold. Whether author and mesh are those you mean is for you to compare.")
}

function orderText(order: Shown["order"]): string {
  if (order === null) return "not in this file: it shows who wrote the message, not when"
  const { height, index, wholeAt, signatures, validators, quorum } = order
  const late = wholeAt > height ? `, whole by block ${wholeAt}` : ""
  return (
    `block ${height}, envelope ${index + 1}${late}; ` +
    `signed by ${signatures} of ${counted(validators, "validator")} (${quorum} needed)`
  )
}
