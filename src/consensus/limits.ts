/**
 * Every bound of the ledger, in one place. What happens at the limit is said beside it. Nothing a peer sends can make a
 * replica hold more than these allow.
 */

export const DIGEST_BYTES = 32
export const ED25519_PUBLIC_BYTES = 32
export const ML_DSA_65_PUBLIC_BYTES = 1952
export const SLH_DSA_PUBLIC_BYTES = 32
export const ED25519_SIGNATURE_BYTES = 64
export const ML_DSA_65_SIGNATURE_BYTES = 3309
/** Both halves, one after the other. */
export const HYBRID_SIGNATURE_BYTES = ED25519_SIGNATURE_BYTES + ML_DSA_65_SIGNATURE_BYTES
export const SLH_DSA_SIGNATURE_BYTES = 7856

/** Heights in a term: checkpoint interval, watermark window and validator-set epoch at once (paper: K = 128). */
export const TERM_HEIGHTS = 128
/** Items a block may hold; a proposal with more is not decoded. */
export const BLOCK_ITEMS_MAX = 1024
/** Encoded bytes of a batch; a proposal with more is not decoded. */
export const BATCH_MAX_BYTES = 512 * 1024
/** As many as a genesis may have; more are refused by the rule for `validators` items. */
export const VALIDATORS_MAX = 100
/** Any one signature in any encoding. */
export const SIGNATURE_MAX_BYTES = 8192
/** Slots the primary keeps in flight. A P set holds at most a term's slots, in practice this many. */
export const PIPELINE_SLOTS = 16
/** A message on the wire; a longer frame is not read. A NEW-VIEW of 100 validators with a full pipeline stays below. */
export const MESSAGE_MAX_BYTES = 64 * 1024 * 1024
/** Blocks in one answer to a laggard; it asks again from where it got to. */
export const BLOCKS_PER_ANSWER = 64
/** Items in one REQUEST; the rest wait for the next. */
export const REQUEST_ITEMS_MAX = 64
/** Admitted items that wait for an order; the driver stops admitting above (back-pressure). */
export const POOL_ITEMS_MAX = 65_536
/** Votes relayed in answer to one STATUS; the next STATUS asks for the rest. */
export const STATUS_RELAY_MAX = 512
/**
 * Proposals among them with their batches, the lowest heights first. Everybody answers a STATUS, and what is missing is often only on its
 * way: all of a full pipeline from each of them would be more than what was late.
 */
export const STATUS_BATCHES_MAX = 4
/** Conflicting pairs kept for one signer and term; more prove nothing new. */
export const EVIDENCE_PER_SIGNER = 8
/** Messages of the next term that are held for one peer until the term opens; the oldest stays, a newer one is dropped. */
export const EARLY_MESSAGES_PER_PEER = 1024
/** Opaque proof bytes inside a membership item (voucher signature, proof of knowledge). */
export const ITEM_EVIDENCE_MAX_BYTES = 24 * 1024
/** Levels of the membership tree, so 1,048,576 members ever; at the limit nobody joins. As deep as the circuit. */
export const MEMBER_TREE_DEPTH = 20
/** Members added or removed by one `validators` item. */
export const SET_CHANGE_MAX = 16
/** Terms for which an operators' approval stays usable. */
export const APPROVAL_TERMS = 8
/** Proposals of operators that wait for approvals; another one is ignored. */
export const PROPOSALS_MAX = 64
/** The same for one operator, who else could leave no room for the others. */
export const PROPOSALS_PER_OPERATOR_MAX = 8
/** Periods for which spends and nullifiers are remembered after they were ordered; their proofs are unusable by then. */
export const SPEND_PERIODS = 2
/** Terms for which ids are remembered. */
export const RETENTION_TERMS = 4096
/** View-change timeouts double at most this often. */
export const DOUBLINGS_MAX = 6
/**
 * Batches of earlier views that a replica voted for and keeps in each slot; beyond it the oldest goes. A liar among the primaries can
 * have one more voted for in each view that it leads, and leads one in n.
 */
export const VOTED_BATCHES_MAX = 16
