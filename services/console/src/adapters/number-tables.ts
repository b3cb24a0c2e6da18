/** The numbers of a revision; those of a large one are listed by a process of its own, which takes it seconds. */
import { piecesOf } from '@tandem/config/aside.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { type Holding, holdingOf } from '../domain/number-history.ts'
import { listNumbers, type NumberView, readNumberFile } from '../domain/number-list.ts'
import { type NumberDetail, type NumberTable, packNumbers } from '../domain/number-table.ts'

/** `size` comes first. */
export type NumberPiece =
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'holding'; readonly holding: Holding }
  | { readonly kind: 'size'; readonly numbers: number }
  | {
      readonly kind: 'numbers'
      readonly at: number
      readonly first: Float64Array
      readonly last: Float64Array
      readonly detail: Uint32Array
      readonly assigned: Uint32Array
    }
  | { readonly kind: 'details'; readonly details: readonly NumberDetail[] }

const module = new URL('./number-pieces.ts', import.meta.url)

/** `decks`: text of the lists of numbers that the configuration names. */
export function numbersOf(configuration: Configuration, decks: Readonly<Record<string, string>>): NumberView[] {
  return listNumbers(
    configuration,
    configuration.numberFiles.flatMap((file) => readNumberFile(decks[file] ?? '')),
  )
}

/** Throws when the revision cannot be read. */
export async function numbersAside(bytes: Uint8Array): Promise<NumberTable> {
  let table = packNumbers([])
  const details: NumberDetail[] = []
  for await (const piece of piecesOf<NumberPiece>(module, bytes)) {
    if (piece.kind === 'bad') throw new Error(piece.why)
    if (piece.kind === 'size') table = emptyTable(piece.numbers)
    else if (piece.kind === 'details') for (const detail of piece.details) details.push(detail)
    else if (piece.kind === 'numbers')
      for (const column of ['first', 'last', 'detail', 'assigned'] as const) table[column].set(piece[column], piece.at)
  }
  return { ...table, details }
}

/** Who had a number in that revision. */
export async function holdingAside(bytes: Uint8Array, number: string): Promise<Holding> {
  for await (const piece of piecesOf<NumberPiece>(module, bytes, [number]))
    if (piece.kind === 'holding') return piece.holding
  return { state: 'none' }
}

/** Who had a number by that configuration. */
export function holdingIn(configuration: Configuration, decks: Readonly<Record<string, string>>, number: string) {
  return holdingOf(numbersOf(configuration, decks), number)
}

function emptyTable(numbers: number): NumberTable {
  return {
    ...{ first: new Float64Array(numbers), last: new Float64Array(numbers), details: [] },
    ...{ detail: new Uint32Array(numbers), assigned: new Uint32Array(numbers) },
  }
}
