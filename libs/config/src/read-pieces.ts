/** The process that reads a large revision for `read-aside.ts`. */
import { givePieces, usersAsText } from './give-pieces.ts'
import type { RevisionPiece } from './read-aside.ts'
import { readRevision } from './revision.ts'

givePieces<RevisionPiece>(function* (bytes) {
  const read = readRevision(bytes)
  if (read.kind === 'bad') return void (yield read)
  const { users, ...configuration } = read.configuration
  const { decks, ...revision } = read.revision
  const source = process.argv.includes('source') ? revision.source : []
  yield { kind: 'rest', configuration, revision: { ...revision, source }, warnings: read.warnings }
  for (const text of usersAsText(users)) yield { kind: 'users', users: text }
})
