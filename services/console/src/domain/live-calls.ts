/**
 * The calls of the last hour as a picture of their legs, made of the edge's facts in whatever order they arrive.
 *
 * A leg only ever goes forward: trying → ringing → up → ended. A late fact never brings an ended leg back.
 */
import type { Leg, LegMedia, LegRecord } from '@tandem/contracts/call.ts'

export type LegState = 'trying' | 'ringing' | 'up' | 'ended'
const rank: Record<LegState, number> = { trying: 0, ringing: 1, up: 2, ended: 3 }

export interface LegView {
  legId: string
  role: Leg['role']
  party: Leg['party']
  user?: string
  sent?: string
  attempt: number
  state: LegState
  startedAt: string
  answeredAt?: string
  endedAt?: string
  sipStatus?: number
  endedBy?: string
  durationMs?: number
  codec?: string
  /** Who has sent the call here by a transfer, and with which call that joined it. */
  referredBy?: string
  joined?: string
  /** STIR/SHAKEN: the level given or proven, and what an Identity proved. */
  attestation?: 'A' | 'B' | 'C'
  verstat?: string
  /** As of the last minute while it is up, then of the whole leg. */
  media?: LegMedia
}

export interface CallView {
  callId: string
  state: LegState
  from: string
  dialled: string
  to?: string
  user?: string
  emergency: boolean
  startedAt: string
  answeredAt?: string
  endedAt?: string
  durationMs?: number
  legs: LegView[]
}

export interface CallBook {
  readonly calls: Map<string, CallView>
}

export function emptyBook(): CallBook {
  return { calls: new Map() }
}

type Progress =
  | { kind: 'started' | 'ringing' | 'answered'; leg: Leg & { codec?: string } }
  | { kind: 'interim'; leg: Leg & { media?: LegMedia } }
  | { kind: 'ended'; leg: LegRecord }

/** Takes one fact; returns the call as it is now. Keeps at most `limit` calls, the oldest ended ones go first. */
export function takeFact(book: CallBook, fact: Progress, limit = 50_000): CallView {
  const call = book.calls.get(fact.leg.callId) ?? newCall(fact.leg)
  if (!book.calls.has(call.callId)) {
    book.calls.set(call.callId, call)
    if (book.calls.size > limit) forgetOldest(book)
  }
  const leg = call.legs.find((l) => l.legId === fact.leg.legId) ?? addLeg(call, fact.leg)
  if (fact.leg.role === 'caller') describe(call, fact.leg)
  provenance(leg, fact.leg)
  // its beginning may be heard after its answer
  if (fact.leg.at < leg.startedAt) leg.startedAt = fact.leg.at
  if (fact.leg.at < call.startedAt) call.startedAt = fact.leg.at
  switch (fact.kind) {
    case 'started':
      break
    case 'ringing':
      advance(leg, 'ringing')
      break
    case 'answered':
      if (advance(leg, 'up')) leg.answeredAt = fact.leg.at
      if (fact.leg.codec !== undefined) leg.codec = fact.leg.codec
      break
    case 'interim':
      if (leg.state !== 'ended' && fact.leg.media !== undefined) leg.media = fact.leg.media
      break
    case 'ended':
      endLeg(leg, fact.leg)
  }
  summarise(call)
  return call
}

function newCall(leg: Leg): CallView {
  return {
    callId: leg.callId,
    state: 'trying',
    from: leg.from,
    dialled: leg.dialled,
    emergency: leg.emergency,
    startedAt: leg.at,
    legs: [],
  }
}

function describe(call: CallView, leg: Leg): void {
  call.from = leg.from
  call.dialled = leg.dialled
  if (leg.to !== undefined) call.to = leg.to
  if (leg.user !== undefined) call.user = leg.user
}

/** Known from the first fact on, or only when a transfer comes. */
function provenance(view: LegView, { referredBy, joined, attestation, verstat }: Leg): void {
  if (referredBy !== undefined) view.referredBy = referredBy
  if (joined !== undefined) view.joined = joined
  if (attestation !== undefined) view.attestation = attestation
  if (verstat !== undefined) view.verstat = verstat
}

function addLeg(call: CallView, leg: Leg): LegView {
  const view: LegView = {
    legId: leg.legId,
    role: leg.role,
    party: leg.party,
    attempt: leg.attempt,
    state: 'trying',
    startedAt: leg.at,
  }
  if (leg.user !== undefined) view.user = leg.user
  if (leg.sent !== undefined) view.sent = leg.sent
  if (leg.emergency) call.emergency = true
  call.legs.push(view)
  return view
}

function advance(leg: LegView, to: LegState): boolean {
  if (rank[to] <= rank[leg.state]) return false
  leg.state = to
  return true
}

function endLeg(leg: LegView, record: LegRecord): void {
  leg.state = 'ended'
  leg.startedAt = record.startedAt
  leg.endedAt = record.endedAt
  leg.sipStatus = record.sipStatus
  leg.endedBy = record.endedBy
  leg.durationMs = record.durationMs
  if (record.answeredAt !== undefined) leg.answeredAt = record.answeredAt
  if (record.codec !== undefined) leg.codec = record.codec
  if (record.media !== undefined) leg.media = record.media
}

function summarise(call: CallView): void {
  call.legs.sort((a, b) =>
    a.startedAt < b.startedAt ? -1 : a.startedAt > b.startedAt ? 1 : a.role === 'caller' ? -1 : 1,
  )
  const caller = call.legs.find((l) => l.role === 'caller')
  const ended = call.legs.every((l) => l.state === 'ended') && (caller !== undefined || call.legs.length > 1)
  if (ended) {
    call.state = 'ended'
    call.endedAt = call.legs.reduce(
      (latest, l) => (l.endedAt !== undefined && l.endedAt > latest ? l.endedAt : latest),
      '',
    )
  } else if (caller?.state === 'up') call.state = 'up'
  else if (call.legs.some((l) => l.state === 'ringing' || l.state === 'up')) call.state = 'ringing'
  if (caller?.answeredAt !== undefined) call.answeredAt = caller.answeredAt
  if (caller?.durationMs !== undefined) call.durationMs = caller.durationMs
}

function forgetOldest(book: CallBook): void {
  for (const [id, call] of book.calls) {
    if (call.state !== 'ended') continue
    book.calls.delete(id)
    return
  }
  const first = book.calls.keys().next()
  if (!first.done) book.calls.delete(first.value)
}

/** Drops calls that ended before `before` (ISO). */
export function forgetEnded(book: CallBook, before: string): void {
  for (const [id, call] of book.calls) if (call.endedAt !== undefined && call.endedAt < before) book.calls.delete(id)
}
