/** The facts of a leg (contracts/call.ts): bodies made from what the leg and its call know. Pure. */
import type { Leg, LegRecord } from '@tandem/contracts/call.ts'
import { causeOf } from './call-cause.ts'
import type { CallLeg, EndedBy } from './call-leg.ts'
import { instant } from './instant.ts'

/** What all legs of a call share. */
export interface CallFacts {
  readonly callId: string
  readonly edge: string
  /** Caller's number, E.164 where known. */
  from: string
  dialled: string
  to: string | undefined
  emergency: boolean
}

/** Milliseconds as facts carry them: to the microsecond, never negative. */
export const rounded = (ms: number): number => Math.max(0, Math.round(ms * 1000) / 1000)

/** Next fact of this leg: every call counts its sequence on. */
export function legFact(call: CallFacts, leg: CallLeg, wallMs: number): Leg {
  leg.seq++
  const { user, costCentre, site, sent } = leg.identity
  return {
    callId: call.callId,
    legId: leg.legId,
    seq: leg.seq,
    edge: call.edge,
    at: instant(wallMs),
    role: leg.role,
    party: leg.party,
    ...(user === undefined ? {} : { user }),
    ...(costCentre === undefined ? {} : { costCentre }),
    ...(site === undefined ? {} : { site }),
    from: short(call.from),
    dialled: short(call.dialled),
    ...(call.to === undefined ? {} : { to: short(call.to) }),
    ...(sent === undefined ? {} : { sent: short(sent) }),
    emergency: call.emergency,
    attempt: leg.attempt,
    sipCallId: short(leg.sipCallId),
    ...(leg.referredBy === undefined ? {} : { referredBy: short(leg.referredBy) }),
    ...(leg.attestation === undefined ? {} : { attestation: leg.attestation }),
    ...(leg.verstat === undefined ? {} : { verstat: leg.verstat }),
    ...(leg.joined === undefined ? {} : { joined: leg.joined }),
  }
}

export interface LegEnd {
  readonly by: EndedBy
  readonly status: number
  /** The peer's own cause, when it gave one. */
  readonly q850?: number | undefined
  readonly reason?: string | undefined
}

/** Without the media: the engine may still be counting (call-tell.ts). */
export function legRecord(call: CallFacts, leg: CallLeg, end: LegEnd, atMs: number, wallMs: number): LegRecord {
  // billing.md B5: of a leg that was taken over and not heard of again nothing is known after its last proof
  const estimated = leg.provenMs !== undefined
  const nowMs = Math.min(atMs, leg.provenMs ?? atMs)
  const answered = leg.answeredAtMs !== undefined
  // billing.md B3: durations from the monotonic clock; wall times are the start plus durations, so a clock step is harmless
  const wallAt = (ms: number) => instant(leg.startedWall + (ms - leg.startedMs))
  return {
    ...legFact(call, leg, wallMs),
    startedAt: instant(leg.startedWall),
    ...(leg.answeredAtMs === undefined ? {} : { answeredAt: wallAt(leg.answeredAtMs) }),
    endedAt: wallAt(nowMs),
    ...(leg.tryingMs === undefined ? {} : { tryingMs: rounded(leg.tryingMs) }),
    ...(leg.ringingMs === undefined ? {} : { ringingMs: rounded(leg.ringingMs) }),
    ...(leg.setupMs === undefined ? {} : { setupMs: rounded(leg.setupMs) }),
    durationMs: leg.answeredAtMs === undefined ? 0 : rounded(nowMs - leg.answeredAtMs),
    endedBy: end.by,
    sipStatus: answered ? 200 : end.status,
    q850: end.q850 ?? causeOf(end.status, answered),
    ...(end.reason === undefined ? {} : { reason: short(end.reason) }),
    ...(leg.codec === undefined ? {} : { codec: leg.codec }),
    estimated,
    ...(leg.takeovers === 0 ? {} : { takeovers: leg.takeovers }),
  }
}

/** Foreign text is bounded in contracts/values.ts. */
function short(text: string): string {
  return text.length > 1024 ? text.slice(0, 1024) : text
}
