/**
 * What shows a message to somebody else (chat/evidence.ts), one record for each payload that brought words, under the first of them; the
 * others name that one. It opens the whole payload, so when any of its words goes, it goes.
 */
import {
  decodeEvidence,
  encodeEvidence,
  type Evidence,
  type EvidenceRecord,
} from "../chat/evidence.ts"
import { type Bytes, fromHex, toHex } from "../crypto/bytes.ts"
import type { Sealed, SealedOp } from "./sealed.ts"

export const EVIDENCE_GROUP = "evidence"

/** What a step keeps. */
export class KeptEvidence {
  /** By the hexadecimal ids of texts and edits. */
  readonly records = new Map<string, EvidenceRecord>()
  /** Of these something else was kept before. */
  readonly replaced: Bytes[] = []

  /** One payload's evidence, for these of its contents. */
  put(contents: readonly Bytes[], evidence: Evidence): void {
    const [owner, ...others] = contents
    if (owner === undefined) return
    this.records.set(toHex(owner), { kind: "evidence", evidence })
    for (const each of others) this.records.set(toHex(each), { kind: "beside", owner })
  }

  /** These words go, and whatever of this step opens them. */
  forget(content: Bytes): void {
    const record = this.records.get(toHex(content))
    if (record?.kind === "beside") this.records.delete(toHex(record.owner))
    this.records.delete(toHex(content))
  }
}

export class EvidenceRecords {
  readonly #sealed: Sealed

  constructor(sealed: Sealed) {
    this.#sealed = sealed
  }

  #key = (content: Bytes) => this.#sealed.key(EVIDENCE_GROUP, toHex(content))

  async #record(content: Bytes) {
    const bytes = await this.#sealed.find(this.#key(content))
    return bytes && decodeEvidence(bytes)
  }

  /** Of a text or an edit, by its id (16 bytes). */
  async of(content: Bytes): Promise<Evidence | undefined> {
    const own = await this.#record(content)
    const record = own?.kind === "beside" ? await this.#record(own.owner) : own
    return record?.kind === "evidence" ? record.evidence : undefined
  }

  async has(content: Bytes): Promise<boolean> {
    return (await this.#record(content)) !== undefined
  }

  /** What a step writes: what it keeps, and that whatever opens words that go (by their ids) goes with them. */
  async changed(kept: KeptEvidence, gone: readonly Bytes[]): Promise<SealedOp[]> {
    for (const content of gone) kept.forget(content)
    const ops = await this.#forget([...gone, ...kept.replaced])
    for (const [content, record] of kept.records)
      ops.push(this.#sealed.put(this.#key(fromHex(content)), encodeEvidence(record)))
    return ops
  }

  async #forget(contents: readonly Bytes[]): Promise<SealedOp[]> {
    if (contents.length === 0) return []
    const keys = contents.map(this.#key)
    const found = await this.#sealed.findMany(keys)
    return keys.flatMap((key, i) => {
      const bytes = found[i]
      if (bytes === undefined) return []
      const record = decodeEvidence(bytes)
      const owner = record.kind === "beside" ? [this.#sealed.del(this.#key(record.owner))] : []
      return [this.#sealed.del(key), ...owner]
    })
  }
}

/** The ids under which a message's words are kept: its own, and that of the edit that counts. */
export const wordsOf = (message: {
  readonly id: Bytes
  readonly edited: { readonly id: Bytes } | null
}): Bytes[] => (message.edited === null ? [message.id] : [message.id, message.edited.id])
