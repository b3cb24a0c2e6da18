import type { RateDeck } from '@tandem/config/defaults.ts'
import { type PriceTree, priceFinder } from './price-tree.ts'

/**
 * What one more minute on a trunk costs, to put trunks in order. Never an amount of money: billing rates calls exactly.
 * A bandwidth deck costs nothing more for one more call below its commit; the trunk's limit keeps it there (ADR 158).
 */
export type VendorCost = {
  readonly deck: string
  readonly currency: string
  readonly kind: RateDeck['kind']
  /** `digits`: E.164 without the plus; the longest prefix that has a price at `now` (epoch ms) counts. */
  of(digits: string, now: number): number | undefined
}

/** `prices`: of a deck per minute. */
export function compileCost(deck: RateDeck | undefined, prices: PriceTree | undefined): VendorCost | undefined {
  if (deck === undefined) return undefined
  const { name, currency, kind } = deck
  if (deck.kind === 'bandwidth') return { deck: name, currency, kind, of: () => 0 }
  return prices === undefined ? undefined : { deck: name, currency, kind, of: priceFinder(prices) }
}
