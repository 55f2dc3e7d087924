/** What is wrong with an exported message, in a sentence for whoever was given it. Total: a new fault cannot be forgotten. */
import type { ExportFault } from "../node/files/export-file.ts"

export const EXPORT_FAULTS: Readonly<Record<ExportFault, string>> = {
  NOT_AN_EXPORT: "this is no exported message, or not the whole of one",
  NEWER_EXPORT: "a newer sotto wrote it: update this one",
  BAD_CARD: "the author's card is not signed by the author",
  OTHER_CARD:
    "the key that signed it is not on the author's card: somebody else's card stands there",
  BAD_ENVELOPE: "an envelope does not open: it was altered, or is of another mesh",
  BAD_PAYLOAD: "its envelopes do not hold one whole message",
  BAD_MESSAGE: "its envelopes hold no message",
  OTHER_GROUP: "it is said to be of another conversation than it was written in",
  NOT_OPENED: "the message does not open: it was altered",
  BAD_SIGNATURE:
    "a signature is wrong: the author's under the message, or a validator's under a block",
  NO_SUCH_MESSAGE: "what the author signed holds no such message",
  WRONG_BLOCK: "a certificate is of another block",
  WRONG_STATE: "a block does not leave the state that is shown with it",
  WRONG_SET: "the validators are not those that the mesh's ledger named",
  WRONG_LINK: "the changes of the validators do not lead from the beginning to its block",
  BAD_SIGNERS: "a certificate counts a validator twice, or somebody who is none",
  NO_QUORUM: "too few validators have signed its block",
  NOT_ORDERED: "its block orders another envelope, not the one that carried it",
}
