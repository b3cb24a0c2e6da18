/**
 * The story of one emergency call as it is told on the bus, and the body that its INVITEs carry (location.md L15, L16). Places
 * go on `emergency.v1.*` and into the INVITE; never into logs or spans.
 */
import type { Context } from '@opentelemetry/api'
import {
  EmergencyAttempted,
  EmergencyEnded,
  EmergencyStarted,
  type EmergencyStartedBody,
} from '@tandem/contracts/emergency.ts'
import type { Edge } from '../edge.ts'
import { rounded } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import { type EmergencyBody, emergencyBody } from './emergency-body.ts'
import type { WhereCalled } from './emergency-order.ts'
import { instant } from './instant.ts'

export interface EmergencySeed {
  readonly edge: Edge
  readonly callId: string
  readonly legId: string
  readonly where: WhereCalled
  readonly started: Omit<
    EmergencyStartedBody,
    'callId' | 'at' | 'legId' | 'place' | 'source' | 'routeClass' | 'callback'
  >
  readonly domain: string
  readonly context: Context
  /** Hears what the bus is told of its beginning, also while the bus is away. */
  readonly told: (body: EmergencyStartedBody) => void
}

export interface EmergencyRun {
  body(sdp: string | undefined, token: string): EmergencyBody
  attempted(leg: CallLeg, outcome: 'sent' | 'answered' | 'failed', status?: number): void
  answered(leg: CallLeg): void
  ended(): void
}

/** Tells that it began, at once: nobody waits for the answer (L16). */
export function startEmergency(seed: EmergencySeed): EmergencyRun {
  const { edge, callId, where, context } = seed
  const { bus, clock } = edge
  const beganMs = clock.now()
  const rungs = new Map<string, number>()
  let answeredMs: number | undefined
  let over = false
  const now = () => instant(clock.wall())
  const began: EmergencyStartedBody = {
    ...seed.started,
    callId,
    legId: seed.legId,
    at: now(),
    routeClass: where.routeClass,
    ...(where.place === undefined ? {} : { place: where.place }),
    ...(where.source === undefined ? {} : { source: where.source }),
    ...(where.callback === undefined ? {} : { callback: where.callback }),
  }
  bus.tell(EmergencyStarted, began, { context })
  seed.told(began)
  const attempted: EmergencyRun['attempted'] = (leg, outcome, status) => {
    if (leg.party.kind !== 'trunk') return
    if (!rungs.has(leg.legId)) rungs.set(leg.legId, rungs.size + 1)
    bus.tell(
      EmergencyAttempted,
      {
        callId,
        at: now(),
        rung: rungs.get(leg.legId) ?? 0,
        trunk: leg.party.trunk,
        called: leg.identity.sent ?? '',
        outcome,
        ...(status === undefined ? {} : { sipStatus: status }),
        afterMs: rounded(clock.now() - beganMs),
      },
      { context },
    )
  }
  return {
    body: (sdp, token) => emergencyBody({ sdp, where, domain: seed.domain, token, at: now() }),
    attempted,
    answered(leg) {
      answeredMs = clock.now()
      attempted(leg, 'answered', 200)
    },
    ended() {
      if (over) return
      over = true
      const durationMs = answeredMs === undefined ? 0 : rounded(clock.now() - answeredMs)
      bus.tell(EmergencyEnded, { callId, at: now(), answered: answeredMs !== undefined, durationMs }, { context })
    },
  }
}
