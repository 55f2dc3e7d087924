/**
 * Which of the two chats to start: the full screen, or line mode where a redrawn screen would be noise. Imports neither, so
 * that the command line can ask before it loads anything.
 */
export type Mode = "screen" | "line"

interface Stream {
  readonly isTTY?: boolean
}

/** Line mode for screen readers (`INK_SCREEN_READER`), dumb terminals, and whenever one end is not a terminal. */
export const chooseMode = (
  env: Readonly<Record<string, string | undefined>>,
  stdin: Stream,
  stdout: Stream,
): Mode => {
  const reader = env["INK_SCREEN_READER"] ?? ""
  if (reader !== "" && reader !== "false" && reader !== "0") return "line"
  if (env["TERM"] === "dumb" || stdin.isTTY !== true || stdout.isTTY !== true) return "line"
  return "screen"
}
