import type { RateDeck } from '@tandem/config/defaults.ts'
import { compilePrices } from './price-tree.ts'

/**
 * What one more minute on a trunk costs, to put trunks in order. Never an amount of money: billing rates calls exactly.
 * A bandwidth deck costs nothing more for one more call below its commit.
 */
export type VendorCost = {
  readonly deck: string
  readonly currency: string
  readonly kind: RateDeck['kind']
  /** `digits`: E.164 without the plus; the longest prefix that has a price at `now` (epoch ms) counts. */
  of(digits: string, now: number): number | undefined
}

/** `csv`: `prefix,name,connect,perMinute,from,to` with a header; rows that cannot be read are billing's to report. */
export function compileCost(deck: RateDeck | undefined, csv: string | undefined): VendorCost | undefined {
  if (deck === undefined) return undefined
  const { name, currency, kind } = deck
  if (deck.kind === 'bandwidth') return { deck: name, currency, kind, of: () => 0 }
  return csv === undefined ? undefined : { deck: name, currency, kind, of: compilePrices(csv) }
}
