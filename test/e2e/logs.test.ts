/**
 * What a node writes down about what it does, at the level it has by default: everything that two real processes print while people
 * meet, talk, mistype, block, restart and are sent rubbish; and every error that a call can end in.
 */
import assert from "node:assert/strict"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { type Address, addressBytes } from "../../src/crypto/address.ts"
import { connectApi } from "../../src/node/api/client.ts"
import { ApiError } from "../../src/node/api/errors.ts"
import type { Api } from "../../src/node/api/types.ts"
import { ended, REAL, start } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { found, timeTraces, tracesOf } from "../helpers/traces.ts"
import { until } from "../helpers/wait.ts"

const PASSPHRASE = "nine lives of the ginger cat"
const NAMES = { alice: "Aliénor of Aquitaine", bob: "Bohemond of Taranto" }
const PETNAMES = { alice: "my sister's friend", bob: "the man at the harbour" }
const TEXTS = ["the ships sail before dawn", "bring the lantern and the letters"]
const WRONG = "the ginger cat has nine lives"

/** A real node over several lives, with all that it ever printed. */
class Printing {
  readonly data: string
  readonly printed: string[] = []
  #child: ChildProcessWithoutNullStreams | undefined
  #api: Api | undefined

  constructor(t: TestContext) {
    this.data = join(temporaryDirectory(t), "profile")
    t.after(() => this.stop())
  }

  get api(): Api {
    return this.#api ?? assert.fail("not running")
  }

  async start(): Promise<this> {
    const listen = "--listen=/ip4/127.0.0.1/tcp/0"
    const child = start(["--data", this.data, "node", "--testnet", listen], { script: REAL })
    this.#child = child
    child.stderr.on("data", (chunk: Buffer) => this.printed.push(chunk.toString()))
    const [ready] = (await once(child.stdout, "data")) as [Buffer]
    this.printed.push(ready.toString())
    child.stdout.on("data", (chunk: Buffer) => this.printed.push(chunk.toString()))
    this.#api = await connectApi(join(this.data, "run", "node.sock"))
    return this
  }

  async stop(): Promise<void> {
    await this.#api?.close()
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    child.kill("SIGTERM")
    await ended(child)
  }
}

/** Everything an error says, to the bottom of its causes. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code = "", hint = "" } = error as { code?: string; hint?: string }
  return [String(error), error.stack, code, hint, wordsOf(error.cause)].join("\n")
}

async function texts(api: Api, thread: string): Promise<string[]> {
  const { contacts } = await api.call("contacts.list", {})
  if (!contacts.some(({ name }) => name === thread)) return []
  return (await api.call("messages.page", { thread, limit: 100 })).messages.map(({ text }) => text)
}

describe("the log of a node", () => {
  it("and its errors name no person, text, passphrase, key or time", async (t) => {
    const began = Date.now()
    const errors: string[] = []
    const refused = async (what: Promise<unknown>) => {
      await assert.rejects(what, (error) => {
        errors.push(wordsOf(error))
        return error instanceof ApiError
      })
    }
    const [alice, bob] = [await new Printing(t).start(), await new Printing(t).start()]
    const made = await alice.api.call("profile.create", {
      name: NAMES.alice,
      passphrase: PASSPHRASE,
    })
    const { ticket } = made
    await refused(bob.api.call("profile.create", { name: NAMES.bob, passphrase: "cat", ticket }))
    await refused(
      bob.api.call("profile.create", {
        name: NAMES.bob.repeat(9),
        passphrase: PASSPHRASE,
        ticket,
      }),
    )
    await refused(
      bob.api.call("profile.create", {
        name: NAMES.bob,
        passphrase: PASSPHRASE,
        ticket: `${ticket}q`,
      }),
    )
    await bob.api.call("profile.create", { name: NAMES.bob, passphrase: PASSPHRASE, ticket })
    await refused(alice.api.call("profile.create", { name: NAMES.alice, passphrase: PASSPHRASE }))
    const people = [await alice.api.call("id", {}), await bob.api.call("id", {})] as const
    const [a, b] = [people[0].address, people[1].address]

    await alice.api.call("contacts.add", { code: b, name: PETNAMES.bob })
    await bob.api.call("contacts.add", { code: a, name: PETNAMES.alice })
    for (const text of TEXTS) {
      await alice.api.call("messages.send", { to: PETNAMES.bob, text })
      await until("the text", async () => (await texts(bob.api, PETNAMES.alice)).includes(text))
    }
    await refused(alice.api.call("contacts.add", { code: a }))
    await refused(alice.api.call("contacts.add", { code: b.slice(0, -1) }))
    await refused(alice.api.call("messages.send", { to: NAMES.alice, text: TEXTS[0] ?? "" }))
    await refused(alice.api.call("messages.send", { to: b, text: TEXTS.join(" ").repeat(400) }))
    await refused(alice.api.call("messages.page", { thread: NAMES.alice, limit: 5 }))
    await refused(alice.api.call("mesh.join", { ticket: ticket.slice(0, -3) }))
    await refused(
      // what no screen of ours would send
      alice.api.call("messages.send", { to: PETNAMES.bob, text: [TEXTS[0]] } as never),
    )
    await alice.api.call("contacts.block", { contact: PETNAMES.bob })
    await refused(alice.api.call("messages.send", { to: PETNAMES.bob, text: TEXTS[0] ?? "" }))
    await bob.api.call("messages.send", { to: PETNAMES.alice, text: TEXTS[1] ?? "" })
    await alice.stop()
    await alice.start()
    await refused(alice.api.call("unlock", { passphrase: WRONG }))
    await refused(alice.api.call("id", {}))
    await alice.api.call("unlock", { passphrase: PASSPHRASE })
    await alice.api.call("contacts.remove", { contact: b })
    await alice.stop()
    await bob.stop()

    const traces = [
      ...[PASSPHRASE, WRONG].flatMap((each) => tracesOf("passphrase", each)),
      ...[...Object.values(NAMES), ...Object.values(PETNAMES)].flatMap((n) => tracesOf("name", n)),
      ...TEXTS.flatMap((text) => tracesOf("text", text)),
      ...[a, b].flatMap((each) => [
        ...tracesOf("address", each),
        // also a part of it
        ...tracesOf("address", each.slice(0, 16)),
        ...tracesOf("root key", addressBytes(each as Address).subarray(0, 32)),
      ]),
      ...tracesOf("ticket", ticket),
      ...timeTraces(began, Date.now()),
    ]
    const printed = [...alice.printed, ...bob.printed].join("")
    t.diagnostic(`${printed.length} characters printed, ${errors.length} errors`)
    assert.match(printed, /^Ready: /m)
    assert.deepEqual(found("what was printed", Buffer.from(printed), traces), [])
    assert.deepEqual(found("an error", Buffer.from(errors.join("\n")), traces), [])
  })
})
