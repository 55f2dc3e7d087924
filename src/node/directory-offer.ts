/** Looks up an offer of key packages: of what opens under the address, the one with the highest sequence number. */
import { type Address, addressBytes } from "../crypto/address.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { type OfferKind, openOfferRecord } from "../crypto/offer-record.ts"
import { offerSequence } from "../crypto/one-time.ts"
import { deadline } from "./deadline.ts"
import { askDays, type AskParts, type Day, daysOf, LOOKUP_DEADLINE_MS } from "./directory-lookup.ts"

export interface FoundOffer {
  /** Encoded (one-time.ts). */
  readonly offer: Bytes
  readonly sequence: number
}

export interface OfferLookupOptions {
  readonly kind: OfferKind
  /** Offers with a lower sequence number are not looked at. */
  readonly atLeast: number
  readonly signal: AbortSignal
}

/** Rejects with the signal's reason, or CryptoError BAD_KEY for an address that can belong to nobody. */
export async function lookUpOffer(
  parts: AskParts,
  address: Address,
  { kind, atLeast, signal }: OfferLookupOptions,
): Promise<FoundOffer | undefined> {
  signal.throwIfAborted()
  const days = await daysOf(address, kind, parts.clock)
  const whole = deadline(parts.clock, LOOKUP_DEADLINE_MS, signal)
  const open = (record: Bytes, { epoch }: Day) => {
    const opened = openOfferRecord(addressBytes(address), epoch, record, kind)
    if (opened.verdict !== "accept" || opened.sequence < atLeast) return undefined
    const { payload, sequence } = opened
    return offerSequence(payload) === sequence ? { offer: payload, sequence } : undefined
  }
  try {
    const [best] = await askDays(parts, days, { open, signal: whole.signal })
    signal.throwIfAborted()
    return best?.value
  } finally {
    whole.clear()
  }
}
