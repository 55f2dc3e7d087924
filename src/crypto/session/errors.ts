/**
 * What a session operation can refuse to its own caller. What peers send is never answered with an error, but with a value that
 * carries an `IgnoreCode`: the sender is wrong or late, and nobody here can do anything about it.
 */
import { CodedError } from "../errors.ts"

export type SessionErrorCode =
  /** Bytes that are not a state of this version: damaged, truncated, or something else altogether. */
  | "BAD_STATE"
  /** A key package that `inspectKeyPackage` refuses. */
  | "BAD_KEY_PACKAGE"
  /** A private key package that was not made here, or does not belong to the public one. */
  | "BAD_PRIVATE_KEY_PACKAGE"
  /** The group goes on without us; nothing can be sent. */
  | "NOT_A_MEMBER"
  /** No leaf at that index, or our own. */
  | "NO_SUCH_MEMBER"
  /** Someone to be added is in the group already, or twice in the list. */
  | "ALREADY_A_MEMBER"
  /** A size in limits.ts would be passed. */
  | "TOO_LARGE"

export class SessionError extends CodedError<SessionErrorCode> {}

/** Why a key package was refused. */
export type KeyPackageCode =
  | "TOO_LARGE"
  | "MALFORMED"
  | "OTHER_SUITE"
  | "BAD_CREDENTIAL"
  | "BAD_KEY"
  | "BAD_SIGNATURE"
  | "UNKNOWN_EXTENSION"
  | "NOT_YET_VALID"
  | "EXPIRED"

/** Why a message or a Welcome was ignored. */
export type IgnoreCode =
  /** Longer than a message may be; not looked at. */
  | "TOO_LARGE"
  /** Not the one encoding of a message. */
  | "MALFORMED"
  /** MLS, but not the kind of message that this group exchanges. */
  | "UNEXPECTED_KIND"
  | "OTHER_SUITE"
  | "OTHER_GROUP"
  /** Of an epoch this member has not reached: a commit is missing. */
  | "FUTURE_EPOCH"
  /** Of an epoch whose keys are gone. */
  | "EPOCH_GONE"
  /** A commit or proposal of a past epoch: another commit won. */
  | "STALE_HANDSHAKE"
  /** Our own message, back from the network. */
  | "OWN_MESSAGE"
  /** Read before, or overtaken by so many others that its key is gone. */
  | "REPLAYED"
  /** Too many messages of its sender are missing before it. */
  | "TOO_FAR_AHEAD"
  /** Does not decrypt, or not signed by the member it claims. */
  | "NOT_AUTHENTIC"
  /** A kind of proposal that this program does not take part in, or one outside a commit. */
  | "UNWANTED_PROPOSAL"
  | "BAD_KEY_PACKAGE"
  /** A removal or an update without new path secrets: who was removed could read on. */
  | "PATH_MISSING"
  /** A member tried to become someone else. */
  | "IDENTITY_CHANGED"
  | "GROUP_FULL"
  /** Authentic, and yet not a valid next step of the group. */
  | "INVALID_COMMIT"
  /** A Welcome for other key packages than the one given. */
  | "NOT_FOR_US"
  /** A ratchet tree that is not one. */
  | "BAD_TREE"
  /** A commit to a group that we have left. */
  | "NOT_A_MEMBER"
