/** A priced leg as the rows of its tables, for statements that take them as JSON. */
import type { PricedLeg } from '../domain/price-leg.ts'

/** A priced leg and where its message stood in the stream. */
export interface LegToStore extends PricedLeg {
  streamSequence: number
  configRevision: number
}

export function legRow(leg: LegToStore): Record<string, unknown> {
  const { record, cost, price } = leg
  return {
    legId: record.legId,
    callId: record.callId,
    seq: record.seq,
    streamSequence: leg.streamSequence,
    startedAt: record.startedAt,
    endedAt: record.endedAt,
    answered: record.answeredAt !== undefined,
    durationMs: Math.floor(record.durationMs),
    trunk: record.party.kind === 'trunk' ? record.party.trunk : undefined,
    user: record.user ?? (record.party.kind === 'user' ? record.party.user : undefined),
    costCentre: record.costCentre,
    cost: cost.amount,
    costCurrency: cost.currency,
    price: price?.amount ?? '0',
    priceCurrency: price?.currency,
    configRevision: leg.configRevision,
    traceId: leg.traceId,
    estimated: record.estimated,
    record,
    costRating: cost,
    priceRating: price,
  }
}

/** Nothing is entered for nothing. */
export function ledgerEntries({ record, cost, price }: LegToStore): Record<string, unknown>[] {
  const trunk = record.party.kind === 'trunk' ? record.party.trunk : ''
  const entries: Record<string, unknown>[] = []
  for (const [kind, rating, account] of [
    ['cost', cost, `trunk:${trunk}`],
    ['price', price, `cost-centre:${record.costCentre ?? ''}`],
  ] as const) {
    if (rating === undefined || rating.amount === '0') continue
    entries.push({
      legId: record.legId,
      at: record.endedAt,
      kind,
      account,
      amount: rating.amount,
      currency: rating.currency,
      deck: rating.deck,
      deckVersion: rating.deckVersion,
    })
  }
  return entries
}

export function usageRows({ record, usage }: LegToStore): Record<string, unknown>[] {
  if (record.party.kind !== 'trunk') return []
  const { trunk } = record.party
  return usage.map((share) => ({ legId: record.legId, trunk, ...share }))
}

/** PostgreSQL's text holds no U+0000; a stranger's display name may. */
export function json(value: unknown): string {
  const text = JSON.stringify(value)
  return text.includes('\\u0000') ? text.replace(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd') : text
}
