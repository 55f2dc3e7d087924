/** The help page, made from the tables of keys, commands and states: what works is what it shows. */
import { COMMANDS } from "../commands.ts"
import { BINDINGS, spelled } from "../keys.ts"
import type { Model } from "../model.ts"
import { blank, line, span } from "../rows.ts"
import type { Row } from "../rows.ts"
import { STATE_ROLES, STATE_WORDS } from "../theme.ts"
import type { DeliveryState } from "../../node/api/types.ts"
import { padEnd } from "../wrap.ts"
import type { Page } from "./page.tsx"

const KEY_WIDTH = 28
const STATES = Object.keys(STATE_WORDS) as DeliveryState[]

/** Two cells of mark, then words: what the gutter and the lists mean. */
function legend(model: Model): Row[] {
  const { glyphs } = model.settings
  const entry = (mark: string, words: string, role: Row[number]["role"]): Row => [
    span(`   ${padEnd(mark, 3)}`, role),
    span(words, "text"),
  ]
  return [
    ...STATES.map((state) =>
      entry(
        glyphs.states[state],
        state === "read" ? "read, where both of you show it" : STATE_WORDS[state],
        STATE_ROLES[state],
      ),
    ),
    entry(
      glyphs.late,
      "settled late: before what you had read, or behind what was written later",
      "warn",
    ),
    entry(glyphs.verified, "beside a name: you compared their safety number", "good"),
    entry("!", "beside a name: another identity under a name you know", "bad"),
    entry("~", "before a name: no contact of yours, called as they call themselves", "warn"),
    entry("?", "beside a name: a request, not accepted yet", "warn"),
  ]
}

export function helpRows(model: Model): Row[] {
  const rows: Row[] = []
  for (const group of ["Writing", "Reading", "Chats", "Sotto"] as const) {
    rows.push(line(` ${group}`, "strong"))
    for (const binding of BINDINGS.filter((b) => b.group === group)) {
      if (binding.action.startsWith("open-") && binding.action !== "open-1") continue
      const keys =
        binding.action === "open-1" ? "Alt-1 … Alt-9" : binding.chords.map(spelled).join(", ")
      const words = binding.action === "open-1" ? "chat 1 to 9, also /open name" : binding.help
      rows.push([span(`   ${padEnd(keys, KEY_WIDTH)} `, "accent"), span(words)])
    }
    rows.push(blank)
  }
  rows.push(line(" Commands", "strong"))
  for (const { name, usage, help } of COMMANDS)
    rows.push([span(`   ${padEnd(`/${name} ${usage}`, KEY_WIDTH)} `, "accent"), span(help)])
  rows.push([
    span(`   ${padEnd("//text", KEY_WIDTH)} `, "accent"),
    span("a message that begins with a slash"),
  ])
  rows.push(blank, line(" Marks", "strong"), ...legend(model))
  return rows
}

export function helpPage(model: Model, scroll: number): Page {
  const all = helpRows(model)
  const room = Math.max(1, model.rows - 2)
  const first = Math.min(scroll, Math.max(0, all.length - room))
  const shown = all.slice(first, first + room)
  while (shown.length < room) shown.push(blank)
  const more = all.length - first - room
  const rows = [
    line(" sotto · keys and commands", "strong"),
    ...shown,
    line(` ${more > 0 ? `${more} more below · PgDn · ` : ""}Esc back`, "dim"),
  ]
  return { rows, cursor: null }
}
