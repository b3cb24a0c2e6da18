import type { Cdr, Rating } from '@tandem/contracts/billing.ts'
import type { LegRecord } from '@tandem/contracts/call.ts'
import { formatMoney } from '@tandem/money/money.ts'
import { spreadOverWindows, type WindowShare, wireBytes } from '@tandem/rating/bandwidth.ts'
import { type CallRating, explainRating, rateCall } from '@tandem/rating/rate-call.ts'
import type { Tariffs } from './tariffs.ts'

/** A leg's record with what it costs, what its cost centre pays and what it used of its trunk. */
export interface PricedLeg {
  record: LegRecord
  traceId: string | undefined
  cost: Rating
  price: Rating | undefined
  /** Bytes on the wire of a trunk leg, by 5-minute window. */
  usage: WindowShare[]
}

/** Prices one ended leg. Total: every record has an outcome. */
export function priceLeg(record: LegRecord, tariffs: Tariffs, traceId?: string): PricedLeg {
  const trunk = record.party.kind === 'trunk' ? record.party.trunk : undefined
  const cost = trunk === undefined ? free('not a trunk leg') : costOf(record, trunk, tariffs)
  const price = trunk === undefined ? undefined : priceOf(record, cost, tariffs)
  return { record, traceId, cost, price, usage: trunk === undefined ? [] : usageOf(record) }
}

/** The CDR as others see it. */
export function cdrOf({ record: r, traceId, cost, price }: Omit<PricedLeg, 'usage'>, corrected = false): Cdr {
  return {
    callId: r.callId,
    legId: r.legId,
    role: r.role,
    party: r.party,
    ...(r.user === undefined ? {} : { user: r.user }),
    ...(r.costCentre === undefined ? {} : { costCentre: r.costCentre }),
    from: r.from,
    dialled: r.dialled,
    ...(r.to === undefined ? {} : { to: r.to }),
    emergency: r.emergency,
    attempt: r.attempt,
    startedAt: r.startedAt,
    ...(r.answeredAt === undefined ? {} : { answeredAt: r.answeredAt }),
    endedAt: r.endedAt,
    ...(r.ringingMs === undefined ? {} : { ringingMs: r.ringingMs }),
    ...(r.setupMs === undefined ? {} : { setupMs: r.setupMs }),
    durationMs: r.durationMs,
    endedBy: r.endedBy,
    sipStatus: r.sipStatus,
    ...(r.q850 === undefined ? {} : { q850: r.q850 }),
    ...(r.reason === undefined ? {} : { reason: r.reason }),
    ...(r.codec === undefined ? {} : { codec: r.codec }),
    ...(r.referredBy === undefined ? {} : { referredBy: r.referredBy }),
    ...(r.joined === undefined ? {} : { joined: r.joined }),
    ...(r.attestation === undefined ? {} : { attestation: r.attestation }),
    ...(r.verstat === undefined ? {} : { verstat: r.verstat }),
    ...(r.media === undefined ? {} : { media: r.media }),
    estimated: r.estimated,
    ...(corrected ? { corrected } : {}),
    ...(traceId === undefined ? {} : { traceId }),
    cost,
    ...(price === undefined ? {} : { price }),
  }
}

function costOf(record: LegRecord, trunk: string, tariffs: Tariffs): Rating {
  if (record.answeredAt === undefined) return free('not answered')
  if (record.emergency) return free('emergency call')
  const tariff = tariffs.ofTrunk(trunk)
  if (tariff === undefined) return { kind: 'unrated', amount: '0', explanation: `trunk ${trunk} has no rate deck` }
  if (tariff.kind === 'bandwidth') {
    return {
      kind: 'bandwidth',
      amount: '0',
      currency: tariff.currency,
      deck: tariff.name,
      deckVersion: tariff.version,
      explanation: `in the 5-minute samples of trunk ${trunk}`,
    }
  }
  return ratingOf(rateCall(legToRate(record, tariffs), tariff.deck, tariff.terms), record, tariffs)
}

/** Where the cost centre has no deck of its own it pays what the call costs. */
function priceOf(record: LegRecord, cost: Rating, tariffs: Tariffs): Rating | undefined {
  const own = record.costCentre === undefined ? undefined : tariffs.ofCostCentre(record.costCentre)
  if (own === undefined || record.answeredAt === undefined || record.emergency) return cost
  return ratingOf(rateCall(legToRate(record, tariffs), own.tariff.deck, own.tariff.terms, own.factor), record, tariffs)
}

function legToRate(record: LegRecord, tariffs: Tariffs): { number: string; startedAt: number; durationMs: number } {
  const startedAt = Date.parse(record.answeredAt ?? record.startedAt)
  // Answered is billed: a call that was over within the same millisecond has its first increment, too.
  return { number: numberOf(record, tariffs), startedAt, durationMs: Math.max(1, record.durationMs) }
}

/**
 * The number a carrier bills: the called one, in E.164 where it is known. A leg to a mobile, or forwarded, goes elsewhere
 * than the call's own number; what was sent to the carrier may lack its country code, so it is the last resort.
 */
function numberOf(record: LegRecord, tariffs: Tariffs): string {
  const mobile = record.role === 'mobile' && record.user !== undefined ? tariffs.mobileOf(record.user) : undefined
  if (mobile !== undefined) return mobile
  const elsewhere = record.role === 'mobile' || record.role === 'forward'
  return (elsewhere ? (record.sent ?? record.to) : (record.to ?? record.sent)) ?? record.dialled
}

function ratingOf(rating: CallRating, record: LegRecord, tariffs: Tariffs): Rating {
  if (rating.kind === 'no-prefix') {
    const explanation = `deck ${rating.deck}@${rating.deckVersion} has no prefix for ${numberOf(record, tariffs)}`
    return { kind: 'unrated', amount: '0', deck: rating.deck, deckVersion: rating.deckVersion, explanation }
  }
  return {
    kind: 'per-minute',
    amount: formatMoney(rating.amount),
    currency: rating.currency,
    deck: rating.deck,
    deckVersion: rating.deckVersion,
    prefix: rating.row.prefix,
    billedSeconds: Math.ceil(rating.billedMs / 1000),
    explanation: explainRating(rating),
  }
}

function free(why: string): Rating {
  return { kind: 'free', amount: '0', explanation: why }
}

/** B3: the length is the monotonic one, only its place in time comes from the wall clock. */
export function usageOf(record: LegRecord): WindowShare[] {
  const { media } = record
  if (media === undefined) return []
  const bytesIn = wireBytes(media.received.packets, media.received.bytes)
  const bytesOut = wireBytes(media.sent.packets, media.sent.bytes)
  if (bytesIn === 0 && bytesOut === 0) return []
  const start = Date.parse(record.answeredAt ?? record.startedAt)
  const end = record.answeredAt === undefined ? Date.parse(record.endedAt) : start + Math.floor(record.durationMs)
  return spreadOverWindows(start, end, bytesIn, bytesOut)
}
