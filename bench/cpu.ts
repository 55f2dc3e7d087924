/** Processor time of other processes: what a figure is made of, however many programs share the machine. */
import { readFileSync } from "node:fs"

/** The kernel counts in hundredths of a second (proc(5), fields 14 and 15 of stat). */
const TICK_MS = 10

/** Since it was started, all its threads; NaN where the kernel does not say. */
export function cpuMsOf(pid: number | undefined): number {
  if (pid === undefined || process.platform !== "linux") return NaN
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return TICK_MS * (Number(fields[11]) + Number(fields[12]))
}
