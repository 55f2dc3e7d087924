import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import { primitives } from "#primitives"
import {
  CAPTION_BYTES_MAX,
  type Content,
  decodeContents,
  encodeContents,
} from "../../src/chat/content.ts"
import { SAFE_NAME_BYTES_MAX, safeName } from "../../src/chat/file.ts"
import { sniffed, typeName, UNKNOWN_TYPE } from "../../src/chat/file-type.ts"
import { type ChatMessage, PLAIN, decodeMessage, encodeMessage } from "../../src/chat/message.ts"
import { addressOf } from "../../src/crypto/address.ts"
import { concat, utf8 } from "../../src/crypto/bytes.ts"
import { CryptoError } from "../../src/crypto/errors.ts"
import {
  decodeUpload,
  decodeSave,
  encodeSave,
  encodeUpload,
} from "../../src/node/files/file-records.ts"
import { codeOf, strictDecoder } from "../helpers/decoders.ts"

const random = (length: number) => primitives.randomBytes(length)
const ref = { size: 5_000_000, key: random(32), root: random(32) }
const file = { name: "photo.jpg", type: "image/jpeg", ref }
const text: Content = { kind: "text", id: random(16), sentAtMs: 5, lamport: 7, text: "see", file }

function oneContent(bytes: Uint8Array): Content[] {
  const list = decodeContents(bytes)
  if (list.length !== 1) throw new CryptoError("BAD_LENGTH", "not one content")
  return list
}

describe("a message that brings a file", () => {
  test("travels as a content of its own kind, with or without words", () => {
    const list: Content[] = [text, { ...text, text: "" }, { kind: "receipt", ids: [random(16)] }]
    const bytes = encodeContents(list)
    assert.deepEqual(decodeContents(bytes), list)
    assert.equal(encodeContents([text])[1], 4)
    // a list cut between two contents is a list: what is strict is each of them
    strictDecoder(encodeContents([text]), oneContent, encodeContents)
  })

  test("has room for fewer words than one without", () => {
    const long = encodeContents([{ ...text, text: "x".repeat(CAPTION_BYTES_MAX + 1) }])
    assert.equal(
      codeOf(() => decodeContents(long)),
      "TOO_LARGE",
    )
  })

  test("is kept with it, and one without is kept as before", () => {
    const message: ChatMessage = {
      ...PLAIN,
      id: random(16),
      author: addressOf(
        primitives.ed25519.publicFromPrivate(primitives.ed25519.importPrivate(random(32))),
        random(64),
      ),
      mine: true,
      lamport: 3,
      sentAtMs: 4,
      text: "see",
      delivery: "queued",
      late: false,
      audience: 0,
      awaited: [],
    }
    assert.deepEqual(decodeMessage(encodeMessage(message)), message)
    const withFile = { ...message, file }
    assert.deepEqual(decodeMessage(encodeMessage(withFile)), withFile)
  })

  test("what waits to be brought or saved survives in its record", () => {
    const upload = { id: random(16), to: "sotto1x", text: "see", file, sent: true }
    strictDecoder(encodeUpload(upload), decodeUpload, encodeUpload)
    assert.deepEqual(decodeUpload(encodeUpload(upload)), upload)
    const save = { id: random(16), directory: "/tmp/ä", name: "a b.txt", overwrite: false }
    strictDecoder(encodeSave(save), decodeSave, encodeSave)
    assert.deepEqual(decodeSave(encodeSave(save)), save)
  })
})

