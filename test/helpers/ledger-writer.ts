/**
 * A process to kill: one validator of a set, alone, with a real disk and items that never end. Every vote it lets out is printed,
 * `type view height digest`. Arguments: its directory, the size of the set.
 */
import { randomBytes } from "node:crypto"
import { writeSync } from "node:fs"
import { join } from "node:path"
import { DEFAULT_TIMING } from "../../src/consensus/core.ts"
import { validatorSet } from "../../src/consensus/quorum.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import { LedgerChain } from "../../src/node/ledger/chain.ts"
import { LedgerDriver } from "../../src/node/ledger/driver.ts"
import { LedgerLog } from "../../src/node/ledger/wal.ts"
import { openStore } from "../../src/node/store/store.ts"
import { bench, work } from "../consensus/parts.ts"

const [directory = "", count = "1"] = process.argv.slice(2)
const parts = bench(Number(count), "fast", 128)
const { rules, ring } = parts
const { keys, sign } = parts.holderOf(validatorSet(rules.validators), 0)
const say = (line: string) => writeSync(1, `${line}\n`)
const nothing = () => undefined

const chain = await LedgerChain.open(await openStore(join(directory, "store")))
const driver = await LedgerDriver.start(await chain.replay(rules), {
  replica: {
    scheme: ring.scheme,
    ed25519: keys.ed25519,
    sign,
    timing: DEFAULT_TIMING,
    pipelineSlots: 16,
    nonce: process.pid,
  },
  chain,
  checks: { prove: () => Promise.resolve() },
  log: new LedgerLog({
    directory: join(directory, "ledger"),
    newMark: join(directory, "validator.new"),
    meshId: rules.meshId,
  }),
  send: (_, message) => {
    if ("digest" in message && "view" in message)
      say(`${message.type} ${message.view} ${message.height} ${toHex(message.digest)}`)
  },
  serve: nothing,
  want: nothing,
  lied: () => undefined,
  onBlock: ({ height, certificate }) => say(`block 0 ${height} ${toHex(certificate.digest)}`),
  seal: () => Promise.reject(new Error("not here")),
  note: (line) => say(`note ${line}`),
  onFault: (error) => {
    say(`fault ${String(error)}`)
    process.exit(1)
  },
})
say(`ready ${driver.standing} ${chain.height}`)
setInterval(() => {
  const items = Array.from({ length: 3 }, () => work(randomBytes(16).toString("hex")))
  driver.input({ type: "admit", items })
}, 2)
