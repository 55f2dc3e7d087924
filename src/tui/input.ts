/**
 * What a terminal sends, as events: text, keys by chord name, pastes, focus. Pure: chunks in, events out, however the
 * chunks were cut. Speaks xterm's function keys and modifiers, modifyOtherKeys, kitty's CSI u, bracketed paste (DEC 2004)
 * and focus reports (DEC 1004). Mouse reports and replies (OSC, DCS, device attributes) are recognised and swallowed, so
 * that none of them is ever typed into a draft.
 */

export type InputEvent =
  | { readonly type: "text"; readonly text: string }
  /** `ctrl-a`, `alt-enter`, `shift-tab`, `pageup`, `f1`; modifiers in the order ctrl, alt, shift. */
  | { readonly type: "key"; readonly chord: string }
  | { readonly type: "paste"; readonly text: string }
  | { readonly type: "focus"; readonly focused: boolean }
  /** What the terminal can do (answer to `CSI c`, DA1): 4 is sixel graphics. */
  | { readonly type: "abilities"; readonly numbers: readonly number[] }
  /** Pixels of a cell (answer to `CSI 16 t`). */
  | { readonly type: "cell"; readonly width: number; readonly height: number }

export interface Decoder {
  /** Bytes as they were read, or text already decoded. */
  push(chunk: Uint8Array | string): InputEvent[]
  /** True while an escape may still grow into something longer; then `flush` is due after a moment. */
  readonly pending: boolean
  /** No more came: what was held back is the keys themselves. */
  flush(): InputEvent[]
}

/** A longer paste is cut here, UTF-16 units: more than any message can hold. */
export const PASTE_MAX = 1 << 20
/** No terminal sends a longer control sequence; the rest would be an attack on memory. */
const SEQUENCE_MAX = 256
/** How long to wait for the rest of an escape sequence. */
export const ESCAPE_WAIT_MS = 25

const LETTERS: Readonly<Record<string, string>> = {
  A: "up", B: "down", C: "right", D: "left", E: "begin", F: "end", H: "home",
  P: "f1", Q: "f2", R: "f3", S: "f4", M: "enter", Z: "shift-tab",
} // prettier-ignore
const NUMBERS: Readonly<Record<string, string>> = {
  1: "home", 2: "insert", 3: "delete", 4: "end", 5: "pageup", 6: "pagedown", 7: "home", 8: "end",
  11: "f1", 12: "f2", 13: "f3", 14: "f4", 15: "f5", 17: "f6", 18: "f7", 19: "f8", 20: "f9", 21: "f10", 23: "f11", 24: "f12",
} // prettier-ignore
const CONTROLS: Readonly<Record<number, string>> = {
  0: "ctrl-space", 8: "backspace", 9: "tab", 13: "enter", 27: "escape", 28: "ctrl-\\", 29: "ctrl-]", 30: "ctrl-^", 31: "ctrl-_",
  32: "space", 127: "backspace",
} // prettier-ignore

const key = (chord: string): InputEvent => ({ type: "key", chord })

/** xterm's modifier parameter: 1 + shift 1, alt 2, ctrl 4. Lock keys and the rest are ignored. */
function modified(name: string, parameter: string | undefined): string {
  const bits = Math.max(0, Number.parseInt(parameter ?? "1", 10) - 1) || 0
  return `${bits & 4 ? "ctrl-" : ""}${bits & 2 ? "alt-" : ""}${bits & 1 ? "shift-" : ""}${name}`
}

function controlName(code: number): string {
  return CONTROLS[code] ?? `ctrl-${String.fromCharCode(code + 96)}`
}

/** A key given as a code point with modifiers (kitty CSI u, modifyOtherKeys). */
function fromCode(code: number, modifiers: string | undefined): InputEvent[] {
  if (!(code > 0 && code < 0xd800)) return []
  const special = CONTROLS[code]
  if (special !== undefined && code !== 32) return [key(modified(special, modifiers))]
  const char = String.fromCharCode(code)
  const chord = modified(code === 32 ? "space" : char, modifiers)
  if (chord.startsWith("shift-")) return [{ type: "text", text: char.toUpperCase() }]
  return chord.length > 1 && chord !== "space" ? [key(chord)] : [{ type: "text", text: char }]
}

function fromCsi(parameters: string, final: string): InputEvent[] {
  if (parameters === "" && (final === "I" || final === "O"))
    return [{ type: "focus", focused: final === "I" }]
  if (final === "c" && parameters.startsWith("?"))
    return [{ type: "abilities", numbers: parameters.slice(1).split(";").map(Number) }]
  if (/^[<>?=]/.test(parameters)) return []
  if (final === "t") return cellFrom(parameters)
  const [first = "", second, third] = parameters.split(";").map((p) => p.split(":")[0] ?? "")
  if (final === "u") return fromCode(Number(first), second)
  if (final === "~" && first === "27") return fromCode(Number(third), second)
  // A letter's key number is 1 or left out; anything else is a report, such as where the cursor is.
  const letter = first === "" || first === "1" ? LETTERS[final] : undefined
  const name = final === "~" ? NUMBERS[first] : letter
  return name === undefined ? [] : [key(modified(name, second))]
}

