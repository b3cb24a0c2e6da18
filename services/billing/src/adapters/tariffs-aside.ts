/** A large revision becomes tariffs beside the legs that are being priced: its decks are read by a process of its own. */
import { setImmediate as turn } from 'node:timers/promises'
import { isLarge, piecesOf } from '@tandem/config/aside.ts'
import { type ColumnPart, type Columns, emptyColumns, fill, type Layout } from '@tandem/config/flat-pieces.ts'
import type { Made } from '@tandem/config/follow.ts'
import { readRevision } from '@tandem/config/revision.ts'
import type { PackedDeck } from '@tandem/rating/packed-deck.ts'
import {
  type MoneyTerms,
  makeTariffs,
  type ReadDeck,
  readTariffs,
  type Tariffs,
  type TariffsReading,
  versionsOf,
} from '../domain/tariffs.ts'
import { storable } from './deck-store.ts'

export interface ReadTariffs {
  readonly tariffs: Tariffs
  /** CSV of the decks that are new, by name */
  readonly texts: ReadonlyMap<string, string | Uint8Array>
}

/** In this order; parts fill the deck that was announced last. */
export type TariffPiece =
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'terms'; readonly terms: MoneyTerms; readonly revision: number }
  /** Without a layout it is known here. */
  | { readonly kind: 'deck'; readonly name: string; readonly version: string; readonly layout?: Layout }
  | ColumnPart
  | { readonly kind: 'mobiles'; readonly mobiles: readonly (readonly [user: string, mobile: string])[] }

/** Decks beyond that are read again: an argument of a process has its bound (128 KiB on Linux). */
const mostKnown = 5000

/** The tariffs of a revision; never rejects. `before`: those in force. `urgent`: there are none, and no leg can be priced. */
export function tariffsAside(
  bytes: Uint8Array,
  before: Tariffs | undefined,
  urgent: boolean,
): Made<ReadTariffs> | Promise<Made<ReadTariffs>> {
  return isLarge(bytes) ? inProcess(bytes, before, urgent) : inPlace(bytes, before)
}

function inPlace(bytes: Uint8Array, before: Tariffs | undefined): Made<ReadTariffs> {
  const read = readRevision(bytes)
  if (read.kind === 'bad') return { kind: 'bad', why: read.message }
  const { configuration, revision } = read
  const texts = new Map<string, string>()
  for (const [name, deck] of Object.entries(configuration.rateDecks))
    if (deck.kind === 'per-minute') texts.set(name, storable(revision.decks[deck.file] ?? ''))
  return made(readTariffs(configuration, revision.revision, revision.decks, before), texts)
}

async function inProcess(bytes: Uint8Array, before: Tariffs | undefined, urgent: boolean): Promise<Made<ReadTariffs>> {
  const known = JSON.stringify([...versionsOf(before)].slice(0, mostKnown))
  const module = new URL('./make-tariff-pieces.ts', import.meta.url)
  try {
    return await assemble(piecesOf<TariffPiece>(module, bytes, [known], { urgent }), before)
  } catch (error) {
    return { kind: 'bad', why: `it could not be read: ${String(error)}` }
  }
}

async function assemble(pieces: AsyncIterable<TariffPiece>, before: Tariffs | undefined): Promise<Made<ReadTariffs>> {
  let said: Extract<TariffPiece, { kind: 'terms' }> | undefined
  let open: Columns = {}
  const mobiles = new Map<string, string>()
  const decks: ReadDeck[] = []
  const texts = new Map<string, Uint8Array>()
  for await (const piece of pieces) {
    if (piece.kind === 'bad') return piece
    if (piece.kind === 'terms') said = piece
    else if (piece.kind === 'part') fill(open, piece)
    else if (piece.kind === 'mobiles') for (const [user, mobile] of piece.mobiles) mobiles.set(user, mobile)
    else {
      const { name, version, layout } = piece
      if (layout === undefined) decks.push({ name, version })
      else {
        open = emptyColumns(layout)
        // the other process says what `readDecks` has made, and the text beside it
        const { csv, ...packed } = open as PackedDeck & { csv: Uint8Array }
        decks.push({ name, version, packed })
        texts.set(name, csv)
      }
    }
    // legs that came meanwhile go first
    await turn()
  }
  if (said === undefined) throw new Error('nothing came of it')
  return made(makeTariffs(said.terms, { revision: said.revision, decks, mobiles }, before), texts)
}

function made(reading: TariffsReading, texts: ReadTariffs['texts']): Made<ReadTariffs> {
  if (reading.kind === 'tariffs') return { kind: 'made', value: { tariffs: reading.tariffs, texts } }
  return { kind: 'bad', why: badDecks(reading.problems) }
}

export const badDecks = (problems: readonly string[]): string =>
  `rate decks cannot be read: ${problems.slice(0, 5).join('; ')}`
