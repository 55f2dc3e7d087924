/**
 * Published test vectors, read where the sources keep them: test/vectors is data and never built. What a file holds is for
 * the reader to say, so this gives `unknown`. Field by field the files are as their authors wrote them; see each ORIGIN.md.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** From dist/test/helpers. */
const VECTORS = new URL("../../../test/vectors/", import.meta.url)

/** Parsed JSON of test/vectors/`path`. */
export const readVectors = (path: string): unknown =>
  JSON.parse(readFileSync(fileURLToPath(new URL(path, VECTORS)), "utf8"))
