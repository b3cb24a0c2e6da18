/** The process that lists the numbers of a large revision for `number-tables.ts`; with an argument it tells of that one. */
import { givePieces } from '@tandem/config/give-pieces.ts'
import { readRevision } from '@tandem/config/revision.ts'
import { packNumbers } from '../domain/number-table.ts'
import { holdingIn, type NumberPiece, numbersOf } from './number-tables.ts'

const numbersInPiece = 32_768
const detailsInPiece = 2000

givePieces<NumberPiece>(function* (bytes) {
  const read = readRevision(bytes)
  if (read.kind === 'bad') return void (yield { kind: 'bad', why: read.message })
  const { configuration, revision } = read
  const [, , number] = process.argv
  if (number !== undefined)
    return void (yield { kind: 'holding', holding: holdingIn(configuration, revision.decks, number) })
  const { details, first, last, detail, assigned } = packNumbers(numbersOf(configuration, revision.decks))
  yield { kind: 'size', numbers: first.length }
  for (let at = 0; at < first.length; at += numbersInPiece) {
    const [from, to] = [at, at + numbersInPiece]
    yield {
      ...{ kind: 'numbers', at, first: first.subarray(from, to), last: last.subarray(from, to) },
      ...{ detail: detail.subarray(from, to), assigned: assigned.subarray(from, to) },
    }
  }
  for (let at = 0; at < details.length; at += detailsInPiece)
    yield { kind: 'details', details: details.slice(at, at + detailsInPiece) }
})
