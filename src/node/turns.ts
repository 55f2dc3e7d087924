/** One thing at a time: steps that read and change shared state run one after the other, in the order they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  get waiting(): number {
    return this.#waiting
  }

  /** Runs `step` when all earlier ones have ended, however they ended. */
  async run<T>(step: () => Promise<T>): Promise<T> {
    this.#waiting++
    const turn = this.#last.then(step, step)
    this.#last = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      this.#waiting--
    }
  }

  /** Resolves when everything asked for so far has ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
