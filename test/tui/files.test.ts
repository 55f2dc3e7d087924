/** Files in the chat: sent by path, seen with their progress, saved by a key, and pictures among the messages. */
import assert from "node:assert/strict"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { test } from "node:test"
import fc from "fast-check"
import { interpret } from "../../src/tui/commands.ts"
import { rowText } from "../../src/tui/rows.ts"
import {
  chooseImages,
  imageForTerminal,
  imageRows,
  pixelsFor,
} from "../../src/tui/widgets/image.ts"
import { sizeText, timeText, transferText } from "../../src/tui/widgets/transfers.ts"
import { cells } from "../../src/tui/wrap.ts"
import { FakeApi } from "./fake-api.ts"
import { start } from "./run.ts"

const file = { name: "photo.jpg", size: 3_100_000, type: "image/jpeg" }

test("a file is sent by its path, with words if there are any, and its progress is seen", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api, { columns: 120 })
  await app.tty.until("hi")
  const sending = api.called("files.send")
  app.tty.type('/file "some where/photo.jpg" the garden\r')
  const { params } = await sending
  const thread = api.threadOf("bob")
  const path = resolve("some where/photo.jpg")
  assert.deepEqual(params, { to: thread, path, text: "the garden" })
  await app.tty.until("sending photo.jpg 25 % · 250 KB/s · 6 s left")
  const transfer = api.transfer({ name: "photo.jpg", thread, done: 2_000_000, state: "done" })
  api.tell({ type: "transfer", transfer })
  await app.tty.until("photo.jpg is with its keepers: you may leave.")
})

test("what cannot be sent says why, and what to do", async () => {
  const api = new FakeApi()
  api.past("bob", "hi")
  await using app = start(api)
  await app.tty.until("hi")
  app.tty.type("/file ~/none\r")
  await app.tty.until("There is no such file, or it cannot be read.")
  app.tty.type("/save\r")
  await app.tty.until("There is no file in sight.")
})

test("a file that came is shown with name, size and id, and saved by a key or into a folder", async () => {
  const api = new FakeApi()
  const message = api.past("bob", "the garden", {
    file: { ...file, name: "pho\u001b[2Jto\u202e.jpg" },
  })
  api.past("bob", "nice?")
  await using app = start(api)
  await app.tty.until(`pho[2Jto.jpg · 3.1 MB · JPEG image · ${message.id.slice(0, 8)}`)
  await app.tty.until("│ the garden")
  const byKey = api.called("files.save")
  app.tty.type("\x1bs")
  assert.equal(((await byKey).params as { id: string }).id, message.id)
  const byName = api.called("files.save")
  app.tty.type(`/save ${message.id.slice(0, 8)} ~/somewhere\r`)
  assert.deepEqual((await byName).params, {
    id: message.id,
    directory: join(homedir(), "somewhere"),
  })
  const saved = { ...api.transfer(), id: message.id, direction: "down" as const }
  api.tell({ type: "transfer", transfer: { ...saved, state: "done", path: "/tmp/photo.jpg" } })
  await app.tty.until("Saved as /tmp/photo.jpg")
  api.tell({ type: "transfer", transfer: { ...saved, state: "failed", failure: "BLOB_DAMAGED" } })
  await app.tty.until("its parts do not fit together")
})

test("a picture is shown among the messages by a key, and taken away by the same", async () => {
  const api = new FakeApi()
  api.past("bob", "", { file })
  await using app = start(api)
  await app.tty.until("photo.jpg")
  app.tty.type("\x1bv")
  await app.tty.until(/photo\.jpg.*\n.*│ ▀▀▀▀▀▀▀▀\n.*│ ▀▀▀▀▀▀▀▀\n/)
  app.tty.type("\x1bv")
  await app.tty.until((text) => text.includes("photo.jpg") && !text.includes("▀"))
  api.failures.set("files.preview", "IMAGE_TOO_LARGE")
  app.tty.type("/view\r")
  await app.tty.until("That image is too large to be shown.")
})

test("commands about files mean what they say", () => {
  assert.deepEqual(interpret("/file a.txt", []), { type: "file", path: "a.txt", text: "" })
  assert.deepEqual(interpret('/file "a b.txt" see this', []), {
    type: "file",
    path: "a b.txt",
    text: "see this",
  })
  assert.equal(interpret("/file", []).type, "wrong")
  assert.deepEqual(interpret("/save", []), { type: "save", id: null, folder: null })
  assert.deepEqual(interpret("/save 5f2c11aa", []), { type: "save", id: "5f2c11aa", folder: null })
  assert.deepEqual(interpret("/save 5f2c11aa /tmp", []), {
    type: "save",
    id: "5f2c11aa",
    folder: "/tmp",
  })
  assert.deepEqual(interpret('/save "~/my files"', []), {
    type: "save",
    id: null,
    folder: "~/my files",
  })
  assert.deepEqual(interpret("/save decade", []), { type: "save", id: "decade", folder: null })
  assert.deepEqual(interpret("/save feedback", []), { type: "save", id: null, folder: "feedback" })
  assert.deepEqual(interpret("/view", []), { type: "view", id: null })
})

