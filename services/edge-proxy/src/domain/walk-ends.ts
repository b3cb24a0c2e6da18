/** How legs end that come to nothing while the plan is walked, as their records and their peers hear it. Pure. */
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { causeOfReason } from './call-cause.ts'
import type { LegEnd } from './call-facts.ts'
import type { CancelReason } from './walk-state.ts'

type Fields = readonly (readonly [string, string])[]

/** The attempt has failed by it: the record of the leg follows that. */
export const givesUp = (why: CancelReason): boolean =>
  why === 'no-response' || why === 'only-trying' || why === 'no-answer'

export function endOfCancelled(why: CancelReason): LegEnd {
  const status = why === 'no-response' || why === 'only-trying' ? 408 : 487
  return { by: why === 'caller-gone' ? 'caller' : 'tandem', status, reason: why }
}

/** Of the CANCEL; `callers`: what stood in that of the caller. */
export function reasonOfCancel(why: CancelReason, callers: Fields): Fields {
  // RFC 3326 3.1: a phone shows no missed call when another one was answered
  if (why === 'answered-elsewhere') return [['Reason', 'SIP;cause=200;text="Call completed elsewhere"']]
  return why === 'caller-gone' ? callers : []
}

export function endOfFailed(status: number, response: SipResponse | undefined): LegEnd {
  const q850 = response && causeOfReason(response.headers.getAll('reason'))
  return { by: 'callee', status, q850, reason: response?.reason }
}
