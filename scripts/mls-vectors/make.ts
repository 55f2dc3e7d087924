/**
 * Makes a vector of sotto's own cipher suite (0xF507), in the working group's format, for other implementations to follow. Fresh keys at
 * every run: a kept file is changed only when the suite is.
 *
 *     node dist/scripts/mls-vectors/make.js KIND > test/vectors/sotto/KIND.json
 */
import { passiveClientVector } from "./make-passive-client.ts"
import { lengthVectors, protectionVector, treeKemVector, welcomeVector } from "./make-parts.ts"

const MAKERS: Readonly<Record<string, () => Promise<readonly object[]>>> = {
  "passive-client-welcome": async () => [await passiveClientVector()],
  "message-protection": async () => [await protectionVector()],
  welcome: async () => [await welcomeVector()],
  treekem: async () => [await treeKemVector()],
  deserialization: () => Promise.resolve(lengthVectors()),
}

const make = MAKERS[process.argv[2] ?? ""]
if (make === undefined) {
  process.stderr.write(`make.js KIND    one of ${Object.keys(MAKERS).join(", ")}\n`)
  process.exitCode = 2
} else process.stdout.write(`${JSON.stringify(await make(), null, 1)}\n`)
