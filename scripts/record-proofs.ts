/**
 * Makes the membership proofs that tests use (test/helpers/membership-fixture.ts) and writes them down. A few minutes of one core. Proofs are
 * randomised, so the file differs each time; what it proves does not.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { toHex } from "../src/crypto/bytes.ts"
import { Prover } from "../src/node/membership/prove.ts"
import { FIXTURE, slots, taskOf } from "../test/helpers/membership-fixture.ts"

const prover = new Prover()
const all = slots()
const lines: string[] = []
for (const { member, slot } of all) {
  const { nullifier, proof } = await prover.prove(taskOf(member, slot))
  lines.push(JSON.stringify({ nullifier: toHex(nullifier), proof: toHex(proof) }))
  process.stderr.write(`\r${lines.length} of ${all.length}`)
}
await prover.stop()
mkdirSync(new URL(".", FIXTURE), { recursive: true })
writeFileSync(FIXTURE, `[\n${lines.join(",\n")}\n]\n`)
process.stderr.write("\n")
