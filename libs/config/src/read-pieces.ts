/** The process that reads a large revision for `read-aside.ts`. */
import type { User } from './defaults.ts'
import { givePieces } from './give-pieces.ts'
import type { RevisionPiece } from './read-aside.ts'
import { readRevision } from './revision.ts'

const usersInPiece = 400

givePieces<RevisionPiece>(function* (bytes) {
  const read = readRevision(bytes)
  if (read.kind === 'bad') return void (yield read)
  const { users, ...configuration } = read.configuration
  const { decks, ...revision } = read.revision
  const source = process.argv.includes('source') ? revision.source : []
  yield { kind: 'rest', configuration, revision: { ...revision, source }, warnings: read.warnings }
  if (process.argv.includes('decks')) {
    for (const deck of Object.values(configuration.rateDecks)) {
      const text = deck.kind === 'per-minute' ? decks[deck.file] : undefined
      if (deck.kind === 'per-minute' && text !== undefined) yield { kind: 'deck', file: deck.file, text }
    }
  }
  const all: User[] = Object.values(users)
  for (let i = 0; i < all.length; i += usersInPiece) yield { kind: 'users', users: all.slice(i, i + usersInPiece) }
})
