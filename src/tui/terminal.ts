/**
 * What the screen needs of a terminal beside painting: its keys, the modes that make it tell more, and giving it back to the
 * shell for a while.
 */
import { createDecoder, ESCAPE_WAIT_MS } from "./input.ts"
import type { InputEvent } from "./input.ts"

/** Bracketed paste and focus reports. */
export const MODES_ON = "\x1b[?2004h\x1b[?1004h"
export const MODES_OFF = "\x1b[?1004l\x1b[?2004l"

/** Asks what the terminal can do (DA1). Every terminal answers, and the answer is no key. */
export const ASK_ABILITIES = "\x1b[c"
/** Asks for the pixels of a cell; for terminals that have said that they draw sixels. */
export const ASK_CELL = "\x1b[16t"
/** Among the abilities: sixel graphics. */
export const SIXEL = 4

/** Our own decoder on the raw stream: Ink's loses function keys, and Enter when it shares a chunk with text. */
export function readKeys(
  stdin: NodeJS.ReadableStream,
  onEvent: (event: InputEvent) => void,
  onEnd: () => void,
): () => void {
  const decoder = createDecoder()
  let timer: NodeJS.Timeout | null = null
  const settle = () => {
    timer = null
    for (const event of decoder.flush()) onEvent(event)
  }
  const onData = (chunk: Uint8Array | string) => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    for (const event of decoder.push(chunk)) onEvent(event)
    if (decoder.pending) timer = setTimeout(settle, ESCAPE_WAIT_MS)
  }
  stdin.on("data", onData)
  stdin.once("end", onEnd)
  return () => {
    stdin.off("data", onData)
    stdin.off("end", onEnd)
    if (timer !== null) clearTimeout(timer)
  }
}

/** Ctrl-Z: the shell gets the terminal, and `fg` brings us back. */
export async function sleepUntilContinued(write: (sequence: string) => void): Promise<void> {
  if (process.platform === "win32") return
  write(MODES_OFF)
  // While the terminal is the shell's, neither the paused input nor a signal handler keeps this process alive.
  const alive = setInterval(() => undefined, 60_000)
  await new Promise<void>((resolve) => {
    process.once("SIGCONT", () => resolve())
    process.kill(process.pid, "SIGTSTP")
  })
  clearInterval(alive)
  write(MODES_ON)
}