describe("a safe name", () => {
  const cases: readonly (readonly [claimed: string, safe: string])[] = [
    ["photo.jpg", "photo.jpg"],
    ["Übersicht 2026 (final).pdf", "Übersicht 2026 (final).pdf"],
    ["../../etc/passwd", "passwd"],
    ["/etc/passwd", "passwd"],
    ["..\\..\\boot.ini", "boot.ini"],
    ["C:\\autoexec.bat", "autoexec.bat"],
    ["C:autoexec.bat", "C_autoexec.bat"],
    ["..", "file"],
    [".", "file"],
    ["", "file"],
    ["a/..", "file"],
    ["dir/", "file"],
    [".bashrc", "bashrc"],
    ["...hidden", "hidden"],
    ["-rf", "_-rf"],
    ["~root", "_~root"],
    ["con", "_con"],
    ["CON.txt", "_CON.txt"],
    ["Lpt1.anything.doc", "_Lpt1.anything.doc"],
    ["console.txt", "console.txt"],
    ["desktop.ini", "_desktop.ini"],
    ["trailing. . ", "trailing"],
    ["a\u0000b\u001b[2Jc.txt", "ab[2Jc.txt"],
    ["gpj.\u202eexe.txt", "gpj.exe.txt"],
    ["zero\u200bwidth\ufeff.txt", "zerowidth.txt"],
    ["two\nlines\r\n.txt", "twolines.txt"],
    ["tag\u{e0041}\u{e007f}.txt", "tag.txt"],
    ['a<b>c:d"e|f?g*h', "a_b_c_d_e_f_g_h"],
    ["lone \ud800 surrogate", "lone \ufffd surrogate"],
    ["e\u0301.txt", "é.txt"],
  ]
  for (const [claimed, safe] of cases)
    test(JSON.stringify(claimed), () => assert.equal(safeName(claimed), safe))

  test("a long one keeps its extension and its characters whole", () => {
    const long = safeName(`${"ä".repeat(300)}.tar.gz`)
    assert.match(long, /^ä+\.gz$/)
    assert(utf8(long).length <= SAFE_NAME_BYTES_MAX)
    assert(utf8(safeName("😀".repeat(200))).length <= SAFE_NAME_BYTES_MAX)
    assert.equal(safeName(`.${"x".repeat(400)}`).length, SAFE_NAME_BYTES_MAX)
  })

  test("whatever is claimed, it is one plain, visible name, and safe already", () => {
    const claimed = fc.oneof(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.string({ unit: "grapheme", maxLength: 300 }),
      fc
        .array(
          fc.constantFrom("..", "/", "\\", ".", " ", "-", "con", "\u202e", "\u0007", "a", "~"),
          {
            maxLength: 20,
          },
        )
        .map((parts) => parts.join("")),
    )
    fc.assert(
      fc.property(claimed, (name) => {
        const safe = safeName(name)
        assert(!/[/\\\0]/.test(safe) && safe !== "" && safe !== "." && safe !== "..")
        assert(!/^[.\-~ ]|[. ]$/.test(safe), safe)
        assert(!/[\p{Cc}\p{Cf}]/u.test(safe))
        assert(utf8(safe).length <= SAFE_NAME_BYTES_MAX + 1)
        assert.equal(safeName(safe), safe)
      }),
      { numRuns: 2000 },
    )
  })
})

describe("the type of a file is found in its bytes", () => {
  const bytes = (...parts: (string | number[])[]) =>
    concat(
      ...parts.map((part) =>
        typeof part === "string"
          ? Uint8Array.from(part, (character) => character.charCodeAt(0))
          : Uint8Array.from(part),
      ),
    )
  const zip = (entry: string) => bytes("PK\x03\x04", Array(26).fill(0) as number[], entry)
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["image/png", bytes([0x89], "PNG\r\n\x1a\n")],
    ["image/jpeg", bytes([0xff, 0xd8, 0xff, 0xe0])],
    ["image/gif", bytes("GIF89a")],
    ["image/bmp", bytes("BM", Array(12).fill(1) as number[], [40, 0, 0, 0])],
    ["image/webp", bytes("RIFF....WEBPVP8 ")],
    ["application/pdf", bytes("%PDF-1.7\n")],
    ["application/zip", zip("readme.txt")],
    ["application/vnd.openxmlformats-officedocument.wordprocessingml.document", zip("word/x")],
    [
      "application/vnd.oasis.opendocument.text",
      zip("mimetypeapplication/vnd.oasis.opendocument.text"),
    ],
    ["application/epub+zip", zip("mimetypeapplication/epub+zip")],
    ["application/x-elf", bytes([0x7f], "ELF")],
    ["video/mp4", bytes([0, 0, 0, 24], "ftypisom")],
    ["text/plain", utf8("BMW is a text, and äöü too\n")],
    ["text/x-shellscript", bytes("#!/bin/sh\n")],
    [UNKNOWN_TYPE, bytes("text\x00with a zero")],
    [UNKNOWN_TYPE, bytes([0xff, 0xfe, 0xfd])],
    [UNKNOWN_TYPE, new Uint8Array(0)],
  ]
  for (const [type, head] of cases)
    test(type + (head.length === 0 ? " (nothing)" : ""), () => assert.equal(sniffed(head), type))

  test("a character that the sample cuts does not make bytes of a text", () => {
    assert.equal(sniffed(utf8(`${"x".repeat(4095)}ä`)), "text/plain")
  })

  test("any bytes have a type, and every type a name", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (head) => {
        assert.notEqual(typeName(sniffed(head)), "")
      }),
    )
  })
})
