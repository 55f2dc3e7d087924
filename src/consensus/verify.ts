/**
 * The judge: takes a decoded message and either vouches for it (`Verified`, a brand that nothing else makes) or says what is
 * wrong. Cheap checks first, signatures last. It believes nothing but signatures, and a signer only within its own seat, term
 * and mesh. Whether a true message is timely or useful is the core's business.
 */
import { equal } from "../crypto/bytes.ts"
import type { Bytes } from "../crypto/bytes.ts"
import { highMark, inWindow, lowMark } from "./block.ts"
import { certificateFault, preparedFault } from "./certificate.ts"
import { newViewPreimage, viewChangePreimage, votePreimage } from "./preimage.ts"
import type { Scheme } from "./hybrid.ts"
import { carriedBy } from "./new-view.ts"
import { primaryOf } from "./quorum.ts"
import type { ValidatorSet } from "./quorum.ts"
import type { Evidence, Message, NewView, Verified, ViewChange, Vote, Wrong } from "./types.ts"

/** What a message is judged against: one term of one mesh. */
export interface Court {
  readonly meshId: Bytes
  readonly scheme: Scheme
  readonly term: number
  readonly termHeights: number
  readonly set: ValidatorSet
}

const ignore = (code: string): Wrong => ({ verdict: "ignore", code })
const reject = (code: string): Wrong => ({ verdict: "reject", code })

const signedBy = (court: Court, signer: number, preimage: Bytes, signature: Bytes): boolean => {
  const keys = court.set.members[signer]
  return keys !== undefined && court.scheme.verify(keys, preimage, signature)
}

function judgeVote(vote: Vote, court: Court): Wrong | undefined {
  // [REJECT] Section 4.2: "the sequence number is between a low water mark, h, and a high water mark, H".
  if (!inWindow(vote.height, court.term, court.termHeights)) return reject("OUTSIDE_WINDOW")
  if (vote.type === "checkpoint") {
    // [REJECT] Section 4.3: checkpoints are at sequence numbers "divisible by some constant": here the end of the term.
    if (vote.height !== highMark(court.term, court.termHeights) || vote.view !== 0)
      return reject("NOT_A_BOUNDARY")
  }
  const primary = primaryOf(court.term, vote.view, court.set.size)
  // [REJECT] Section 4.2: only the primary of the view assigns sequence numbers.
  if (vote.type === "pre-prepare" && vote.signer !== primary) return reject("NOT_PRIMARY")
  // [REJECT] Section 4.2: 2f prepares "from different backups": the primary's PRE-PREPARE is its prepare.
  if (vote.type === "prepare" && vote.signer === primary) return reject("PRIMARY_PREPARED")
  const preimage = votePreimage(court.meshId, vote)
  return signedBy(court, vote.signer, preimage, vote.signature)
    ? undefined
    : reject("BAD_SIGNATURE")
}

/** Form alone, without a signature: what must hold before anything is computed from a VIEW-CHANGE's heights. */
function judgeShape(change: ViewChange, court: Court): Wrong | undefined {
  if (change.view < 1) return reject("BAD_VIEW")
  const floor = lowMark(court.term, court.termHeights)
  const { tip } = change
  if (tip !== undefined) {
    if (tip.type !== "commit" || tip.term !== court.term) return reject("BAD_TIP")
    if (!inWindow(tip.height, court.term, court.termHeights)) return reject("BAD_TIP")
  }
  let before = tip?.height ?? floor
  for (const proof of change.prepared) {
    // [REJECT] Section 4.4: P holds a set for each request prepared "with a sequence number higher than n", one each.
    if (proof.height <= before || proof.height > highMark(court.term, court.termHeights))
      return reject("BAD_PREPARED_SLOT")
    // [REJECT] A proof from the view that is only being asked for cannot exist yet.
    if (proof.view >= change.view) return reject("BAD_PREPARED_VIEW")
    before = proof.height
  }
  return undefined
}

function judgeViewChange(change: ViewChange, court: Court): Wrong | undefined {
  const misshapen = judgeShape(change, court)
  if (misshapen !== undefined) return misshapen
  const { tip } = change
  const preimage = viewChangePreimage(court.meshId, change)
  if (!signedBy(court, change.signer, preimage, change.signature)) return reject("BAD_SIGNATURE")
  if (tip !== undefined) {
    const fault = certificateFault(tip, court.meshId, court.set, court.scheme)
    if (fault !== undefined) return reject(`TIP_${fault}`)
  }
  for (const proof of change.prepared) {
    const fault = preparedFault(proof, court.term, court.meshId, court.set, court.scheme)
    if (fault !== undefined) return reject(`PREPARED_${fault}`)
  }
  return undefined
}

