/** A number with its noun: `1 peer`, `2 peers`, `12,345 envelopes`. `many` is for nouns that take more than an s. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`
