/** Paths as people write them, for the node that reads and writes the files. */
import { stat } from "node:fs/promises"
import { homedir } from "node:os"
import { join, resolve } from "node:path"

/** A path as people write it: with their home as `~`, or from where the chat was started. */
export const absolute = (path: string): string =>
  resolve(path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(2)) : path)

/** Where files are saved when nobody says: where downloads go, if there is such a folder. */
export async function folderFor(folder: string | null): Promise<string> {
  if (folder !== null) return absolute(folder)
  const downloads = join(homedir(), "Downloads")
  const there = await stat(downloads).catch(() => null)
  return there?.isDirectory() === true ? downloads : homedir()
}
