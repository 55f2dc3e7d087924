/** What is data stays true: keys, commands, sentences, themes and the help page that is made of them. */
import assert from "node:assert/strict"
import { test } from "node:test"
import type { Contact } from "../../src/node/api/types.ts"
import {
  COMMANDS,
  completions,
  contactName,
  interpret,
  nearest,
  usageHint,
} from "../../src/tui/commands.ts"
import { BINDINGS, actionOf, spelled } from "../../src/tui/keys.ts"
import { chooseMode } from "../../src/tui/mode.ts"
import { defaultSettings, initialModel } from "../../src/tui/model.ts"
import { rowText } from "../../src/tui/rows.ts"
import { helpPage, helpRows } from "../../src/tui/screens/help.ts"
import {
  SENTENCES,
  codeOf,
  failureOf,
  sentenceOf,
  spoken,
  startSentence,
} from "../../src/tui/sentences.ts"
import { ASCII, THEMES, UNICODE, chooseGlyphs, chooseTheme, nameRole } from "../../src/tui/theme.ts"
import { qrRows } from "../../src/tui/widgets/qr.ts"
import { strengthOf } from "../../src/tui/widgets/setup.ts"
import { cells } from "../../src/tui/wrap.ts"
import { ADDRESS, TICKET } from "./fake-api.ts"

const model = initialModel(defaultSettings({ LANG: "C.UTF-8" }), 80, 24)

test("no key means two things, and tmux keeps Ctrl-B", () => {
  const chords = BINDINGS.flatMap((binding) => binding.chords)
  assert.deepEqual(chords, [...new Set(chords)])
  assert.equal(actionOf("ctrl-b"), undefined)
  assert.equal(actionOf("alt-7"), "open-7")
})

test("the help page shows every key and every command", () => {
  const text = helpRows(model).map(rowText).join("\n")
  for (const { help, action } of BINDINGS)
    if (!action.startsWith("open-")) assert.ok(text.includes(help), help)
  for (const { name, help } of COMMANDS)
    assert.ok(text.includes(`/${name}`) && text.includes(help), name)
  const { rows } = helpPage(model, 1e6)
  assert.equal(rows.length, model.rows, "scrolled past its end, it shows its end")
  assert.ok(rows.map(rowText).join("\n").includes("not accepted yet"))
})

test("every Alt key has a twin that a terminal without Alt can send", () => {
  for (const binding of BINDINGS.filter(
    (b) => b.group === "Chats" && b.chords.every((c) => c.startsWith("alt-")),
  ))
    assert.ok(/\/\w+/.test(binding.help) || /chat (above|below)/.test(binding.help), binding.help)
})

test("chords as people write them", () => {
  assert.equal(spelled("alt-enter"), "Alt-Enter")
  assert.equal(spelled("pageup"), "PgUp")
  assert.equal(spelled("ctrl-_"), "Ctrl-_")
})

test("every code of the API has a sentence and a next step, and nothing of a message leaks into it", () => {
  for (const [code, { what, next }] of Object.entries(SENTENCES)) {
    assert.match(what, /^[A-Z].*\.$/, code)
    assert.match(next, /^[A-Z].*\.$/, code)
  }
  const error = Object.assign(new Error("secret details"), { code: "WRONG_PASSPHRASE" })
  assert.equal(codeOf(error), "WRONG_PASSPHRASE")
  assert.ok(!spoken(error).includes("secret"))
  assert.equal(sentenceOf(new Error("what")), SENTENCES.INTERNAL)
  assert.equal(codeOf({ code: "toString" }), "INTERNAL")
  assert.equal(codeOf(null), "INTERNAL")
  assert.equal(failureOf("QUEUE_FULL"), SENTENCES.QUEUE_FULL.what)
  assert.equal(failureOf("ODD\x1b[31m"), "Not sent (ODD[31m).")
})

test("a node that does not start speaks for itself when its error is made for people", () => {
  const error = Object.assign(new Error("the node did not start: port \x1b[31mtaken"), {
    code: "NO_START",
  })
  assert.equal(startSentence(error).what, "the node did not start: port [31mtaken")
  assert.equal(startSentence(new TypeError("x is not a function")), SENTENCES.INTERNAL)
})

test("a line is a message unless it begins with one slash", () => {
  assert.deepEqual(interpret("hello", []), { type: "say", text: "hello" })
  assert.deepEqual(interpret("//etc/hosts", []), { type: "say", text: "/etc/hosts" })
  assert.deepEqual(interpret("/help\nme", []), { type: "say", text: "/help\nme" })
  assert.deepEqual(interpret("/quit", []), { type: "quit" })
})

test("arguments: codes, names with spaces, quotes", () => {
  const known = ["bob", "mia", "mia moon"]
  assert.deepEqual(interpret("/add sotto1abc Big Bob", known), {
    type: "add",
    code: "sotto1abc",
    name: "Big Bob",
  })
  assert.deepEqual(interpret("/add", known), { type: "add", code: "", name: null })
  assert.deepEqual(interpret("/block mia moon", known), { type: "block", contact: "mia moon" })
  assert.deepEqual(interpret("/block Mia Moon", known), { type: "block", contact: "Mia Moon" })
  assert.deepEqual(interpret("/block", known), { type: "block", contact: null })
  assert.deepEqual(interpret("/rename mia moon Mia M.", known), {
    type: "rename",
    contact: "mia moon",
    name: "Mia M.",
  })
  assert.deepEqual(interpret('/rename "mia moon" Mia', known), {
    type: "rename",
    contact: "mia moon",
    name: "Mia",
  })
  assert.deepEqual(interpret("/rename Bobby", known), {
    type: "rename",
    contact: null,
    name: "Bobby",
  })
})

