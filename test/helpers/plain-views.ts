/** What most messages and threads have nothing of, as the API shows them. */
import type { Message, ThreadSummary } from "../../src/node/api/types.ts"

export const PLAIN_MESSAGE = {
  receipts: null,
  late: false,
  again: false,
  place: null,
  replyTo: null,
  mentions: [],
  edited: null,
  deleted: false,
  reactions: [],
  lifetime: null,
  sets: null,
  notice: null,
  file: null,
} as const satisfies Partial<Message>

export const PLAIN_THREAD = {
  mentions: 0,
  lifetime: null,
  tells: { read: false, typing: false },
  lacks: 0,
  postQuantumSignatures: false,
} as const satisfies Partial<ThreadSummary>
