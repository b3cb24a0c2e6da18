/** A large revision becomes a table beside the calls that are being decided (routing.md: reload without a late answer). */
import { setImmediate as turn } from 'node:timers/promises'
import { largeBytes, piecesOf } from '@tandem/config/aside.ts'
import type { Configuration, User } from '@tandem/config/defaults.ts'
import { tableBuilder } from '../domain/compile-table.ts'
import type { NumberIndex } from '../domain/number-index.ts'
import type { PriceTree } from '../domain/price-tree.ts'
import { type ReadTable, readTable } from '../read-table.ts'

/** In this order. */
export type Piece =
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'rest'; readonly rest: Omit<Configuration, 'users'>; readonly revision: number }
  | { readonly kind: 'prices'; readonly file: string; readonly tree: PriceTree }
  | { readonly kind: 'numbers'; readonly index: NumberIndex }
  | { readonly kind: 'users'; readonly users: readonly User[] }

/** The table of a revision; never rejects. The configuration that comes with a large one names no users. */
export function compileAside(bytes: Uint8Array): ReadTable | Promise<ReadTable> {
  return bytes.length < largeBytes ? readTable(bytes) : inProcess(bytes)
}

async function inProcess(bytes: Uint8Array): Promise<ReadTable> {
  try {
    return await assemble(piecesOf<Piece>(new URL('./make-pieces.ts', import.meta.url), bytes))
  } catch (error) {
    return { kind: 'bad', why: `it could not be read: ${String(error)}` }
  }
}

async function assemble(pieces: AsyncIterable<Piece>): Promise<ReadTable> {
  let rest: Extract<Piece, { kind: 'rest' }> | undefined
  const prices = new Map<string, PriceTree>()
  const numbers: NumberIndex[] = []
  let begun: ReturnType<typeof begin> | undefined
  const begin = () => {
    if (rest === undefined) throw new Error('the pieces came in another order')
    const configuration: Configuration = { ...rest.rest, users: {} }
    return { configuration, builder: tableBuilder(configuration, { revision: rest.revision, prices, numbers }) }
  }
  for await (const piece of pieces) {
    if (piece.kind === 'bad') return piece
    if (piece.kind === 'rest') rest = piece
    else if (piece.kind === 'prices') prices.set(piece.file, owned(piece.tree))
    else if (piece.kind === 'numbers')
      numbers.push({ ...piece.index, singles: owned(piece.index.singles), ranges: owned(piece.index.ranges) })
    else {
      begun ??= begin()
      begun.builder.add(piece.users)
    }
    // questions that came meanwhile go first
    await turn()
  }
  const { configuration, builder } = begun ?? begin()
  return { kind: 'table', table: builder.finish(), configuration }
}

/** Arrays as they come are windows on the whole message, which each of them would keep. */
function owned<T extends Readonly<Record<string, Int32Array | Uint32Array | Float64Array>>>(arrays: T): T {
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.slice()])) as unknown as T
}
