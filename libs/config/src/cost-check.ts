/**
 * Least-cost routing over a trunk that is paid by bandwidth (routing.md R3): one more call costs nothing below the commit
 * only. What keeps it below is the limit of the trunk, which the edges hold to call by call (R9, ADR 158).
 */
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import { parseBandwidth } from './units.ts'

export function costProblems(d: ConfigurationDocument, found: Findings): void {
  const compared = (d.routes ?? []).filter(({ select, trunks }) => select === 'cost' && trunks.length > 1)
  for (const name of new Set(compared.flatMap(({ trunks }) => trunks))) {
    const { cost, limits } = d.trunks[name] ?? {}
    const deck = cost === undefined ? undefined : d.rateDecks?.[cost]
    if (deck?.kind !== 'bandwidth') continue
    const limit = limits?.bandwidth
    if (limit !== undefined && parseBandwidth(limit) <= parseBandwidth(deck.commit)) continue
    const beyond = limit === undefined ? 'without a limit' : `up to ${limit}`
    found.warn(
      limit === undefined ? ['trunks', name, 'cost'] : ['trunks', name, 'limits', 'bandwidth'],
      `least-cost routing takes ${name} first ${beyond}, also above its commit of ${deck.commit}`,
      `Write limits: { bandwidth: ${deck.commit} }: what is above goes to the next trunk.`,
    )
  }
}
