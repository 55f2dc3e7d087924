/** What the API says about a message that was exported. */

export interface ExportMade {
  /** Where it was written, and its size. */
  readonly path: string
  readonly bytes: number
  /** The author's address, and the mesh's id in hexadecimal: what whoever is given the file compares. */
  readonly author: string
  readonly meshId: string
  /** Null in one that was asked for without its place. */
  readonly place: { readonly height: number; readonly index: number } | null
  /** What the file shows besides the message. */
  readonly beside: ExportBeside
}

export interface ExportBeside {
  /** Other messages and edits that their author said in the same envelope. */
  readonly texts: number
  /** Reactions, deletions, receipts and other small things in it. */
  readonly others: number
  /** The group it was said in, which the signature covers; null in a chat of two. */
  readonly group: string | null
}