/** Sides that a cell can have; what says otherwise is not believed. */
const CELL_SIDE_MAX = 256

function cellFrom(parameters: string): InputEvent[] {
  const [kind, height = 0, width = 0] = parameters.split(";").map(Number)
  const isSide = (side: number) => Number.isInteger(side) && side >= 1 && side <= CELL_SIDE_MAX
  return kind === 6 && isSide(height) && isSide(width) ? [{ type: "cell", width, height }] : []
}

/** The length of the string command (OSC, DCS, APC, PM, SOS) at the start, or 0 while its end is missing. */
function stringCommand(text: string): number {
  const end = /\x07|\x1b\\|\x9c/.exec(text)
  return end === null ? 0 : end.index + end[0].length
}

const CSI = /^\x1b\[([0-9:;<=>?]*)[ -/]*([@-~])/
const PASTE_END = "\x1b[201~"

export function createDecoder(): Decoder {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  let held = ""
  let paste: string | null = null

  /** Takes one event's worth off the front of `held`; false when the rest has to wait. */
  function takeEscape(out: InputEvent[], final: boolean): boolean {
    const next = held[1]
    if (next === undefined) {
      if (!final) return false
      held = ""
      out.push(key("escape"))
      return true
    }
    if (next === "[") {
      // X10 mouse: three bytes follow the final letter.
      const mouse = held.startsWith("\x1b[M")
      if (mouse && held.length >= 6) {
        held = held.slice(6)
        return true
      }
      const csi = mouse ? null : CSI.exec(held)
      if (csi !== null) {
        held = held.slice(csi[0].length)
        if (csi[1] === "200" && csi[2] === "~") paste = ""
        else out.push(...fromCsi(csi[1] ?? "", csi[2] ?? ""))
        return true
      }
    } else if (next === "O" && held.length > 2) {
      const name = LETTERS[held[2] ?? ""]
      held = held.slice(3)
      if (name !== undefined) out.push(key(name))
      return true
    } else if ("]PX^_".includes(next) && held.length > 2) {
      const length = stringCommand(held.slice(2))
      if (length > 0) {
        held = held.slice(2 + length)
        return true
      }
    } else if (!"O]PX^_".includes(next)) {
      const [char = ""] = held.slice(1)
      held = held.slice(1 + char.length)
      const code = char.charCodeAt(0)
      if (next === "\x1b") out.push(key("escape"))
      else out.push(key(`alt-${code < 32 || code === 127 ? controlName(code) : char}`))
      if (next === "\x1b") held = `\x1b${held}`
      return true
    }
    if (!final && held.length < SEQUENCE_MAX) return false
    // What never became a sequence: Alt and the key, or, if it is longer than that, rubbish.
    const rest = held.slice(2)
    held = ""
    if (rest === "") out.push(key(`alt-${next}`))
    return true
  }

  function takePaste(out: InputEvent[], body: string, final: boolean): boolean {
    const end = held.indexOf(PASTE_END)
    const sure = end >= 0 ? end : Math.max(0, held.length - (PASTE_END.length - 1))
    paste = (body + held.slice(0, sure)).slice(0, PASTE_MAX)
    held = held.slice(end >= 0 ? end + PASTE_END.length : sure)
    if (end < 0 && !final) return false
    out.push({ type: "paste", text: end < 0 ? paste + held : paste })
    if (end < 0) held = ""
    paste = null
    return true
  }

  function takePlain(out: InputEvent[]): void {
    const code = held.charCodeAt(0)
    if (code < 32 || code === 127) {
      held = held.slice(1)
      out.push(key(controlName(code)))
      return
    }
    const text = /^[^\x00-\x1f\x7f]+/.exec(held)?.[0] ?? ""
    held = held.slice(text.length)
    const printable = text.replace(/\p{Cc}/gu, "")
    if (printable !== "") out.push({ type: "text", text: printable })
  }

  function drain(final: boolean): InputEvent[] {
    const out: InputEvent[] = []
    while (held !== "" || (paste !== null && final)) {
      if (paste !== null) {
        if (!takePaste(out, paste, final)) break
      } else if (held.startsWith("\x1b")) {
        if (!takeEscape(out, final)) break
      } else takePlain(out)
    }
    return out
  }

  return {
    push(chunk) {
      held += typeof chunk === "string" ? chunk : utf8.decode(chunk, { stream: true })
      return drain(false)
    },
    get pending() {
      return paste === null && held !== ""
    },
    flush: () => drain(true),
  }
}
