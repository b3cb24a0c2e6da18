import { formatMoney, type Money, ONE, type RoundingMode, roundFraction } from '@tandem/money/money.ts'
import type { Deck, DeckRow } from './deck.ts'

/** How a duration becomes billed time and billed time becomes money. Durations in ms. */
export interface RatingTerms {
  /** `6/6`: the first increment and each further one. 0 bills to the millisecond. */
  firstMs: number
  nextMs: number
  /** An answered call is billed at least this long. */
  minimumMs: number
  /** Calls up to this long cost nothing, not even the connect fee. */
  graceMs: number
  maxCost?: Money
  rounding: RoundingMode
  /** Decimals of the final amount, 0..10. */
  decimals: number
}

export const DEFAULT_TERMS: RatingTerms = {
  firstMs: 1000,
  nextMs: 1000,
  minimumMs: 0,
  graceMs: 0,
  rounding: 'half-up',
  decimals: 4,
}

/** A price that may change with the length of the call: the step that holds at billed ms `fromMs` and after. */
export interface PriceStep {
  fromMs: number
  perMinute: Money
}

export interface LegToRate {
  /** E.164 or national digits, with or without +. */
  number: string
  /** Epoch ms; effective dates are looked up at it. */
  startedAt: number
  /** Answer to end, ms; 0 when not answered. */
  durationMs: number
}

/** Everything needed to compute the amount again (B16). */
export interface RatedCall {
  kind: 'rated'
  amount: Money
  currency: string
  deck: string
  deckVersion: string
  row: DeckRow
  terms: RatingTerms
  billedMs: number
  /** What the exact amount was multiplied with before the rounding: 1.1 for a markup of 10 %. */
  factor: Money
  capped: boolean
}

export type CallRating = RatedCall | { kind: 'no-prefix'; deck: string; deckVersion: string }

/** Prices one leg: the longest prefix in effect, whatever it costs; rounded exactly once. */
export function rateCall(leg: LegToRate, deck: Deck, terms: RatingTerms, factor: Money = ONE): CallRating {
  const row = deck.find(leg.number, leg.startedAt)
  if (row === undefined) return { kind: 'no-prefix', deck: deck.name, deckVersion: deck.version }
  const billedMs = billedDuration(leg.durationMs, terms)
  const steps = [{ fromMs: 0, perMinute: row.perMinute }]
  const { amount, capped } = priceDuration(billedMs, row.connect, steps, terms, factor)
  return {
    kind: 'rated',
    amount,
    currency: deck.currency,
    deck: deck.name,
    deckVersion: deck.version,
    row,
    terms,
    billedMs,
    factor,
    capped,
  }
}

/** Billed ms: whole increments, never less than the minimum; 0 for a call that was not answered or is within the grace. */
export function billedDuration(durationMs: number, terms: RatingTerms): number {
  const used = Math.floor(durationMs)
  if (used <= 0 || used <= terms.graceMs) return 0
  const wanted = Math.max(used, terms.minimumMs)
  if (terms.firstMs > 0 && wanted <= terms.firstMs) return terms.firstMs
  const further = wanted - terms.firstMs
  return terms.firstMs + (terms.nextMs > 0 ? Math.ceil(further / terms.nextMs) * terms.nextMs : further)
}

const MS_PER_MINUTE = 60_000n

/** Money for billed ms. Steps are in ascending order, the first from 0. */
export function priceDuration(
  billedMs: number,
  connect: Money,
  steps: readonly PriceStep[],
  terms: Pick<RatingTerms, 'maxCost' | 'rounding' | 'decimals'>,
  factor: Money = ONE,
): { amount: Money; capped: boolean } {
  if (billedMs <= 0) return { amount: 0n, capped: false }
  // The sum stays a fraction of 60,000 until the one rounding at its end (B6).
  let numerator = connect * MS_PER_MINUTE
  for (const [i, step] of steps.entries()) {
    const until = Math.min(billedMs, steps[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY)
    if (until > step.fromMs) numerator += step.perMinute * BigInt(until - step.fromMs)
  }
  const amount =
    factor === ONE
      ? roundFraction(numerator, MS_PER_MINUTE, terms.decimals, terms.rounding)
      : roundFraction(numerator * factor, MS_PER_MINUTE * ONE, terms.decimals, terms.rounding)
  return terms.maxCost !== undefined && amount > terms.maxCost
    ? { amount: terms.maxCost, capped: true }
    : { amount, capped: false }
}

/** One line a person can check by hand. */
export function explainRating(rated: RatedCall): string {
  const { row, terms, billedMs } = rated
  const place = `${row.prefix === '' ? 'any number' : `prefix ${row.prefix}`}${row.name === '' ? '' : ` (${row.name})`}`
  const deck = `deck ${rated.deck}@${rated.deckVersion}, ${place}`
  if (billedMs === 0) return `${deck}: nothing billed`
  const parts = [`${billedMs / 1000} s billed (${terms.firstMs / 1000}/${terms.nextMs / 1000})`]
  if (terms.minimumMs > 0) parts.push(`minimum ${terms.minimumMs / 1000} s`)
  if (terms.graceMs > 0) parts.push(`grace ${terms.graceMs / 1000} s`)
  const connect = row.connect === 0n ? '' : ` + ${formatMoney(row.connect)} connect`
  const factor = rated.factor === ONE ? '' : `, × ${formatMoney(rated.factor)}`
  const rounding = `${terms.rounding} to ${terms.decimals} decimals`
  const cap = rated.capped && terms.maxCost !== undefined ? `, capped at ${formatMoney(terms.maxCost)}` : ''
  return `${deck}: ${parts.join(', ')} × ${formatMoney(row.perMinute)}/min${connect}${factor}, ${rounding}${cap} = ${formatMoney(rated.amount)} ${rated.currency}`
}
