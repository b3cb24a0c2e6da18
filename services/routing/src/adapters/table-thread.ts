/**
 * The thread that reads a large revision: JSON, YAML, its check and the files take seconds, while calls are decided beside
 * it. It hands over what it made piece by piece, when it is asked: no piece costs the other thread more than a moment.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { User } from '@tandem/config/defaults.ts'
import { readRevision } from '@tandem/config/revision.ts'
import { compileFiles } from '../domain/compile-table.ts'
import { badRevision } from '../read-table.ts'
import type { Piece } from './compile-aside.ts'

const usersInPiece = 400

function* pieces(): Generator<Piece> {
  const read = readRevision(workerData as Uint8Array)
  if (read.kind === 'bad') return void (yield { kind: 'bad', why: badRevision(read) })
  const { configuration, revision } = read
  const { users, ...rest } = configuration
  yield { kind: 'rest', rest, files: compileFiles(configuration, revision) }
  const all: User[] = Object.values(users)
  for (let i = 0; i < all.length; i += usersInPiece) yield { kind: 'users', users: all.slice(i, i + usersInPiece) }
  yield { kind: 'end' }
}

const made = pieces()
parentPort?.on('message', () => {
  const { value } = made.next()
  const piece: Piece = value ?? { kind: 'end' }
  parentPort?.postMessage(piece, piece.kind === 'rest' ? buffersOf(piece.files) : [])
})

/** Handed over, not copied. */
function buffersOf(files: Extract<Piece, { kind: 'rest' }>['files']): ArrayBuffer[] {
  const arrays = [
    ...[...files.prices.values()].flatMap((tree) => Object.values(tree)),
    ...files.numbers.flatMap(({ singles, ranges }) => [...Object.values(singles), ...Object.values(ranges)]),
  ]
  return arrays.map((array) => array.buffer as ArrayBuffer)
}
