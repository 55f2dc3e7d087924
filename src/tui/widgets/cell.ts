/** Pixels of a terminal's cell. */
export interface Cell {
  readonly width: number
  readonly height: number
}

/** What most terminals have, until this one says otherwise. */
export const CELL: Cell = { width: 10, height: 20 }
