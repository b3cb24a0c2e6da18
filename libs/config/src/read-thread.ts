/** The thread that reads a large revision for `read-aside.ts`: it hands over a piece each time it is asked. */
import { parentPort, workerData } from 'node:worker_threads'
import type { User } from './defaults.ts'
import type { RevisionPiece } from './read-aside.ts'
import { readRevision } from './revision.ts'

const usersInPiece = 400

function* pieces(): Generator<RevisionPiece> {
  const read = readRevision(workerData as Uint8Array)
  if (read.kind === 'bad') return void (yield read)
  const { users, ...configuration } = read.configuration
  const { decks: _, ...revision } = read.revision
  yield { kind: 'rest', configuration, revision: { ...revision, source: [] }, warnings: read.warnings }
  const all: User[] = Object.values(users)
  for (let i = 0; i < all.length; i += usersInPiece) yield { kind: 'users', users: all.slice(i, i + usersInPiece) }
  yield { kind: 'end' }
}

const made = pieces()
parentPort?.on('message', () => parentPort?.postMessage(made.next().value ?? { kind: 'end' }))
