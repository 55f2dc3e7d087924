/** Composed nodes in this process: real store in a directory of the test's, real libp2p over loopback, the API called directly. */
import { join } from "node:path"
import type { TestContext } from "node:test"
import type { Api, Message, Method, Params, Result } from "../../src/node/api/types.ts"
import { type RunningNode, startNode } from "../../src/node/node.ts"
import type { NodeOptions } from "../../src/node/node-options.ts"
import { temporaryDirectory } from "./temporary.ts"
import { until } from "./wait.ts"

const LOOPBACK = ["/ip4/127.0.0.1/tcp/0"]

/** One profile over several lives of its process. */
export class TestNode {
  readonly dataDir: string
  readonly logs: string[] = []
  readonly #options: Partial<NodeOptions>
  #running: RunningNode | undefined

  constructor(t: TestContext, options: Partial<NodeOptions> = {}) {
    this.dataDir = options.dataDir ?? join(temporaryDirectory(t), "profile")
    this.#options = options
    t.after(() => this.stop())
  }

  async start(more: Partial<NodeOptions> = {}): Promise<this> {
    this.#running = await startNode({
      dataDir: this.dataDir,
      socketPath: join(this.dataDir, "run", "node.sock"),
      listen: LOOPBACK,
      testnet: true,
      log: (line) => this.logs.push(line),
      ...this.#options,
      ...more,
    })
    return this
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
    this.#running = undefined
  }

  get api(): Api {
    if (this.#running === undefined) throw new Error("the node is not running")
    return this.#running.api
  }

  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    return this.api.call(method, params)
  }

  create(name: string, passphrase: string | null, ticket?: string) {
    const invited = ticket === undefined ? {} : { ticket }
    return this.call("profile.create", { name, passphrase, ...invited })
  }

  async ticket(): Promise<string> {
    return (await this.call("mesh.ticket", {})).ticket
  }

  async messages(thread: string): Promise<readonly Message[]> {
    const { contacts } = await this.call("contacts.list", {})
    if (!contacts.some(({ name }) => name === thread)) return []
    return (await this.call("messages.page", { thread, limit: 500 })).messages
  }

  async texts(thread: string): Promise<string[]> {
    return (await this.messages(thread)).map(({ text }) => text)
  }

  untilText(thread: string, text: string): Promise<void> {
    return until(`"${text}" from ${thread}`, async () => (await this.texts(thread)).includes(text))
  }
}

export const newNode = (t: TestContext, options?: Partial<NodeOptions>): Promise<TestNode> =>
  new TestNode(t, options).start()

/** Two people add each other by address and are both told that it worked. */
export async function acquaint(
  one: TestNode,
  other: TestNode,
  names: { readonly one: string; readonly other: string },
): Promise<void> {
  const [first, second] = await Promise.all([one.call("id", {}), other.call("id", {})])
  await one.call("contacts.add", { code: second.address, name: names.other })
  await other.call("contacts.add", { code: first.address, name: names.one })
  for (const node of [one, other])
    await until("both to be in contact", async () =>
      (await node.call("contacts.list", {})).contacts.some(({ state }) => state === "accepted"),
    )
}
