/** What an INVITE wants of its session: description, keys, timer. A call for help is never refused for any of them. Pure. */
import type { Configuration } from '@tandem/config/schema.ts'
import { answerAsUas, type UasVerdict } from '@tandem/sip/dialog/session-timer.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { type Description, descriptionOf } from './call-body.ts'
import type { CallLeg } from './call-leg.ts'
import { mediaPolicy } from './media-policy.ts'
import { takesOffer } from './srtp/takes-offer.ts'

/** location.md L1: whatever an emergency call carries, it goes out; without a description the callee makes the offer. */
export function offered(request: SipRequest, urgent: boolean): Description {
  const found = descriptionOf(request)
  return urgent && found.kind !== 'sdp' ? { kind: 'none' } : found
}

/** An offer that nothing could come of, whoever is called. */
export function misfitOf(config: Configuration, offer: Description, leg: CallLeg): string | undefined {
  if (offer.kind !== 'sdp') return undefined
  const { keying } = mediaPolicy(config, leg.party, leg.wire.listener, leg.peer)
  if (takesOffer({ keying, emergency: false }, offer.sdp)) return undefined
  if (keying === 'required') return 'SRTP is required here (RFC 4568)'
  if (keying === 'dtls') return 'DTLS-SRTP is required here'
  return keying === 'off' ? 'SRTP is not spoken here' : 'No usable key for SRTP (RFC 4568)'
}

export function sessionTimer(request: SipRequest, config: Configuration, urgent: boolean): UasVerdict {
  const verdict = answerAsUas(request, { interval: config.edge.sessionTimerS, minSe: 90, refresher: 'us' })
  return urgent && verdict.kind === 'too-small' ? { kind: 'accept', fields: [], timer: undefined } : verdict
}
