/**
 * Errors a call can end in. `code` is stable; a screen maps it to a sentence and a next step.
 * In JSON-RPC: error code -32000, `data: {code, hint?}`.
 */
export type ApiErrorCode =
  | "NO_MESH"
  /** The mesh has no validators. */
  | "NO_LEDGER"
  /** Only an operator can do this, and this peer is no validator. */
  | "NOT_OPERATOR"
  | "UNKNOWN_PROPOSAL"
  | "UNKNOWN_MEMBER"
  /** Only an invitation makes members of this mesh, and there is none. */
  | "NOT_INVITED"
  /** The invitation's voucher has made a member already. */
  | "VOUCHER_USED"
  /** No operator vouches for it, or it is damaged. */
  | "BAD_VOUCHER"
  | "UNKNOWN_VALIDATOR"
  /** The ledger's state forbids this change now. */
  | "CHANGE_REFUSED"
  | "NO_IDENTITY"
  | "LOCKED"
  | "ALREADY_EXISTS"
  | "WRONG_PASSPHRASE"
  | "WEAK_PASSPHRASE"
  | "BAD_TICKET"
  | "OTHER_MESH"
  /** Nobody at the ticket's addresses answered. */
  | "UNREACHABLE"
  | "BAD_ADDRESS"
  | "UNKNOWN_CONTACT"
  | "AMBIGUOUS_CONTACT"
  | "UNKNOWN_THREAD"
  | "UNKNOWN_MESSAGE"
  /** Only its author can do that to a message. */
  | "NOT_YOURS"
  /** The message is too old to be said otherwise. */
  | "TOO_OLD"
  /** Nothing can be done to it: its words are gone, or it has none. */
  | "NO_WORDS"
  | "BAD_REACTION"
  /** What would show who signed a message was not kept, or is gone. */
  | "NO_EVIDENCE"
  /** No card of its author that names the key which signed it. */
  | "NO_CARD"
  /** The envelope that carried it is not kept any more. */
  | "ENVELOPE_GONE"
  /** It has no place in the order. */
  | "NOT_ORDERED"
  /** The signature covers other texts as well, and nobody said that they may be shown. */
  | "OTHERS_INSIDE"
  | "BLOCKED_CONTACT"
  /** The thread is one of two. */
  | "NOT_A_GROUP"
  | "NOT_ADMIN"
  /** Not in the group, or not any more. */
  | "NOT_A_MEMBER"
  /** Somebody runs a group: its last admin names another first. */
  | "LAST_ADMIN"
  | "GROUP_FULL"
  /** Our own identity is older than such keys; it gets one within a minute of being open. */
  | "NO_POST_QUANTUM_KEY"
  /** Somebody goes by the name of another contact, and the user has not decided about it. */
  | "IDENTITY_CHANGED"
  /** The safety number compared is not the one of this contact. */
  | "NUMBER_DIFFERS"
  /** The message brings no file. */
  | "NOT_A_FILE"
  /** Of this machine: no such file, or not a regular one, or it may not be read. */
  | "NO_FILE"
  | "NO_FOLDER"
  | "FILE_EXISTS"
  /** While it was being read. */
  | "FILE_CHANGED"
  | "FILE_TOO_LARGE"
  | "FILE_FAILED"
  | "CANCELLED"
  | "BLOB_TOO_LARGE"
  /** What the author sealed does not fit together. */
  | "BLOB_DAMAGED"
  /** Nobody who is there has it. */
  | "BLOB_MISSING"
  | "BLOBS_FULL"
  | "NOT_AN_IMAGE"
  | "IMAGE_TOO_LARGE"
  | "IMAGE_DAMAGED"
  | "MESSAGE_TOO_LONG"
  | "MESSAGE_EMPTY"
  | "QUEUE_FULL"
  | "BAD_QUERY"
  | "BAD_PARAMS"
  | "UNKNOWN_METHOD"
  | "BUSY"
  /** A file that a person named cannot be read or written. */
  | "BAD_FILE"
  /** No whole backup: altered, or cut off. */
  | "BAD_BACKUP"
  | "STORE_DAMAGED"
  | "STORE_NEWER"
  | "DISK_FULL"
  /** A file that the program came with is missing or is another one. */
  | "PROOF_FILES_DAMAGED"
  /** It cannot listen at the addresses that it was told. */
  | "LISTEN_FAILED"
  | "STOPPING"
  | "GONE"
  | "INTERNAL"
