/** When a call has gone silent for good (edge.md E12), and what its record says then. Pure. */
import { isHeld } from '@tandem/sdp/offer-answer.ts'
import { parseSdp } from '@tandem/sdp/parse.ts'
import type { CallLeg } from './call-leg.ts'

type Listened = Pick<CallLeg, 'ended' | 'media' | 'answeredAtMs' | 'heard' | 'side' | 'party'>

/**
 * Why the call is to be hung up: neither RTP nor RTCP has come from either side for `inactivityMs`, and nobody is on hold.
 * Undefined: it goes on. RTCP alone is enough, so a phone that is muted or on hold, and says so by reports only, is not
 * hung up. A leg whose audio goes past us is heard by nobody here. Calls for help are not asked about.
 */
export function silenceOf(legs: readonly Listened[], now: number, inactivityMs: number): string | undefined {
  const silent: string[] = []
  for (const leg of legs) {
    if (leg.ended) continue
    if (leg.media.direct) return undefined
    const heardMs = leg.media.lastHeard()
    const silentMs = now - Math.max(heardMs ?? 0, leg.answeredAtMs ?? now)
    if (silentMs < inactivityMs) return undefined
    const sdp = leg.heard === undefined ? undefined : parseSdp(leg.heard)
    if (sdp?.kind === 'sdp' && isHeld(sdp.sdp)) return undefined
    const seconds = `${Math.floor(silentMs / 1000)} s`
    silent.push(`from ${leg.side} (${nameOf(leg)}) for ${seconds}${heardMs === undefined ? ', since the answer' : ''}`)
  }
  if (silent.length === 0) return undefined
  return `no RTP or RTCP received ${silent.join(', nor ')}`
}

function nameOf({ party }: Listened): string {
  if (party.kind === 'user') return `user:${party.user}`
  return party.kind === 'trunk' ? `trunk:${party.trunk}` : party.address
}