function judgeNewView(newView: NewView, court: Court): Wrong | undefined {
  const { term, view, signer, changes, proposals } = newView
  if (view < 1) return reject("BAD_VIEW")
  if (signer !== primaryOf(term, view, court.set.size)) return reject("NOT_PRIMARY")
  // [REJECT] Section 4.4: "V is a set containing the valid view-change messages received by the primary": 2f+1 of them.
  if (changes.length < court.set.quorum) return reject("NO_QUORUM")
  let before = -1
  for (const change of changes) {
    if (change.term !== term || change.view !== view) return reject("FOREIGN_CHANGE")
    // [REJECT] From different replicas: seats strictly ascending.
    if (change.signer <= before || change.signer >= court.set.size) return reject("BAD_SIGNERS")
    before = change.signer
    const misshapen = judgeShape(change, court)
    if (misshapen !== undefined) return misshapen
  }
  // [REJECT] Section 4.4: "it verifies the correctness of O by performing a computation similar to the one used by the primary".
  const carried = carriedBy(changes, lowMark(term, court.termHeights))
  if (!("contradiction" in carried)) {
    if (carried.proposals.length !== proposals.length) return reject("WRONG_PROPOSALS")
    for (const [i, { height, digest }] of carried.proposals.entries()) {
      const proposal = proposals[i]
      if (proposal?.height !== height || !equal(proposal.digest, digest))
        return reject("WRONG_PROPOSALS")
    }
  }
  if (!signedBy(court, signer, newViewPreimage(court.meshId, newView), newView.signature))
    return reject("BAD_SIGNATURE")
  for (const { height, digest, signature } of proposals) {
    const signed = votePreimage(court.meshId, {
      type: "pre-prepare",
      term,
      view,
      height,
      digest,
      signer,
    })
    if (!signedBy(court, signer, signed, signature)) return reject("BAD_SIGNATURE")
  }
  for (const change of changes) {
    const wrong = judgeViewChange(change, court)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** Two votes of one signer for one place that say different things. */
export const conflict = (a: Vote, b: Vote): boolean =>
  a.type === b.type &&
  a.term === b.term &&
  a.view === b.view &&
  a.height === b.height &&
  a.signer === b.signer &&
  !equal(a.digest, b.digest)

function judgeEvidence(evidence: Evidence, court: Court): Wrong | undefined {
  const { first, second } = evidence
  if (first.term !== court.term) return ignore("OTHER_TERM")
  if (!conflict(first, second)) return reject("NO_CONFLICT")
  return judgeVote(first, court) ?? judgeVote(second, court)
}

/** The term a message must be judged in, or undefined when it needs no set of validators. */
export function termOfMessage(message: Message): number | undefined {
  switch (message.type) {
    case "status":
    case "fetch":
    case "batch":
    case "blocks":
    case "request":
    case "seal":
      return undefined
    case "evidence":
      return message.first.term
    case "pre-prepare":
    case "prepare":
    case "commit":
    case "checkpoint":
    case "view-change":
    case "new-view":
      return message.term
  }
}

function fault(message: Message, court: Court): Wrong | undefined {
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
    case "checkpoint":
      return judgeVote(message, court)
    case "view-change":
      return judgeViewChange(message, court)
    case "new-view":
      return judgeNewView(message, court)
    case "evidence":
      return judgeEvidence(message, court)
    // Believed in nothing: STATUS and FETCH only ask, the answers are checked against what was asked for. A SEAL is
    // checked by the core, which alone still knows the set of the term that ended.
    case "status":
    case "fetch":
    case "batch":
    case "blocks":
    case "request":
    case "seal":
      return undefined
  }
}

export const isWrong = <M extends Message>(judged: Verified<M> | Wrong): judged is Wrong =>
  "verdict" in judged

/** Judges a message. The caller has routed it by `termOfMessage`: another term than the court's is ignored. */
export function verify(message: Message, court: Court): Verified | Wrong {
  const term = termOfMessage(message)
  if (term !== undefined && term !== court.term) return ignore("OTHER_TERM")
  return fault(message, court) ?? (message as Verified)
}
