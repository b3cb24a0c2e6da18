/** A process of its own that tells how it is ranked. */
import { getPriority } from 'node:os'
import { givePieces } from '../src/give-pieces.ts'

givePieces<number>(function* () {
  yield getPriority()
})
