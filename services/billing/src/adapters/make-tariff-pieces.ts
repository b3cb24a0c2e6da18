/** The process that reads a large revision for `tariffs-aside.ts`. */
import { layoutOf, partsOf } from '@tandem/config/flat-pieces.ts'
import { givePieces } from '@tandem/config/give-pieces.ts'
import { readRevision } from '@tandem/config/revision.ts'
import { mobilesOf, readDecks } from '../domain/tariffs.ts'
import { storable } from './deck-store.ts'
import { badDecks, type TariffPiece } from './tariffs-aside.ts'

const mobilesInPiece = 2000
const known = new Set(JSON.parse(process.argv[2] ?? '[]') as string[])

givePieces<TariffPiece>(function* (bytes) {
  const read = readRevision(bytes)
  if (read.kind === 'bad') return void (yield { kind: 'bad', why: read.message })
  const { configuration, revision } = read
  const { rateDecks, trunks, prices, timeZone, users } = configuration
  const { decks, problems } = readDecks(configuration, revision.decks, known)
  if (problems.length > 0) return void (yield { kind: 'bad', why: badDecks(problems) })
  yield { kind: 'terms', terms: { rateDecks, trunks, prices, timeZone }, revision: revision.revision }
  for (const { name, version, packed } of decks) {
    const deck = rateDecks[name]
    if (packed === undefined || deck?.kind !== 'per-minute') yield { kind: 'deck', name, version }
    else {
      const csv = new TextEncoder().encode(storable(revision.decks[deck.file] ?? ''))
      const columns = { ...packed, csv }
      yield { kind: 'deck', name, version, layout: layoutOf(columns) }
      yield* partsOf(columns)
    }
  }
  const mobiles = [...mobilesOf(users)]
  for (let at = 0; at < mobiles.length; at += mobilesInPiece)
    yield { kind: 'mobiles', mobiles: mobiles.slice(at, at + mobilesInPiece) }
})
