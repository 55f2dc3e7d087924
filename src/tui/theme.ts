/**
 * Colours by meaning, and the shapes that carry the same meaning without them. A screen names a role; the theme decides what
 * it looks like. No state is told by colour alone: every role that matters also has a word or a glyph.
 */
import type { DeliveryState } from "../node/api/types.ts"

export type Role =
  | "text" | "dim" | "strong" | "mine" | "good" | "warn" | "bad" | "accent" | "rule" | "selected" | "qr"
  | "name0" | "name1" | "name2" | "name3" | "name4" | "name5" // prettier-ignore

export interface Style {
  readonly color?: string
  readonly backgroundColor?: string
  readonly bold?: boolean
  readonly dimColor?: boolean
  readonly inverse?: boolean
}

export type Theme = Readonly<Record<Role, Style>>
export type ThemeName = "dark" | "light" | "mono"

// A reader needs dark modules on a light ground, whatever colours the terminal has: explicit, never themed.
const qr: Style = { color: "#000000", backgroundColor: "#ffffff" }

const names = (...colors: readonly [string, string, string, string, string, string]) => ({
  name0: { color: colors[0] },
  name1: { color: colors[1] },
  name2: { color: colors[2] },
  name3: { color: colors[3] },
  name4: { color: colors[4] },
  name5: { color: colors[5] },
})

export const THEMES: Readonly<Record<ThemeName, Theme>> = {
  // Name colours of both coloured themes keep a contrast of 4.5:1 and more against black or white.
  dark: {
    text: {},
    dim: { color: "#9a9a9a" },
    strong: { bold: true },
    mine: { color: "#8ec5ff" },
    good: { color: "#7fd88f" },
    warn: { color: "#f0c05a", bold: true },
    bad: { color: "#ff8080", bold: true },
    accent: { color: "#6fd3e8" },
    rule: { color: "#7a7a7a" },
    selected: { inverse: true },
    qr,
    ...names("#e5a3ff", "#ffb37a", "#8be0c0", "#f2d46b", "#ff9fb8", "#a9b8ff"),
  },
  light: {
    text: {},
    dim: { color: "#5c5c5c" },
    strong: { bold: true },
    mine: { color: "#0b4fa8" },
    good: { color: "#0b6b2e" },
    warn: { color: "#7a4b00", bold: true },
    bad: { color: "#b00020", bold: true },
    accent: { color: "#00616e" },
    rule: { color: "#767676" },
    selected: { inverse: true },
    qr,
    ...names("#7a1fa2", "#9a3d00", "#00664d", "#6b5500", "#a8124f", "#3d3fb0"),
  },
  mono: {
    text: {},
    dim: { dimColor: true },
    strong: { bold: true },
    mine: {},
    good: {},
    warn: { bold: true },
    bad: { bold: true },
    accent: {},
    rule: { dimColor: true },
    selected: { inverse: true },
    qr: {},
    name0: {},
    name1: {},
    name2: {},
    name3: {},
    name4: {},
    name5: {},
  },
}

const NAME_ROLES = ["name0", "name1", "name2", "name3", "name4", "name5"] as const

/** The colour of a person, the same on every screen: from the address, since names change. */
export function nameRole(address: string): Role {
  let hash = 0
  for (let i = 0; i < address.length; i++) hash = (hash * 31 + address.charCodeAt(i)) >>> 0
  return NAME_ROLES[hash % NAME_ROLES.length] ?? "name0"
}

export interface Glyphs {
  readonly states: Readonly<Record<DeliveryState, string>>
  readonly late: string
  readonly online: string
  readonly offline: string
  readonly syncing: string
  readonly verified: string
  readonly blocked: string
  readonly bar: string
  readonly rule: string
  readonly selected: string
  readonly down: string
  readonly mask: string
  readonly progress: readonly [full: string, empty: string]
}

/** Every state glyph is one or two cells, and no two are alike: colour may be missing. */
export const UNICODE: Glyphs = {
  states: { queued: "·", gossiped: "◌", ordered: "✓", delivered: "✓✓", read: "◉", failed: "!" },
  late: "~",
  online: "●",
  offline: "○",
  syncing: "◐",
  verified: "✓",
  blocked: "⊘",
  bar: "│",
  rule: "─",
  selected: "▌",
  down: "↓",
  mask: "●",
  progress: ["█", "░"],
}

export const ASCII: Glyphs = {
  states: { queued: ".", gossiped: "o", ordered: "+", delivered: "++", read: "@", failed: "!" },
  late: "~",
  online: "*",
  offline: "o",
  syncing: "%",
  verified: "+",
  blocked: "x",
  bar: "|",
  rule: "-",
  selected: ">",
  down: "v",
  mask: "*",
  progress: ["#", "."],
}

/** What each state promises, in the words of the help page and of line mode. */
export const STATE_WORDS: Readonly<Record<DeliveryState, string>> = {
  queued: "queued here",
  gossiped: "taken by peers",
  ordered: "in order",
  delivered: "delivered",
  read: "read",
  failed: "failed",
}

export const STATE_ROLES: Readonly<Record<DeliveryState, Role>> = {
  queued: "dim",
  gossiped: "dim",
  ordered: "accent",
  delivered: "good",
  read: "good",
  failed: "bad",
}

type Environment = Readonly<Record<string, string | undefined>>

/** NO_COLOR (any value but empty) wins over everything; without a hint the ground is taken to be dark. */
export const chooseTheme = (wanted: ThemeName | undefined, env: Environment): ThemeName => {
  if ((env["NO_COLOR"] ?? "") !== "") return "mono"
  if (wanted !== undefined) return wanted
  const ground = Number(env["COLORFGBG"]?.split(";").at(-1))
  return ground === 7 || ground === 15 ? "light" : "dark"
}

/** Shapes only where the locale says that the terminal takes UTF-8. */
export const chooseGlyphs = (env: Environment): Glyphs => {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find((value) => (value ?? "") !== "")
  return locale === undefined || /utf-?8/i.test(locale) ? UNICODE : ASCII
}