test("a mistyped command is guessed, nonsense is not", () => {
  assert.equal(nearest("contatcs"), "contacts")
  assert.equal(nearest("hlep"), "help")
  assert.equal(nearest("xyzzyplugh"), null)
  assert.deepEqual(interpret("/hlep", []), {
    type: "wrong",
    sentence: "There is no /hlep. Did you mean /help?",
  })
})

test("completion offers what fits and nothing else", () => {
  assert.deepEqual(completions("/re", []), [
    "/react ",
    "/rejoin",
    "/remove ",
    "/rename ",
    "/reply ",
    "/retry",
  ])
  assert.deepEqual(completions("/open B", ["bob", "mia"]), ["/open bob"])
  assert.deepEqual(completions("/quit ", ["bob"]), [])
  assert.deepEqual(completions("hello", ["hello"]), [])
  assert.match(usageHint("/add") ?? "", /\[code\] \[name\]/)
  assert.equal(usageHint("hello"), null)
})

test("a contact is called by petname, else by their own name, else by address", () => {
  const contact: Contact = {
    address: ADDRESS,
    name: "",
    theirName: "👑 Bob ✓",
    state: "accepted",
    verified: false,
    claims: null,
    postQuantumSignatures: false,
    lacksKey: false,
  }
  assert.equal(contactName({ ...contact, name: "bob" }), "bob")
  assert.equal(contactName(contact), "Bob")
  assert.equal(contactName({ ...contact, theirName: "👑" }), "sotto1q7x2…3c4e")
})

/** WCAG contrast of two colours given as #rrggbb. */
function contrast(a: string, b: string): number {
  const luminance = (hex: string) => {
    const [r = 0, g = 0, blue = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue
  }
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}

test("every colour can be read on its ground", () => {
  for (const [name, ground] of [
    ["dark", "#000000"],
    ["light", "#ffffff"],
  ] as const)
    for (const [role, style] of Object.entries(THEMES[name]))
      if (style.color !== undefined && role !== "qr")
        assert.ok(contrast(style.color, ground) >= 4.5, `${role} on ${name}`)
  assert.ok(Object.values(THEMES.mono).every((style) => style.color === undefined))
})

test("every state has its own shape in both sets of glyphs, at most two cells wide", () => {
  for (const glyphs of [UNICODE, ASCII]) {
    const shapes = Object.values(glyphs.states)
    assert.equal(new Set(shapes).size, shapes.length)
    assert.ok([...shapes, glyphs.late].every((shape) => cells(shape) <= 2))
  }
  assert.ok(Object.values(ASCII.states).every((shape) => /^[\x20-\x7e]+$/.test(shape)))
})

test("themes and glyphs follow the environment", () => {
  assert.equal(chooseTheme("dark", { NO_COLOR: "1" }), "mono")
  assert.equal(chooseTheme(undefined, { NO_COLOR: "" }), "dark")
  assert.equal(chooseTheme(undefined, { COLORFGBG: "0;15" }), "light")
  assert.equal(chooseGlyphs({ LANG: "de_DE.UTF-8" }), UNICODE)
  assert.equal(chooseGlyphs({ LANG: "C.UTF-8", LC_ALL: "POSIX" }), ASCII)
  assert.equal(nameRole(ADDRESS), nameRole(ADDRESS))
})

test("line mode where a redrawn screen would be noise", () => {
  const tty = { isTTY: true }
  assert.equal(chooseMode({ TERM: "xterm" }, tty, tty), "screen")
  assert.equal(chooseMode({ TERM: "dumb" }, tty, tty), "line")
  assert.equal(chooseMode({ INK_SCREEN_READER: "true" }, tty, tty), "line")
  assert.equal(chooseMode({ INK_SCREEN_READER: "false" }, tty, tty), "screen")
  assert.equal(chooseMode({}, {}, tty), "line")
  assert.equal(chooseMode({}, tty, {}), "line")
})

test("an address of 115 characters has a QR that fits 80 by 24 beside its text; a ticket needs more room", () => {
  const rows = qrRows(ADDRESS, 80 - 26, 21, true)
  assert.equal(ADDRESS.length, 115)
  assert.equal(rows?.length, 21)
  assert.equal(cells(rowText(rows[0] ?? [])), 41)
  assert.equal(qrRows(TICKET, 80 - 26, 21, true), null)
  assert.equal(qrRows("", 80, 24, true), null)
})

test("a longer and more varied passphrase never gets a weaker word", () => {
  assert.equal(strengthOf(""), "")
  assert.equal(strengthOf("abc"), "weak")
  assert.equal(strengthOf("aaaaaaaaaaaaaaaaaaaa"), "weak")
  assert.equal(strengthOf("correct horse battery staple"), "strong")
})
