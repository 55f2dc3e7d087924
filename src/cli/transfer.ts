/**
 * Waits until a file has arrived where it goes, and shows on the way how far it is: a line that is written over at a terminal, a line
 * now and then elsewhere. Made before the file is asked for, so that no event is missed.
 */
import type { Api, Transfer } from "../node/api/types.ts"
import { transferText } from "../tui/widgets/transfers.ts"
import { CliError } from "./failure.ts"
import { neutralLine } from "./neutral.ts"
import type { Output } from "./output.ts"
import { nextStep } from "./sentences.ts"
import { API_ERROR_CODES, ApiError } from "../node/api/errors.ts"

/** Where no line can be written over, progress is said this often. */
const SAY_EVERY_MS = 10_000
const EARLY_MAX = 64

export class TransferWatch {
  readonly #out: Output
  readonly #early = new Map<string, Transfer>()
  readonly #end: () => void
  readonly #left = new AbortController()
  #id: string | null = null
  #last: Transfer | null = null
  #wake: () => void = () => undefined
  #saidAtMs = performance.now()
  #drawn = false

  constructor(api: Api, out: Output) {
    this.#out = out
    this.#end = api.events((event) => {
      if (event.type !== "transfer") return
      const { transfer } = event
      if (this.#id === null && this.#early.size < EARLY_MAX) this.#early.set(transfer.id, transfer)
      // what is being read has no answer yet, but is shown
      if (this.#id === null || this.#id === transfer.id) this.#show(transfer)
    })
    api.closed(() => this.#left.abort(new ApiError("GONE", "the node has gone away")))
  }

  /** The transfer once it is done. Throws ApiError with the code of its failure, or the signal's reason. */
  async ends(transfer: Transfer, signal: AbortSignal): Promise<Transfer> {
    this.#id = transfer.id
    this.#show(this.#early.get(transfer.id) ?? transfer)
    const until = AbortSignal.any([signal, this.#left.signal])
    while (this.#last?.state !== "done" && this.#last?.state !== "failed") {
      until.throwIfAborted()
      const { promise, resolve } = Promise.withResolvers<undefined>()
      this.#wake = () => resolve(undefined)
      until.addEventListener("abort", this.#wake, { once: true })
      await promise
      until.removeEventListener("abort", this.#wake)
    }
    const { failure, name } = this.#last
    if (failure === null) return this.#last
    throw failed(failure, name)
  }

  end(): void {
    this.#end()
    this.#clear()
  }

  #show(transfer: Transfer): void {
    this.#last = transfer
    this.#wake()
    if (this.#out.json || transfer.state === "done" || transfer.state === "failed") return
    if (process.stderr.isTTY && !this.#out.quiet) {
      process.stderr.write(`\r\u001b[K${neutralLine(transferText(transfer))}`)
      this.#drawn = true
    } else if (performance.now() - this.#saidAtMs > SAY_EVERY_MS) {
      this.#saidAtMs = performance.now()
      this.#out.say(transferText(transfer))
    }
  }

  #clear(): void {
    if (this.#drawn) process.stderr.write("\r\u001b[K")
    this.#drawn = false
  }
}

function failed(failure: string, name: string): Error {
  const code = API_ERROR_CODES.find((each) => each === failure)
  return code === undefined
    ? new CliError("REFUSED", `${name} did not arrive (${failure})`)
    : new ApiError(code, `${name} did not arrive (${failure})`, { hint: nextStep(code) })
}
