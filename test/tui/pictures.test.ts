/**
 * Pictures that the terminal draws itself: how it is found out that it does, from answers as terminals give them, and what it is then told.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { decode } from "fast-png"
import { decode as decodeSixels } from "sixel"
import { draw } from "../../src/tui/draw.ts"
import { createDecoder } from "../../src/tui/input.ts"
import { drawing } from "../../src/tui/widgets/drawing.ts"
import { chooseImages } from "../../src/tui/widgets/image.ts"
import { pixelsOnPage } from "../../src/tui/widgets/picture.ts"
import { FakeApi } from "./fake-api.ts"
import { start } from "./run.ts"

const ASKED = "\x1b[c"
const ASKED_CELL = "\x1b[16t"

/** As recorded: what these say to `CSI c`, and whether that is sixels. */
const ANSWERS = [
  ["xterm -ti vt340", "\x1b[?63;1;2;4;6;9;15;22c", true],
  ["foot", "\x1b[?62;4;22;28c", true],
  ["mlterm", "\x1b[?63;1;2;3;4;7;29c", true],
  ["Windows Terminal 1.22", "\x1b[?61;4;6;7;14;21;22;23;24;28;32;42c", true],
  ["xterm", "\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c", false],
  ["VTE", "\x1b[?65;1;9c", false],
  ["tmux", "\x1b[?1;2c", false],
  ["Linux console", "\x1b[?6c", false],
] as const

/** Four columns in two colours, one above the other. */
const PREVIEW = {
  width: 4,
  height: 12,
  rgb: Buffer.from(
    Array.from({ length: 48 }, (_, i) => (i < 24 ? [255, 0, 0] : [0, 0, 255])).flat(),
  ).toString("base64"),
}

test("a terminal's answers are no keys, and say what it can do, however they are cut", () => {
  for (const [name, answer, sixel] of ANSWERS)
    for (let cut = 1; cut < answer.length; cut++) {
      const decoder = createDecoder()
      const events = [
        ...decoder.push("a"),
        ...decoder.push(answer.slice(0, cut)),
        ...decoder.push(`${answer.slice(cut)}b`),
      ]
      const [a, abilities, b, ...rest] = events
      assert.deepEqual([a, b, rest], [{ type: "text", text: "a" }, { type: "text", text: "b" }, []])
      assert(abilities?.type === "abilities", name)
      assert.equal(abilities.numbers.includes(4), sixel, name)
    }
  const decoder = createDecoder()
  assert.deepEqual(decoder.push("\x1b[6;18;9t"), [{ type: "cell", width: 9, height: 18 }])
  for (const wrong of ["\x1b[6;0;9t", "\x1b[6;18t", "\x1b[6;9999;9t", "\x1b[8;24;80t", "\x1b[t"])
    assert.deepEqual(decoder.push(wrong), [], "nothing that a cell can be")
})

test("who draws iTerm2's pictures is known by name; behind a multiplexer nobody is asked for them", () => {
  for (const env of [
    { TERM_PROGRAM: "iTerm.app" },
    { TERM_PROGRAM: "WezTerm" },
    { TERM_PROGRAM: "mintty" },
    { LC_TERMINAL: "iTerm2" },
  ]) {
    assert.equal(chooseImages(env, true, true), "iterm2")
    assert.equal(chooseImages({ ...env, TMUX: "/tmp/x" }, true, true), "blocks")
    assert.equal(chooseImages(env, false, true), "shades")
  }
})

test("what is drawn is the picture, at its place, and the cursor comes back", async () => {
  const inline = drawing("iterm2", PREVIEW) ?? ""
  const [, about = "", data = ""] =
    /^\x1b7\x1b\[3;2H\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07\x1b8$/.exec(inline) ?? []
  assert.match(about, /^inline=1;size=\d+;width=4px;height=12px;doNotMoveCursor=1$/)
  const png = decode(Buffer.from(data, "base64"))
  assert.deepEqual([png.width, png.height], [4, 12])
  assert.equal(Buffer.from(png.data as Uint8Array).toString("base64"), PREVIEW.rgb)

  const sixels = await draw({ style: "sixel", preview: PREVIEW }, AbortSignal.timeout(20_000))
  const [, body = ""] = /^\x1b7\x1b\[3;2H\x1bP0;1;q([^\x1b]*)\x1b\\\x1b8$/.exec(sixels) ?? []
  const shown = decodeSixels(Buffer.from(body))
  assert.deepEqual([shown.width, shown.height], [4, 12])
  const [top, bottom] = [shown.data32[0] ?? 0, shown.data32[4 * 11] ?? 0]
  assert.deepEqual(
    [top & 0xff, top & 0xff0000, bottom & 0xff, bottom & 0xff0000],
    [255, 0, 0, 0xff0000],
  )

  assert.equal(drawing("sixel", { ...PREVIEW, width: 5 }), undefined, "not what it says")
  assert.deepEqual(pixelsOnPage({ width: 9, height: 18 }, 80, 24), {
    width: 76 * 9,
    height: 19 * 18,
  })
  assert.deepEqual(pixelsOnPage({ width: 9, height: 18 }, 400, 200), { width: 720, height: 432 })
})

function withPicture(): FakeApi {
  const api = new FakeApi()
  api.past("bob", "look", { file: { name: "there.png", size: 3_000_000, type: "image/png" } })
  return api
}

test("a terminal that says so is drawn sixels, on a page that any key leaves", async () => {
  await using app = start(withPicture())
  await app.tty.until("look")
  assert(app.tty.written().includes(ASKED))
  assert(!app.tty.written().includes(ASKED_CELL), "nobody is asked about what they have not said")
  app.tty.type("\x1b[?62;4;22;28c")
  await app.tty.until(() => app.tty.written().includes(ASKED_CELL))
  app.tty.type("\x1b[6;18;9t")
  app.tty.type("/view\r")
  await app.tty.until("there.png · any key leads back")
  await app.tty.until(() => /\x1b7\x1b\[3;2H\x1bP0;1;q/.test(app.tty.written()))
  app.tty.type("x")
  await app.tty.until("look")
  await app.tty.until("> Write to bob")
})

test("one that does not is shown half blocks, and one that never answers too", async () => {
  for (const answer of ["\x1b[?65;1;9c", ""]) {
    await using app = start(withPicture())
    await app.tty.until("look")
    app.tty.type(answer)
    app.tty.type("/view\r")
    await app.tty.until("▀")
    assert(!app.tty.written().includes("\x1bP"))
  }
})
