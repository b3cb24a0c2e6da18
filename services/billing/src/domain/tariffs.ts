import { createHash } from 'node:crypto'
import type { BandwidthDeck, Configuration, PerMinuteDeck } from '@tandem/config/defaults.ts'
import { type Money, ONE, parseMoney, readMoney } from '@tandem/money/money.ts'
import type { BandwidthTerms } from '@tandem/rating/bandwidth.ts'
import { type Deck, type RowError, readDeck } from '@tandem/rating/deck.ts'
import { DEFAULT_TERMS, type RatingTerms } from '@tandem/rating/rate-call.ts'

export interface PerMinuteTariff {
  kind: 'per-minute'
  deck: Deck
  terms: RatingTerms
}

export interface BandwidthTariff {
  kind: 'bandwidth'
  name: string
  currency: string
  version: string
  terms: BandwidthTerms
}

export type Tariff = PerMinuteTariff | BandwidthTariff

/** What a cost centre pays: a deck, and a factor on top (1.1 for a markup of 10 %). */
export interface CostCentrePrice {
  tariff: PerMinuteTariff
  factor: Money
}

/** Everything about money that one revision of the configuration says. */
export interface Tariffs {
  revision: number
  timeZone: string
  tariffs: ReadonlyMap<string, Tariff>
  /** The tariff of a trunk: undefined when the trunk has no deck, or is not configured. */
  ofTrunk(trunk: string): Tariff | undefined
  ofCostCentre(costCentre: string): CostCentrePrice | undefined
  /** E.164 of a user's mobile: what a leg to it is billed by. */
  mobileOf(user: string): string | undefined
}

export type TariffsReading = { kind: 'tariffs'; tariffs: Tariffs } | { kind: 'bad'; problems: string[] }

/**
 * Reads the decks of a revision. `texts` holds the CSV text by the `file` written in the configuration. Decks of
 * `before` whose text did not change are kept: a large deck is read once.
 */
export function readTariffs(
  configuration: Pick<Configuration, 'rateDecks' | 'trunks' | 'prices' | 'timeZone' | 'users'>,
  revision: number,
  texts: Readonly<Record<string, string>>,
  before?: Tariffs,
): TariffsReading {
  const problems: string[] = []
  const tariffs = new Map<string, Tariff>()
  for (const [name, deck] of Object.entries(configuration.rateDecks)) {
    if (deck.kind === 'bandwidth') tariffs.set(name, bandwidthTariff(deck))
    else {
      const read = perMinuteTariff(deck, texts[deck.file], configuration.timeZone, before?.tariffs.get(name))
      if (Array.isArray(read)) problems.push(...read.map((error) => problemText(deck, error)))
      else tariffs.set(name, read)
    }
  }
  const prices = new Map<string, CostCentrePrice>()
  for (const [costCentre, price] of Object.entries(configuration.prices)) {
    const tariff = tariffs.get(price.deck)
    const markup = readMoney(price.markup)
    if (markup.kind === 'invalid') problems.push(`price of ${costCentre}: markup ${markup.reason}`)
    // A bandwidth deck has no price for a single call: such a cost centre pays at cost.
    else if (tariff?.kind === 'per-minute') prices.set(costCentre, { tariff, factor: ONE + markup.money / 100n })
  }
  if (problems.length > 0) return { kind: 'bad', problems }
  const deckOf = new Map(Object.entries(configuration.trunks).map(([name, trunk]) => [name, trunk.cost]))
  return {
    kind: 'tariffs',
    tariffs: {
      revision,
      timeZone: configuration.timeZone,
      tariffs,
      ofTrunk: (trunk) => tariffs.get(deckOf.get(trunk) ?? ''),
      ofCostCentre: (costCentre) => prices.get(costCentre),
      mobileOf: (user) =>
        (Object.hasOwn(configuration.users, user) ? configuration.users[user]?.mobile : null) ?? undefined,
    },
  }
}

function perMinuteTariff(
  deck: PerMinuteDeck,
  csv: string | undefined,
  timeZone: string,
  before: Tariff | undefined,
): PerMinuteTariff | RowError[] {
  if (csv === undefined) return [{ line: 0, column: '', reason: 'the file did not come with the revision' }]
  const terms: RatingTerms = {
    ...DEFAULT_TERMS,
    firstMs: deck.firstIncrementS * 1000,
    nextMs: deck.nextIncrementS * 1000,
    rounding: deck.rounding,
    decimals: deck.decimals,
  }
  const source = { name: deck.name, currency: deck.currency, timeZone, terms: JSON.stringify(terms) }
  if (before?.kind === 'per-minute' && before.deck.isFrom(csv, source)) return { ...before, terms }
  const reading = readDeck(csv, source)
  return reading.kind === 'invalid' ? reading.errors : { kind: 'per-minute', deck: reading.deck, terms }
}

function bandwidthTariff(deck: BandwidthDeck): BandwidthTariff {
  const version = createHash('sha256').update(JSON.stringify(deck)).digest('hex').slice(0, 16)
  return {
    kind: 'bandwidth',
    name: deck.name,
    currency: deck.currency,
    version,
    terms: {
      percentile: deck.percentile,
      directions: 'larger-percentile',
      missing: 'zero',
      commit: megabits(deck.commitKbps),
      increment: megabits(deck.incrementKbps),
      price: parseMoney(deck.price),
      burst: parseMoney(deck.burst),
      rounding: 'half-up',
      decimals: 2,
    },
  }
}

/** kbit/s (a number that came from a decimal with at most 3 places) as exact Mbit/s. */
function megabits(kbps: number): Money {
  return (BigInt(Math.round(kbps * 1000)) * ONE) / 1_000_000n
}

function problemText(deck: PerMinuteDeck, error: RowError): string {
  return `rate deck ${deck.name}, ${deck.file}${error.line > 0 ? ` line ${error.line}, ${error.column}` : ''}: ${error.reason}`
}
