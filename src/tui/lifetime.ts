/** How long messages stay, as people write it and read it. */
import type { LifetimeView } from "../node/api/types.ts"

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
const NAMES = ["w", "d", "h", "m", "s"] as const
/** A year; as the API has it. */
const MOST = 31_536_000

/** `30s`, `5m`, `8h`, `7d`, `2w`, `off`, `100 blocks`; nothing for anything else. */
export function parseLifetime(
  text: string,
): { readonly seconds?: number; readonly blocks?: number } | undefined {
  const words = text.trim().toLowerCase()
  if (words === "off") return {}
  const [, digits = "", unit = ""] = /^([0-9]{1,8}) ?(s|m|h|d|w|blocks?)$/.exec(words) ?? []
  const amount = Number(digits) * (SECONDS[unit] ?? 1)
  if (digits === "" || amount < 1 || amount > MOST) return undefined
  return unit.startsWith("block") ? { blocks: amount } : { seconds: amount }
}

/** `5 m`, `100 blocks`. */
export function lifetimeText({ unit, amount }: LifetimeView): string {
  if (unit === "blocks") return `${amount} ${amount === 1 ? "block" : "blocks"}`
  const name = NAMES.find((each) => amount % (SECONDS[each] ?? 1) === 0) ?? "s"
  return `${amount / (SECONDS[name] ?? 1)} ${name}`
}
