/** What a screen is told of ourselves and the people we know. */

export interface IdentityKeys {
  /** The card's number; it grows with every rotation. */
  readonly sequence: number
  /** When the current keys were made, and when they are replaced. */
  readonly sinceMs: number
  readonly untilMs: number
  /** Until when the keys of earlier cards open late mail, newest card first. */
  readonly oldUntilMs: readonly number[]
  /** One-time key packages that other peers have to hand out today, and that nobody has used yet. */
  readonly onOffer: number
}

export interface Contact {
  readonly address: string
  /** Petname: what this profile calls them. */
  readonly name: string
  /** What they call themselves; null until they said so. */
  readonly theirName: string | null
  /** `request`: they wrote first and were not accepted yet. `pending`: added here, their card is not found yet. */
  readonly state: "request" | "pending" | "accepted" | "blocked"
  /** The safety number was compared. */
  readonly verified: boolean
  /**
   * Address of another contact whose name this one came with: another identity, whoever it is. Nothing goes out to them until the user
   * decides: `contacts.verify`, `contacts.accept` with `anyway`, or `contacts.block`. Null when there is nothing to decide.
   */
  readonly claims: string | null
  /** What the two say to each other is signed with post-quantum signatures too, and nobody gets in under this address with less. */
  readonly postQuantumSignatures: boolean
  /** They are waited for because no key of theirs for such signatures was found when last looked for. */
  readonly lacksKey: boolean
}

/** Whom a ticket names as the one who handed it out; the name is what they call themselves, and may be empty. */
export interface Inviter {
  readonly address: string
  readonly name: string
}