test("sizes, times and progress are said in words", () => {
  assert.deepEqual([0, 999, 1000, 1_234_567, 99_960_000, 1e9, 2 ** 31].map(sizeText), [
    "0 bytes",
    "999 bytes",
    "1.0 KB",
    "1.2 MB",
    "100 MB",
    "1.0 GB",
    "2.1 GB",
  ])
  assert.deepEqual([0, 1.2, 99, 150, 7200].map(timeText), ["1 s", "2 s", "99 s", "3 min", "2 h"])
  const transfer = new FakeApi().transfer({
    name: "a\u202eb",
    size: 0,
    done: 0,
    bytesPerS: 0,
    leftS: null,
  })
  assert.equal(transferText(transfer), "sending ab 100 %")
})

/** Two pixels above two others. */
const PREVIEW = {
  width: 2,
  height: 2,
  rgb: Buffer.from([255, 0, 0, 255, 0, 0, 0, 0, 255, 255, 255, 255]).toString("base64"),
}

test("half blocks carry two pixels each, neighbours that look alike are one span", () => {
  const [row, ...rest] = imageRows("blocks", PREVIEW, 1)
  assert.deepEqual(rest, [])
  assert.deepEqual(
    row?.map(({ text, paint }) => [text, paint]),
    [
      ["▀", { color: "#ff0000", backgroundColor: "#0000ff" }],
      ["▀", { color: "#ff0000", backgroundColor: "#ffffff" }],
    ],
  )
  const plain = { ...PREVIEW, rgb: Buffer.alloc(12).toString("base64") }
  assert.deepEqual(
    imageRows("blocks", plain, 1)[0]?.map(({ text }) => text),
    ["▀▀"],
  )
  // without colours, shades; without shapes, letters
  assert.match(rowText(imageRows("shades", PREVIEW, 1)[0] ?? []), /^[ ░▒▓█]{2}$/)
  assert.match(rowText(imageRows("letters", PREVIEW, 1)[0] ?? []), /^[ .:\-=+*#%@]{2}$/)
})

test("a picture that does not hold what it says is not drawn; any other is as wide as it is", () => {
  assert.deepEqual(imageRows("blocks", { ...PREVIEW, width: 3 }, 1), [])
  const side = fc.integer({ min: 1, max: 30 })
  fc.assert(
    fc.property(
      side,
      side,
      fc.constantFrom("blocks", "shades", "letters"),
      (width, height, style) => {
        const rgb = Buffer.alloc(width * height * 3, 99).toString("base64")
        const rows = imageRows(style, { width, height, rgb }, 7)
        assert.equal(rows.length, Math.ceil(height / 2))
        for (const row of rows) assert.equal(cells(rowText(row)), width)
      },
    ),
  )
})

test("a terminal that draws pictures gets one in pieces, and cells that stand for it", () => {
  const { width, height } = pixelsFor("kitty", 6, 3)
  const preview = { width, height, rgb: Buffer.alloc(width * height * 3, 5).toString("base64") }
  const sequence = imageForTerminal(preview, 0x123456)
  const pieces = sequence.split("\x1b\\").filter((piece) => piece !== "")
  assert.match(pieces[0] ?? "", /^\x1b_Ga=T,U=1,q=2,f=24,s=60,v=60,i=1193046,c=6,r=3,m=1;/)
  assert.match(pieces.at(-1) ?? "", /^\x1b_Gm=0;/)
  const data = pieces.map((piece) => piece.slice(piece.indexOf(";") + 1))
  assert(data.every((part) => part.length <= 4096))
  assert.equal(data.join(""), preview.rgb)
  const rows = imageRows("kitty", preview, 0x123456)
  assert.equal(rows.length, 3)
  for (const [y, row] of rows.entries()) {
    assert.equal(row[0]?.paint?.color, "#123456")
    assert.equal(row[0].text.match(/\u{10eeee}/gu)?.length, 6)
    assert.equal(row[0].text.codePointAt(2), [0x305, 0x30d, 0x30e][y])
  }
})

test("how pictures are shown follows from the terminal", () => {
  assert.equal(chooseImages({ KITTY_WINDOW_ID: "1" }, true, true), "kitty")
  assert.equal(chooseImages({ TERM: "xterm-kitty", TMUX: "/tmp/x" }, true, true), "blocks")
  assert.equal(chooseImages({ TERM_PROGRAM: "ghostty" }, true, true), "kitty")
  assert.equal(chooseImages({ TERM: "xterm-256color" }, true, true), "blocks")
  assert.equal(chooseImages({ TERM: "xterm-256color" }, false, true), "shades")
  assert.equal(chooseImages({}, true, false), "letters")
})
