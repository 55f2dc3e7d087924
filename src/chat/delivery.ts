/**
 * How far a message provably got (DESIGN §10). A state is only ever entered on evidence, and never left backwards: a receipt may
 * overtake the news that a neighbour took the envelope.
 */

/** In order of progress; the index is what the store keeps, so entries are only ever appended. */
export const DELIVERIES = ["queued", "gossiped", "ordered", "delivered", "read"] as const
export type Delivery = (typeof DELIVERIES)[number]

export function further(a: Delivery, b: Delivery): Delivery {
  return DELIVERIES.indexOf(a) >= DELIVERIES.indexOf(b) ? a : b
}
