/**
 * What a judge says of something a peer sent. A peer that is wrong is a value, never an exception: `ignore` drops it without
 * blame (an honest neighbour may have sent it in good faith), `reject` costs the sender standing.
 */
export type Verdict<Code extends string = string> =
  { readonly verdict: "accept" } | { readonly verdict: "ignore" | "reject"; readonly code: Code }

export const ACCEPT = { verdict: "accept" } as const
export const ignore = <Code extends string>(code: Code) => ({ verdict: "ignore", code }) as const
export const reject = <Code extends string>(code: Code) => ({ verdict: "reject", code }) as const
