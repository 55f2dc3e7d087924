/**
 * Chat without a network, for a command that only looks: nothing arrives, nobody is found, nothing leaves. Which calls such a node
 * takes stands here too; every other would begin something that nobody goes on with.
 */
import { ApiError } from "../api/errors.ts"
import type { Method } from "../api/types.ts"
import type { ChatParts } from "./parts.ts"

const READING: ReadonlySet<Method> = new Set<Method>([
  "status",
  "id",
  "unlock",
  "contacts.list",
  "threads.list",
  "groups.show",
  "messages.page",
  "messages.search",
  "threads.read",
  "backup.write",
  "stop",
])

/** Throws ApiError INTERNAL: a command asked for more than it said it would. */
export function mustOnlyRead(method: Method): void {
  if (!READING.has(method)) throw noNetwork()
}

const noNetwork = () => new ApiError("INTERNAL", "this node runs without a network")

type Absent =
  "mailbox" | "findCard" | "findKeyPackage" | "admit" | "isStale" | "order" | "readsOnly"

export const NOBODY_THERE: Pick<ChatParts, Absent> = {
  mailbox: {
    entriesAfter: () => Promise.resolve([]),
    missing: () => Promise.resolve([]),
    getMany: () => Promise.resolve([]),
    byTag: () => Promise.resolve([]),
    post: () => Promise.reject(noNetwork()),
  },
  findCard: () => Promise.reject(noNetwork()),
  findKeyPackage: () => Promise.reject(noNetwork()),
  admit: () => Promise.reject(noNetwork()),
  isStale: () => false,
  order: "arrival",
  readsOnly: true,
}
