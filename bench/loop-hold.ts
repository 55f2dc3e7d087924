/**
 * How long one turn of the event loop held it at most, in processor time of this thread: what the work itself takes, whatever else the
 * machine does meanwhile.
 */
export function watchLoop(): { readonly stop: () => number } {
  let max = 0
  let stopped = false
  const used = () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  let last = used()
  const turn = () => {
    if (stopped) return
    const now = used()
    max = Math.max(max, now - last)
    last = now
    setImmediate(turn)
  }
  setImmediate(turn)
  return {
    stop() {
      stopped = true
      return max
    },
  }
}
