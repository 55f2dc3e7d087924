/**
 * Thread tags and one-message keys (DESIGN §5): both come from the exporter secret of an MLS epoch, by sender leaf and counter, so
 * that members recognise their envelopes with a map lookup and nobody else can tell two envelopes of a thread from two of strangers.
 *
 *   tag_i = HMAC-SHA3-256(tag key, leaf 4 ‖ counter 8), first 16 bytes       key_i = HKDF-SHA3-256(key key, leaf 4 ‖ counter 8), 32 bytes
 *
 * A counter is one sender's in one epoch, starts at 0, and is used for exactly one envelope.
 */
import { primitives } from "#primitives"
import { type Bytes, exactly, Writer } from "./bytes.ts"
import { TAG_BYTES } from "./envelope.ts"
import { derive } from "./kdf.ts"

/** Label under which the MLS exporter is asked for the epoch's envelope secret of 32 bytes. */
export const EXPORTER_LABEL = "sotto envelope"

export interface EpochKeys {
  readonly tags: Bytes
  readonly keys: Bytes
}

/** From the exporter secret, 32 bytes. */
export function epochKeys(exporterSecret: Bytes): EpochKeys {
  exactly(exporterSecret, 32, "exporter secret")
  const none = new Uint8Array(0)
  return {
    tags: derive("thread tags", exporterSecret, none, 32),
    keys: derive("thread keys", exporterSecret, none, 32),
  }
}

const position = (leaf: number, counter: number) => new Writer().u32(leaf).u64(counter).finish()

/** 16 bytes. */
export function threadTag(epoch: EpochKeys, leaf: number, counter: number): Bytes {
  return primitives.hmacSha3_256(epoch.tags, position(leaf, counter)).subarray(0, TAG_BYTES)
}

/** 32 bytes. */
export function threadKey(epoch: EpochKeys, leaf: number, counter: number): Bytes {
  return derive("thread message", epoch.keys, position(leaf, counter), 32)
}
