/** Messages that brought files, for whoever fetches them. */
import type { ChatMessage } from "../../chat/message.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import type { ChatBook } from "./book.ts"
import { messageView } from "./view.ts"
import type { FileMessage } from "../files/files.ts"

/** The file that a message brought, if there is such a message and it brought one. */
export async function fileOf(book: ChatBook, id: Bytes): Promise<FileMessage | undefined> {
  const found = await book.records.findMessage(id)
  return found && fileMessage(book, found)
}

/** Messages that brought files, the newest first; of one thread (its id) or of all. */
export async function filesIn(
  book: ChatBook,
  thread: Bytes | undefined,
  limit: number,
): Promise<FileMessage[]> {
  const found = await book.records.files(limit, thread)
  return found.flatMap((each) => fileMessage(book, each) ?? [])
}

function fileMessage(
  book: ChatBook,
  { thread: id, message }: { thread: Bytes; message: ChatMessage },
): FileMessage | undefined {
  const thread = book.threads.get(toHex(id))
  const { file } = message
  if (thread === undefined || file === undefined) return undefined
  return { message: messageView(book, thread, message), file }
}
