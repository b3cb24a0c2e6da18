/** Rate decks with their defaults. */
import type { Each, RateDeck, Written } from '../configuration.ts'
import { parseBandwidth } from '../units.ts'

export function rateDeck(name: string, d: Each<Written<'rateDecks'>>): RateDeck {
  if (d.kind === 'bandwidth') {
    return {
      kind: 'bandwidth',
      name,
      currency: d.currency,
      commitKbps: parseBandwidth(d.commit),
      incrementKbps: parseBandwidth(d.increment ?? '1Mbit/s'),
      price: d.price,
      percentile: d.percentile ?? 95,
      burst: d.burst ?? d.price,
    }
  }
  const [first, next] = (d.increments ?? '60/60').split('/').map(Number) as [number, number]
  return {
    kind: 'per-minute',
    name,
    currency: d.currency,
    file: d.file,
    firstIncrementS: first,
    nextIncrementS: next,
    rounding: d.rounding ?? 'half-up',
    decimals: d.decimals ?? 4,
  }
}
