/**
 * What every screen is drawn with: rows of spans painted through Ink, one text node a row. A page is a whole screen of rows
 * with at most one cursor; forms, help and codes are pages, the chat is made of several columns of rows.
 */
import { Box, Text } from "ink"
import { memo } from "react"
import type { ReactNode } from "react"
import type { Row } from "../rows.ts"
import { fit } from "../rows.ts"
import type { Theme } from "../theme.ts"

export interface Cursor {
  readonly x: number
  readonly y: number
}

export interface Page {
  readonly rows: readonly Row[]
  readonly cursor: Cursor | null
}

const sameRow = (a: Row, b: Row): boolean =>
  a === b ||
  (a.length === b.length &&
    a.every(
      (part, i) => part.text === b[i]?.text && part.role === b[i].role && part.paint === b[i].paint,
    ))

const RowView = memo(
  ({ row, theme }: { readonly row: Row; readonly theme: Theme }): ReactNode => (
    <Text wrap="truncate-end">
      {row.map((part, i) => (
        <Text key={i} {...theme[part.role]} {...part.paint}>
          {part.text}
        </Text>
      ))}
    </Text>
  ),
  (a, b) => a.theme === b.theme && sameRow(a.row, b.row),
)

/** Exactly `height` rows of `width` cells; missing ones are blank, more are not drawn. */
export function Rows(props: {
  readonly rows: readonly Row[]
  readonly width: number
  readonly height: number
  readonly theme: Theme
}): ReactNode {
  const { rows, width, height, theme } = props
  return (
    <Box flexDirection="column" width={width} height={height} flexShrink={0}>
      {Array.from({ length: height }, (_, i) => (
        <Box key={i} height={1} width={width} flexShrink={0}>
          {(rows[i]?.length ?? 0) > 0 && <RowView row={fit(rows[i] ?? [], width)} theme={theme} />}
        </Box>
      ))}
    </Box>
  )
}

/** A line from top to bottom between two columns: one text for all of its rows. */
export const Divider = memo(
  (props: {
    readonly glyph: string
    readonly height: number
    readonly theme: Theme
  }): ReactNode => (
    <Box width={2} height={props.height} flexShrink={0}>
      <Text {...props.theme.rule}>{`${props.glyph}\n`.repeat(props.height - 1) + props.glyph}</Text>
    </Box>
  ),
)
