/** Flat arrays go from one process to another in pieces that cost the one who takes them no more than a moment each. */
import { chunksOf, type Flat } from './give-pieces.ts'

const KINDS = {
  Uint8: Uint8Array,
  Int32: Int32Array,
  Uint32: Uint32Array,
  Float64: Float64Array,
  BigInt64: BigInt64Array,
}
type Kind = keyof typeof KINDS
const kinds = Object.keys(KINDS) as Kind[]
type Column = Flat
export type Columns = Readonly<Record<string, Column>>

/** Kind and length of each. */
export type Layout = Readonly<Record<string, readonly [Kind, number]>>
export type ColumnPart = { readonly kind: 'part'; readonly name: string; readonly at: number; readonly part: Column }

export function layoutOf(columns: Columns): Layout {
  const kindOf = (column: Column): Kind => kinds.find((kind) => column instanceof KINDS[kind]) as Kind
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, [kindOf(column), column.length]]))
}

export function* partsOf(columns: Columns): Generator<ColumnPart, void, void> {
  for (const [name, column] of Object.entries(columns))
    for (const { at, chunk } of chunksOf(column)) yield { kind: 'part', name, at, part: chunk }
}

/** To be filled by `fill`. */
export function emptyColumns(layout: Layout): Record<string, Column> {
  return Object.fromEntries(Object.entries(layout).map(([name, [kind, length]]) => [name, new KINDS[kind](length)]))
}

export function fill(columns: Columns, { name, at, part }: ColumnPart): void {
  // both are of the kind that the layout says
  const column = columns[name] as Uint8Array | undefined
  column?.set(part as Uint8Array, at)
}
