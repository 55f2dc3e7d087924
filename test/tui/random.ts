/** A small seeded generator for fuzzing in bulk, where building shrinkable cases would take longer than running them. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const pick = <T>(random: () => number, from: readonly T[]): T => {
  const value = from[Math.floor(random() * from.length)]
  if (value === undefined) throw new Error("nothing to pick from")
  return value
}

const HOSTILE = [
  "\x1b[31m", "\x1b]0;owned\x07", "\x1b]8;;https://evil.example\x1b\\", "\x1b[2J", "\x1b[?1049l", "\x1bc", "\x1bP1$r\x1b\\", "\x9b31m", "\x9d0;x\x9c",
  "\u202e", "\u2066", "\u2069", "\u200b", "\u200d", "\u200f", "\ufeff", "\u{e0041}", "\u{e0001}", "\u00ad", "\u061c", "\u2028", "\u0085",
  "\u0301", "\u0301\u0301\u0301\u0301\u0301\u0301\u0301", "\u20dd", "\ufe0f", "\u3164", "\ud800", "\udc00", "\ue000", "\uffff",
  "\0", "\x07", "\b", "\t", "\n", "\r", "\r\n", "\v", "\f", "\x7f",
  "a", "z", " ", "e\u0301", "漢", "字", "👋", "👨‍👩‍👧‍👦", "1️⃣", "❤️", "🇩🇪", "नमस्ते", "שלום", "مرحبا", "ก็", "✓ verified", "│", "─", "ﬀ",
] // prettier-ignore

/** Text as the worst of peers would write it: escape sequences and invisible characters among ordinary ones. */
export function hostileText(random: () => number, parts: number): string {
  let out = ""
  for (let i = Math.floor(random() * parts); i >= 0; i--)
    out +=
      random() < 0.85
        ? pick(random, HOSTILE)
        : String.fromCodePoint(Math.floor(random() * 0x110000))
  return out
}
