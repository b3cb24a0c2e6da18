/** Plain aligned tables: no frames, so that they can be cut and grepped. */
import Table from 'cli-table3'
import { colours } from './colours.ts'

const NO_FRAME = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((part) => [part, '']),
)

export interface Column<T> {
  head: string
  value(row: T): string | number | null | undefined
  align?: 'left' | 'right'
}

export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const made = new Table({
    head: columns.map((c) => colours.bold(c.head)),
    colAligns: columns.map((c) => c.align ?? 'left'),
    chars: { ...NO_FRAME, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  for (const row of rows) made.push(columns.map((c) => String(c.value(row) ?? '')))
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
