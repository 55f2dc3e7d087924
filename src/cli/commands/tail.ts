/**
 * `sotto tail`: messages as they come, one JSON object a line for bots. Subscribes before it reads the page it begins with, so
 * that nothing falls between the two; a message is printed once.
 */
import type { Api, ApiEvent, Message } from "../../node/api/types.ts"
import { withIdentity } from "../attach.ts"
import type { Context } from "../context.ts"
import { CliError } from "../failure.ts"
import { namesOf, printMessage } from "../messages.ts"

/** Ids of printed messages that are remembered. */
const PRINTED_MAX = 10_000

export async function run(context: Context): Promise<void> {
  await withIdentity(context, ({ api }) => new Tail(context, api).follow())
}

class Tail {
  readonly #context: Context
  readonly #api: Api
  readonly #printed = new Set<string>()
  readonly #left: number
  readonly #end = Promise.withResolvers<undefined>()
  #thread: string | null = null
  #wanted: (message: Message) => boolean = () => true
  #names: ReadonlyMap<string, string> = new Map()
  /** Events that came before the beginning was printed. */
  #held: ApiEvent[] | null = []
  #count = 0

  constructor(context: Context, api: Api) {
    this.#context = context
    this.#api = api
    this.#left = context.number("count", 1, 1e9) ?? Number.POSITIVE_INFINITY
  }

  async follow(): Promise<void> {
    const { signal } = this.#context
    const timeoutMs = this.#context.timeMs("timeout")
    const stop = this.#api.events((event) => {
      if (this.#held === null) this.#take(event)
      else this.#held.push(event)
    })
    const stopClosed = this.#api.closed((reason) =>
      this.#end.reject(new CliError("OFFLINE", `the node went away (${reason})`, "follow again")),
    )
    const interrupted = () => this.#end.reject(signal.reason)
    signal.addEventListener("abort", interrupted, { once: true })
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => this.#timeUp(), timeoutMs)
    try {
      // The end may come while the beginning is still being read.
      await Promise.race([this.#begin(), this.#end.promise])
      await this.#end.promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener("abort", interrupted)
      stopClosed()
      stop()
    }
  }

  async #begin(): Promise<void> {
    const { args, signal, out } = this.#context
    const limit = this.#context.number("limit", 0, 500) ?? 0
    const [reference] = args
    // Even for none to print: an unknown thread or a locked vault must be told now, not by silence.
    const { threads } = await this.#api.call("threads.list", {}, { signal })
    if (reference !== undefined) await this.#choose(reference)
    if (!out.json) this.#names = await namesOf(this.#api, signal)
    if (limit > 0) {
      const all = reference === undefined ? threads.map(({ id }) => id) : []
      const ids = this.#thread === null ? all : [this.#thread]
      const pages = await Promise.all(
        ids.map((thread) => this.#api.call("messages.page", { thread, limit }, { signal })),
      )
      const messages = pages.flatMap((page) => page.messages)
      if (ids.length > 1) messages.sort((a, b) => a.sentAtMs - b.sentAtMs)
      for (const message of messages.slice(-limit)) this.#print(message)
    }
    const held = this.#held ?? []
    this.#held = null
    for (const event of held) this.#take(event)
  }

  /** Which messages are meant. A contact one has not spoken with yet has no thread: then whatever they write first. */
  async #choose(reference: string): Promise<void> {
    const { signal } = this.#context
    const { messages } = await this.#api.call(
      "messages.page",
      { thread: reference, limit: 1 },
      { signal },
    )
    const { contacts } = await this.#api.call("contacts.list", {}, { signal })
    const contact =
      contacts.find(({ name }) => name === reference) ??
      contacts.find(
        ({ name, address }) => name.startsWith(reference) || address.startsWith(reference),
      )
    const thread = messages[0]?.thread ?? (/^[0-9a-f]{32}$/.test(reference) ? reference : null)
    this.#wanted = (message) =>
      thread === null ? message.author === contact?.address : message.thread === thread
    this.#thread = thread
  }

  #take(event: ApiEvent): void {
    if (event.type === "message") this.#print(event.message)
    else if (this.#context.out.json && this.#context.flag("all")) this.#context.out.object(event)
    if (event.type === "contact")
      this.#names = new Map([...this.#names, [event.contact.address, event.contact.name]])
  }

  #print(message: Message): void {
    if (!this.#wanted(message)) return
    if (this.#count >= this.#left || this.#printed.has(message.id)) return
    this.#printed.add(message.id)
    if (this.#printed.size > PRINTED_MAX)
      for (const oldest of this.#printed) {
        this.#printed.delete(oldest)
        break
      }
    const { out } = this.#context
    if (out.json) out.object({ type: "message", message })
    else printMessage(out, message, this.#names)
    this.#count++
    if (this.#count >= this.#left) this.#end.resolve(undefined)
  }

  #timeUp(): void {
    // Without --count there is nothing that was waited for in vain.
    if (this.#left === Number.POSITIVE_INFINITY) this.#end.resolve(undefined)
    else this.#end.reject(new CliError("TIMEOUT", `${this.#count} of ${this.#left} messages came`))
  }
}
