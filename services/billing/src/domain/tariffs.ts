import { createHash } from 'node:crypto'
import type { BandwidthDeck, Configuration, PerMinuteDeck, User } from '@tandem/config/defaults.ts'
import { type Money, ONE, parseMoney, readMoney } from '@tandem/money/money.ts'
import type { BandwidthTerms } from '@tandem/rating/bandwidth.ts'
import { type Deck, type DeckSource, deckVersion, type RowError, readPackedDeck } from '@tandem/rating/deck.ts'
import { deckOf, type PackedDeck } from '@tandem/rating/packed-deck.ts'
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

/** What the configuration says of money, without its users. */
export type MoneyTerms = Pick<Configuration, 'rateDecks' | 'trunks' | 'prices' | 'timeZone'>
/** Users with a mobile and its E.164. */
export type Mobiles = ReadonlyMap<string, string>

/** A deck that was read, or one that is known already. */
export interface ReadDeck {
  name: string
  version: string
  /** left out: who asked has this version */
  packed?: PackedDeck
}

/**
 * Reads the decks of a revision. `texts` holds the CSV text by the `file` written in the configuration. Decks of
 * `before` whose text did not change are kept: a large deck is read once.
 */
export function readTariffs(
  configuration: MoneyTerms & Pick<Configuration, 'users'>,
  revision: number,
  texts: Readonly<Record<string, string>>,
  before?: Tariffs,
): TariffsReading {
  const { decks, problems } = readDecks(configuration, texts, versionsOf(before))
  if (problems.length > 0) return { kind: 'bad', problems }
  return makeTariffs(configuration, { revision, decks, mobiles: mobilesOf(configuration.users) }, before)
}

export function mobilesOf(users: Readonly<Record<string, User>>): Map<string, string> {
  return new Map(Object.values(users).flatMap(({ name, mobile }) => (mobile === null ? [] : [[name, mobile]])))
}

/** Of the decks by the minute: what need not be read again. */
export function versionsOf(tariffs: Tariffs | undefined): Set<string> {
  const all = [...(tariffs?.tariffs.values() ?? [])]
  return new Set(all.flatMap((tariff) => (tariff.kind === 'per-minute' ? [tariff.deck.version] : [])))
}

/** What takes time with large decks. */
export function readDecks(
  { rateDecks, timeZone }: Pick<MoneyTerms, 'rateDecks' | 'timeZone'>,
  texts: Readonly<Record<string, string>>,
  known: ReadonlySet<string>,
): { decks: ReadDeck[]; problems: string[] } {
  const decks: ReadDeck[] = []
  const problems: string[] = []
  for (const deck of Object.values(rateDecks)) {
    if (deck.kind === 'bandwidth') continue
    const read = readOne(deck, texts[deck.file], timeZone, known)
    if (Array.isArray(read)) problems.push(...read.map((error) => problemText(deck, error)))
    else decks.push(read)
  }
  return { decks, problems }
}

function readOne(
  deck: PerMinuteDeck,
  csv: string | undefined,
  timeZone: string,
  known: ReadonlySet<string>,
): ReadDeck | RowError[] {
  if (csv === undefined) return [{ line: 0, column: '', reason: 'the file did not come with the revision' }]
  const source = sourceOf(deck, timeZone)
  const { name } = deck
  const version = deckVersion(csv, source)
  if (known.has(version)) return { name, version }
  const reading = readPackedDeck(csv, source)
  return reading.kind === 'invalid' ? reading.errors : { name, version, packed: reading.packed }
}

/** Decks that are left out of `decks` are those of `before`. */
export function makeTariffs(
  configuration: MoneyTerms,
  { revision, decks, mobiles }: { revision: number; decks: readonly ReadDeck[]; mobiles: Mobiles },
  before: Tariffs | undefined,
): TariffsReading {
  const problems: string[] = []
  const read = new Map(decks.map((deck) => [deck.name, deck]))
  const tariffs = new Map<string, Tariff>()
  for (const [name, deck] of Object.entries(configuration.rateDecks)) {
    const tariff = deck.kind === 'bandwidth' ? bandwidthTariff(deck) : perMinuteTariff(deck, read.get(name), before)
    if (tariff === undefined) problems.push(`rate deck ${name} was not read`)
    else tariffs.set(name, tariff)
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
  const deckOfTrunk = new Map(Object.entries(configuration.trunks).map(([name, trunk]) => [name, trunk.cost]))
  return {
    kind: 'tariffs',
    tariffs: {
      revision,
      timeZone: configuration.timeZone,
      tariffs,
      ofTrunk: (trunk) => tariffs.get(deckOfTrunk.get(trunk) ?? ''),
      ofCostCentre: (costCentre) => prices.get(costCentre),
      mobileOf: (user) => mobiles.get(user),
    },
  }
}

function perMinuteTariff(
  deck: PerMinuteDeck,
  read: ReadDeck | undefined,
  before: Tariffs | undefined,
): PerMinuteTariff | undefined {
  if (read === undefined) return undefined
  const terms = termsOf(deck)
  const { name, currency } = deck
  const { version, packed } = read
  if (packed !== undefined) return { kind: 'per-minute', deck: deckOf(packed, { name, currency, version }), terms }
  const known = before?.tariffs.get(name)
  return known?.kind === 'per-minute' && known.deck.version === version ? { ...known, terms } : undefined
}

function termsOf(deck: PerMinuteDeck): RatingTerms {
  return {
    ...DEFAULT_TERMS,
    firstMs: deck.firstIncrementS * 1000,
    nextMs: deck.nextIncrementS * 1000,
    rounding: deck.rounding,
    decimals: deck.decimals,
  }
}

function sourceOf(deck: PerMinuteDeck, timeZone: string): DeckSource {
  return { name: deck.name, currency: deck.currency, timeZone, terms: JSON.stringify(termsOf(deck)) }
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
