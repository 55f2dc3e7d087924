/**
 * The days that a search names, as milliseconds since 1970 in this machine's time zone: 2026-11-20, 2026-11, 2026, today, yesterday, a
 * weekday (the last one that has begun), 7d or 2w ago. Each stands for its first moment.
 */
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

/** Undefined when that is no day. */
export function beginOfDay(text: string, nowMs: number): number | undefined {
  const now = new Date(nowMs)
  const daysAgo = (days: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).getTime()
  if (text === "today") return daysAgo(0)
  if (text === "yesterday") return daysAgo(1)
  const weekday = text.length < 3 ? -1 : WEEKDAYS.indexOf(text.slice(0, 3))
  if (weekday >= 0 && "sunday monday tuesday wednesday thursday friday saturday".includes(text))
    return daysAgo((now.getDay() - weekday + 7) % 7)
  const [, count, unit] = /^(\d{1,4})([dw])$/.exec(text) ?? []
  if (count !== undefined) return daysAgo(Number(count) * (unit === "w" ? 7 : 1))
  const [, year, month = "1", day = "1"] =
    /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$/.exec(text) ?? []
  if (year === undefined) return undefined
  const date = new Date(Number(year), Number(month) - 1, Number(day))
  const isThere = date.getMonth() === Number(month) - 1 && date.getDate() === Number(day)
  return isThere ? date.getTime() : undefined
}
