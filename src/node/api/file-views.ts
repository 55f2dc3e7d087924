/** What a screen is told of files. */

/** A file that a message brought. */
export interface FileView {
  /** The message's. */
  readonly id: string
  readonly thread: string
  readonly author: string
  readonly mine: boolean
  readonly sentAtMs: number
  /** Made safe: fit to be shown, and to be a file's name. */
  readonly name: string
  readonly size: number
  /** A media type, as the author claims it. */
  readonly type: string
}

/** A file on its way, or one that has been lately. */
export interface Transfer {
  /** The message's. */
  readonly id: string
  readonly thread: string
  readonly direction: "up" | "down"
  readonly name: string
  readonly size: number
  /** `sealing` and `uploading` one of ours, `downloading` and `saving` one of theirs. */
  readonly state: "sealing" | "uploading" | "downloading" | "saving" | "done" | "failed"
  /** Bytes of the file that this state is done with. */
  readonly done: number
  readonly bytesPerS: number
  /** Seconds left at that speed; null while nothing moves. */
  readonly leftS: number | null
  /** Where it was saved, once it was. */
  readonly path: string | null
  /** Why it failed, as a stable code. */
  readonly failure: string | null
}

/** An image small enough for a terminal. */
export interface Preview {
  readonly width: number
  readonly height: number
  /** Three bytes a pixel, row by row, in base64. */
  readonly rgb: string
}
