/**
 * What shows a message to somebody else (chat/evidence.ts), one record for each payload that brought words, under the first of them; the
 * others name that one. It opens the whole payload, so when any of its words goes, it goes.
 */
import {
  decodeEvidence,
  encodeEvidence,
  type Evidence,
  type EvidenceRecord,
} from "../../chat/evidence.ts"
import type { ChatMessage } from "../../chat/message.ts"
import type { Address } from "../../crypto/address.ts"
import { type Bytes, equal, toHex } from "../../crypto/bytes.ts"
import type { Sealed, SealedOp } from "../store/sealed.ts"

export const EVIDENCE_GROUP = "evidence"

/** Whose words, and their id: nobody gets in the way of another's by taking their id. */
export interface Words {
  readonly by: Address
  /** Of a text or an edit, 16 bytes. */
  readonly id: Bytes
}

const nameOf = ({ by, id }: Words): string => `${toHex(id)} ${by}`

/** What a step keeps. */
export class KeptEvidence {
  readonly records = new Map<string, Words & { readonly record: EvidenceRecord }>()
  /** Of these what was kept before goes. */
  readonly dropped: Words[] = []

  /** One payload's evidence, for these of its contents. */
  put(by: Address, contents: readonly Bytes[], evidence: Evidence): void {
    const [owner, ...others] = contents
    if (owner === undefined) return
    const keep = (id: Bytes, record: EvidenceRecord) =>
      this.records.set(nameOf({ by, id }), { by, id, record })
    keep(owner, { kind: "evidence", evidence })
    for (const each of others) keep(each, { kind: "beside", owner })
  }

  /** These words go, and whatever of this step opens them. */
  forget(words: Words): void {
    const kept = this.records.get(nameOf(words))?.record
    if (kept?.kind === "beside") this.records.delete(nameOf({ by: words.by, id: kept.owner }))
    this.records.delete(nameOf(words))
  }
}

export class EvidenceRecords {
  readonly #sealed: Sealed

  constructor(sealed: Sealed) {
    this.#sealed = sealed
  }

  #key = (words: Words) => this.#sealed.key(EVIDENCE_GROUP, nameOf(words))

  async #record(words: Words): Promise<EvidenceRecord | undefined> {
    const bytes = await this.#sealed.find(this.#key(words))
    return bytes && decodeEvidence(bytes)
  }

  async of(words: Words): Promise<Evidence | undefined> {
    const own = await this.#record(words)
    const { by } = words
    const record = own?.kind === "beside" ? await this.#record({ by, id: own.owner }) : own
    return record?.kind === "evidence" ? record.evidence : undefined
  }

  async has(words: Words): Promise<boolean> {
    return (await this.#record(words)) !== undefined
  }

  /** What a step writes: what it keeps, and that whatever opens words that go goes with them. */
  async changed(kept: KeptEvidence, gone: readonly Words[]): Promise<SealedOp[]> {
    for (const words of gone) kept.forget(words)
    const ops = await this.#forget([...gone, ...kept.dropped])
    for (const { record, ...words } of kept.records.values())
      ops.push(this.#sealed.put(this.#key(words), encodeEvidence(record)))
    return ops
  }

  async #forget(all: readonly Words[]): Promise<SealedOp[]> {
    if (all.length === 0) return []
    const found = await this.#sealed.findMany(all.map(this.#key))
    return all.flatMap((words, i) => {
      const bytes = found[i]
      if (bytes === undefined) return []
      const record = decodeEvidence(bytes)
      const { by } = words
      const owner = record.kind === "beside" ? [{ by, id: record.owner }] : []
      return [words, ...owner].map((each) => this.#sealed.del(this.#key(each)))
    })
  }
}

/** The words of a message, as it said them and as the edit that counts does. */
export function wordsOf({
  author: by,
  id,
  edited,
}: Pick<ChatMessage, "author" | "id" | "edited">): Words[] {
  return edited === null
    ? [{ by, id }]
    : [
        { by, id },
        { by, id: edited.id },
      ]
}

/** Words that a step takes away: of messages that go or were deleted, and of edits that another one has replaced. */
export function wordsGoneIn(step: {
  readonly messages: readonly { readonly message: ChatMessage; readonly before?: ChatMessage }[]
  readonly gone: readonly { readonly message: ChatMessage }[]
}): Words[] {
  const replaced = step.messages.flatMap(({ message, before }) => {
    if (before === undefined) return []
    const left = message.deleted ? [] : wordsOf(message)
    return wordsOf(before).filter(({ id }) => !left.some((each) => equal(each.id, id)))
  })
  return [...replaced, ...step.gone.flatMap(({ message }) => wordsOf(message))]
}
