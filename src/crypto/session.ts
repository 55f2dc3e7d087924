/**
 * Sessions: end-to-end encrypted groups of two or more, MLS (RFC 9420) over ts-mls with sotto's own hybrid post-quantum cipher
 * suite. This is the door; nothing else of session/ is imported from outside.
 *
 * Every operation takes an immutable state and returns the next one. A commit is made beside the state and merged when it counts;
 * which of several commits counts is for the ledger to say, not for this file. Whom a leaf key belongs to is for the caller to
 * check (cards). Nothing here does I/O, looks at a clock, or keeps anything between calls but imported keys.
 */
export { type Member } from "./session/credential.ts"
export {
  type IgnoreCode,
  type KeyPackageCode,
  SessionError,
  type SessionErrorCode,
} from "./session/errors.ts"
export {
  addMembers,
  changeGroup,
  type Changes,
  createGroup,
  mergeCommit,
  type PendingAddition,
  type PendingCommit,
  readmitMembers,
  removeMembers,
  updateSelf,
} from "./session/group.ts"
export { type Joined, joinFromWelcome, welcomeRecipients } from "./session/join.ts"
export {
  createKeyPackage,
  inspectKeyPackage,
  keyPackageReference,
  keyPackageSigning,
  type KeyPackagePair,
  type KeyPackageRequest,
  type KeyPackageVerdict,
} from "./session/keypackage.ts"
export * as sessionLimits from "./session/limits.ts"
export { type CommitChanges, type Newcomer } from "./session/commit.ts"
export { encrypt, peek, process, type Processed } from "./session/messages.ts"
export { isStatementOf, signStatement } from "./session/statement.ts"
export { type Opening, readShown, type Shown, type ShownFault } from "./session/opening.ts"
export {
  aboutOf,
  decodeState,
  encodeState,
  epochMark,
  epochOf,
  exportSecret,
  groupIdOf,
  isMember,
  isStanding,
  members,
  ownLeaf,
  ratchetsOf,
  rememberEpochs,
  type SessionState,
  signingOf,
  standingOf,
  standingParts,
  withRatchets,
} from "./session/state.ts"
export {
  generateSignatureSeed,
  PUBLIC_BYTES as SIGNATURE_KEY_BYTES,
  signaturePublicOf,
  type Signing,
  SIGNINGS,
} from "./session/signature.ts"
