/**
 * What an MLS session may cost: every size that a peer can influence, and how far back and ahead keys are kept. A message over a
 * limit is ignored before it is decoded; an operation of our own that would pass one throws SessionError TOO_LARGE.
 */

/** Among a hundred members who have not committed yet a commit is about 180 KB; among five hundred, 840 KB, and a Welcome 900. */
export const MESSAGE_MAX_BYTES = 1 << 20
export const WELCOME_MAX_BYTES = 1 << 20
/** 3.5 KB, or 15 KB with composite signatures; with the card of who comes back, 52 KB. */
export const KEY_PACKAGE_MAX_BYTES = 60 * 1024
export const STATE_MAX_BYTES = 1 << 24
export const PLAINTEXT_MAX_BYTES = 1 << 16
export const AUTHENTICATED_MAX_BYTES = 1024
export const IDENTITY_MAX_BYTES = 256
export const GROUP_ID_MAX_BYTES = 64
/** What the members of a group agree on besides who they are. */
export const ABOUT_MAX_BYTES = 4096
/** A GroupContext as a shown message brings it: what the members agree on, and some 200 bytes. */
export const CONTEXT_MAX_BYTES = 6144
/** What a leaf says besides its keys. */
export const MARK_MAX_BYTES = 128
/** What a key package brings along for those who judge its mark. */
export const PROOF_MAX_BYTES = 44 * 1024
export const EXPORT_MAX_BYTES = 255 * 32

/**
 * Members of a group; a power of two, so the leaves of its ratchet tree, blank ones included, are never more. What travels
 * sets a lower limit (chat/group.ts).
 */
export const MEMBERS_MAX = 512
/** The same where everybody signs with ML-DSA-87 too: an invitation has 11 KB for each of them. */
export const COMPOSITE_MEMBERS_MAX = 64

/** Past epochs whose application messages can still be read. */
export const PAST_EPOCHS = 3
/** Keys kept for messages of a sender that were overtaken by later ones: how much reordering an epoch survives. */
export const OVERTAKEN_MESSAGES = 512
/** How far ahead of the last message read from a sender the next one may be. Each step costs a key derivation. */
export const MESSAGES_AHEAD = 512
