/**
 * The process that reads a large revision for `compile-aside.ts`: JSON, YAML, its check and the files take seconds, while
 * calls are decided beside it. No piece costs the one who takes it more than a moment.
 */
import { layoutOf, partsOf } from '@tandem/config/flat-pieces.ts'
import { givePieces, usersAsText } from '@tandem/config/give-pieces.ts'
import { readRevision } from '@tandem/config/revision.ts'
import { compileFiles } from '../domain/compile-table.ts'
import { badRevision } from '../read-table.ts'
import type { Piece } from './compile-aside.ts'

const rowsInPiece = 2000

givePieces<Piece>(function* (bytes) {
  const read = readRevision(bytes)
  if (read.kind === 'bad') return void (yield { kind: 'bad', why: badRevision(read) })
  const { configuration, revision } = read
  const { users, ...rest } = configuration
  const { prices, numbers } = compileFiles(configuration, revision)
  yield { kind: 'rest', rest, revision: revision.revision }
  for (const [file, tree] of prices) {
    yield { kind: 'prices', file, layout: layoutOf(tree) }
    yield* partsOf(tree)
  }
  for (const { rows, singles, ranges } of numbers) {
    yield { kind: 'singles', layout: layoutOf(singles) }
    yield* partsOf(singles)
    yield { kind: 'ranges', layout: layoutOf(ranges) }
    yield* partsOf(ranges)
    for (let i = 0; i < rows.length; i += rowsInPiece) yield { kind: 'rows', rows: rows.slice(i, i + rowsInPiece) }
  }
  for (const text of usersAsText(users)) yield { kind: 'users', users: text }
})
