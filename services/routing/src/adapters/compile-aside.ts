/** A large revision becomes a table beside the calls that are being decided (routing.md: reload without a late answer). */
import { setImmediate as turn } from 'node:timers/promises'
import { isLarge, piecesOf } from '@tandem/config/aside.ts'
import type { Configuration, User } from '@tandem/config/defaults.ts'
import { type ColumnPart, type Columns, emptyColumns, fill, type Layout } from '@tandem/config/flat-pieces.ts'
import { tableBuilder } from '../domain/compile-table.ts'
import type { NumberIndex, NumberRow } from '../domain/number-index.ts'
import type { PriceTree } from '../domain/price-tree.ts'
import { type ReadTable, readTable } from '../read-table.ts'

/** In this order; parts fill what was announced last. */
export type Piece =
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'rest'; readonly rest: Omit<Configuration, 'users'>; readonly revision: number }
  | { readonly kind: 'prices'; readonly file: string; readonly layout: Layout }
  /** A list of numbers begins. */
  | { readonly kind: 'singles'; readonly layout: Layout }
  | { readonly kind: 'ranges'; readonly layout: Layout }
  | { readonly kind: 'rows'; readonly rows: readonly NumberRow[] }
  | ColumnPart
  /** JSON of `User[]` */
  | { readonly kind: 'users'; readonly users: string }

/** The table of a revision; never rejects. `urgent`: there is none before it. The configuration that comes with a large one names no users. */
export function compileAside(bytes: Uint8Array, urgent = false): ReadTable | Promise<ReadTable> {
  return isLarge(bytes) ? inProcess(bytes, urgent) : readTable(bytes)
}

async function inProcess(bytes: Uint8Array, urgent: boolean): Promise<ReadTable> {
  try {
    return await assemble(piecesOf<Piece>(new URL('./make-pieces.ts', import.meta.url), bytes, [], { urgent }))
  } catch (error) {
    return { kind: 'bad', why: `it could not be read: ${String(error)}` }
  }
}

async function assemble(pieces: AsyncIterable<Piece>): Promise<ReadTable> {
  let rest: Extract<Piece, { kind: 'rest' }> | undefined
  const files = filesInPieces()
  let begun: ReturnType<typeof begin> | undefined
  const begin = () => {
    if (rest === undefined) throw new Error('the pieces came in another order')
    const configuration: Configuration = { ...rest.rest, users: {} }
    const { prices, numbers } = files
    return { configuration, builder: tableBuilder(configuration, { revision: rest.revision, prices, numbers }) }
  }
  for await (const piece of pieces) {
    if (piece.kind === 'bad') return piece
    if (piece.kind === 'rest') rest = piece
    else if (piece.kind !== 'users') files.add(piece)
    else {
      begun ??= begin()
      begun.builder.add(JSON.parse(piece.users) as User[])
    }
    // questions that came meanwhile go first
    await turn()
  }
  const { configuration, builder } = begun ?? begin()
  await turn()
  return { kind: 'table', table: builder.finish(), configuration }
}

type Growing = Omit<NumberIndex, 'rows' | 'ranges'> & { ranges: NumberIndex['ranges']; readonly rows: NumberRow[] }
const noRanges = { first: new Float64Array(), last: new Float64Array(), row: new Uint32Array() }

/** What the files hold, as it comes. */
function filesInPieces() {
  const prices = new Map<string, PriceTree>()
  const numbers: Growing[] = []
  let open: Columns = {}
  const add = (piece: Exclude<Piece, { kind: 'bad' | 'rest' | 'users' }>): void => {
    if (piece.kind === 'part') return void fill(open, piece)
    const list = numbers.at(-1)
    if (piece.kind === 'rows') return void list?.rows.push(...piece.rows)
    open = emptyColumns(piece.layout)
    // the other process says what `compileFiles` has made
    if (piece.kind === 'prices') prices.set(piece.file, open as PriceTree)
    else if (piece.kind === 'singles')
      numbers.push({ singles: open as NumberIndex['singles'], ranges: noRanges, rows: [] })
    else if (list !== undefined) list.ranges = open as NumberIndex['ranges']
  }
  return { prices, numbers, add }
}
